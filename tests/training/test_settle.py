"""What a recipe for any recordings leaves open is settled by its clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from emovox.corpora.manifest import Clip
from emovox.schema.errors import RecipeError
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.settle import FEWEST_STEPS, settle
from emovox.training.svm.recipe import SvmRecipe
from emovox.workflow import read_recipe, train

RECIPES = Path(__file__).parents[2] / "recipes"


def clips(labels: str, speakers: Sequence[str | None], *, takes: int = 1, corpus: str = "mine") -> list[Clip]:
    """Return a clip for each label, speaker and take."""
    return [
        Clip(
            corpus=corpus, id=f"{label}{speaker}{take}", path="x.wav", speaker=speaker, native=label, label=label,
            duration=1.0, sample_rate=16000,
        )
        for label in labels
        for speaker in speakers
        for take in range(takes)
    ]  # fmt: skip


def own(name: str) -> SvmRecipe | NetworkRecipe:
    found = read_recipe(RECIPES / f"own-{name}.toml")
    assert isinstance(found, SvmRecipe | NetworkRecipe)
    return found


@pytest.mark.parametrize("name", ["svm", "mobile"])
def test_speakers_are_left_out_where_they_are_known(name: str) -> None:
    settled = settle(own(name), clips("ab", "xyz"))
    assert (settled.recipe.data.protocol, settled.notes) == ("si", ())
    assert list(settled.recipe.copies) == ["mine"]


@pytest.mark.parametrize(
    ("speakers", "reason"),
    [([None, None], "10 of 10 clips have no speaker"), (["x"], "all clips are of one speaker")],
)
def test_without_speakers_folds_are_random_and_a_note_says_so(speakers: list[str | None], reason: str) -> None:
    settled = settle(own("svm"), clips("ab", speakers, takes=10 // len(speakers) // 2 + 1)[:10])
    assert settled.recipe.data.protocol == "sd"
    (note,) = settled.notes
    assert note.startswith("note: random folds (protocol sd), so the figures are inflated")
    assert reason.split()[-1] in note


def test_a_label_of_one_speaker_alone_makes_folds_random() -> None:
    found = clips("ab", "xy", takes=5) + clips("c", "x", takes=5)
    assert "no other speaker has a clip of it" in settle(own("svm"), found).notes[0]


def test_weights_and_copies_of_yours_are_those_of_each_of_your_corpora() -> None:
    recipe = read_recipe(RECIPES / "adapt-language.toml")
    found = clips("ab", "xyz") + clips("ab", "uvw", corpus="yours") + clips("ab", "rst", corpus="emodb")
    settled = settle(recipe, found).recipe
    assert settled.data.weights == {"mine": 3.0, "yours": 3.0, "emovo": 0.5}
    assert (settled.copies["mine"], settled.copies["yours"], settled.copies["emodb"]) == (6, 6, 4)
    assert "own" not in settled.copies


def test_steps_follow_the_number_of_clips() -> None:
    recipe = own("mobile")
    assert isinstance(recipe, NetworkRecipe)
    steps = []
    for takes in (1, 30, 1000):
        found = settle(recipe, clips("ab", "xyz", takes=takes)).recipe
        assert found.learning.optimiser.passes == 0
        steps.append(found.learning.optimiser.steps)
    rows = 6 * (1 + recipe.copies["own"] + 1)
    passes, batch = recipe.learning.optimiser.passes, recipe.learning.optimiser.batch
    assert steps == [FEWEST_STEPS, round(-(-30 * rows * passes // batch)), recipe.learning.optimiser.steps]


def test_a_recipe_that_leaves_nothing_open_stays_as_it_is() -> None:
    recipe = read_recipe(RECIPES / "accurate.toml")
    assert settle(recipe, clips("ab", "xy", corpus="emodb")).recipe is recipe


def test_a_recipe_without_recordings_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"own-svm: data\.corpora is empty, expected recordings; name .* by --data"):
        train(RECIPES / "own-svm.toml", folder=tmp_path)


def test_other_corpora_take_the_description_away() -> None:
    assert read_recipe(RECIPES / "svm-emodb.toml").description
    assert not read_recipe(RECIPES / "svm-emodb.toml", ['data.corpora=["mine.jsonl"]']).description
    kept = read_recipe(RECIPES / "svm-emodb.toml", ['data.corpora=["mine.jsonl"]', "description=mine"])
    assert kept.description == "mine"
    assert read_recipe(RECIPES / "own-svm.toml", ['data.corpora=["mine.jsonl"]']).description
