"""An encoder learns voices on some videos, knows them on others, and goes on where it was killed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from safetensors.torch import load_file

from emovox.corpora.manifest import Clip
from emovox.corpora.registry import index
from emovox.corpora.voxceleb import VOXCELEB
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.ge2e import Ge2eConfig
from emovox.models.head import HeadConfig
from emovox.schema.card import CardCorpus
from emovox.schema.errors import CheckpointError, ProtocolError, RecipeError
from emovox.training.checkpoint import learnt_weights
from emovox.training.plan import Loss, Optimiser, Plan, Stopping
from emovox.training.pretraining import Pretraining, PretrainingRecipe, Voices, pretraining_problems, speaker_task
from emovox.training.stages.start import Start
from tests.models.small import MOBILE, whisper, write_whisper
from tests.models.test_ge2e import write_weights
from tests.sounds import VOICES, write_voxceleb


def recipe(steps: int = 40, **changes: Any) -> PretrainingRecipe:
    made = PretrainingRecipe(
        name="voices",
        data=Voices(corpora=("voxceleb",)),
        encoder=MOBILE,
        head=HeadConfig(hidden=16, dropout_in=0.0, dropout=0.0),
        learning=Plan(
            optimiser=Optimiser(steps=steps, batch=12, learning_rate=0.02),
            stopping=Stopping(every=max(1, steps // 2)),
            checkpoint_seconds=0.0,
        ),
        held_out=0.3,
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    return index("voxceleb", write_voxceleb(tmp_path_factory.mktemp("voices")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def prepared(clips: Sequence[Clip], cache: Path, **changes: Any) -> Pretraining:
    return Pretraining.prepared(speaker_task(clips), recipe(**changes), folder=cache, workers=1)


@pytest.fixture(scope="module")
def finished(clips: tuple[Clip, ...], cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Start]:
    folder = tmp_path_factory.mktemp("runs") / "voices"
    return folder, prepared(clips, cache).run(folder)


def test_voices_are_known_in_other_videos(finished: tuple[Path, Start], clips: tuple[Clip, ...]) -> None:
    folder, found = finished
    assert (found.speakers, found.clips, found.held_out_clips, found.chance) == (4, 24, 12, 25.0)
    assert found.accuracy > 60
    assert found.uar == found.accuracy  # every speaker has as many held-out clips
    assert found.corpora == (CardCorpus("voxceleb", VOXCELEB.licence, 4, 24),)
    assert msgspec.json.decode((folder / "encoder.json").read_bytes(), type=Start) == found
    assert found.recipe_sha256 == recipe().sha256()
    assert {"recipe.json", "versions.json", "encoder.safetensors", "learning"} <= {x.name for x in folder.iterdir()}


def test_no_video_is_on_both_sides(clips: tuple[Clip, ...], cache: Path) -> None:
    made = prepared(clips, cache)
    videos = [{made.task.clips[i].id.rpartition("/")[0] for i in part} for part in (made.learnt, made.held)]
    assert not videos[0] & videos[1]
    assert len(videos[0] | videos[1]) == 8
    assert set(made.task.labels[made.held]) == set(made.task.labels[made.learnt]) == set(range(4))


@pytest.mark.parametrize("name", ["whisper", "ge2e"])
def test_of_an_encoder_that_is_half_frozen_the_rest_learns(name: str, clips: tuple[Clip, ...], tmp_path: Path) -> None:
    config: EncoderConfig
    if name == "whisper":
        config = whisper(write_whisper(tmp_path / "weights"), learning=True)
    else:
        write_weights(tmp_path / "weights")
        config = Ge2eConfig(weights=str(tmp_path / "weights"), frozen=2, layers=(3,))
    found = prepared(clips, tmp_path / "cache", encoder=config, steps=2).run(tmp_path / "run")
    kept, before = load_file(tmp_path / "run" / "encoder.safetensors"), learnt_weights(build_encoder(config))
    assert kept.keys() == before.keys()
    assert sum(not np.array_equal(kept[key], before[key]) for key in before) >= 4
    assert found.inputs_key == build_encoder(config).inputs_key


def test_killed_it_goes_on_and_gives_the_same(
    finished: tuple[Path, Start], clips: tuple[Clip, ...], cache: Path, tmp_path: Path
) -> None:
    def stop(done: int, *_: object) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(clips, cache).run(tmp_path, report=stop)
    assert not (tmp_path / "encoder.safetensors").exists()
    with pytest.raises(RecipeError, match="holds a run already; continue it with --resume"):
        prepared(clips, cache).run(tmp_path)
    assert prepared(clips, cache).run(tmp_path, resume=True) == finished[1]
    assert (tmp_path / "encoder.safetensors").read_bytes() == (finished[0] / "encoder.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        prepared(clips[1:], cache).run(tmp_path, resume=True)


def test_speakers_of_several_corpora_are_apart_and_dropped_clips_stay_out(clips: tuple[Clip, ...]) -> None:
    others = [replace(clip, corpus="own", label=None if clip.speaker == "id10001" else "keen") for clip in clips]
    task = speaker_task([*clips, *others])
    assert task.classes == (*(f"own/{name}" for name in list(VOICES)[1:]), *(f"voxceleb/{name}" for name in VOICES))
    assert len(task.clips) == 24 + 18
    assert [task.classes[label] for label in task.labels] == [f"{clip.corpus}/{clip.speaker}" for clip in task.clips]


def test_speakers_that_cannot_be_learnt(clips: tuple[Clip, ...], cache: Path) -> None:
    with pytest.raises(RecipeError, match=r"has 1 speaker\(s\) \(voxceleb/id10001\), expected at least two"):
        speaker_task([clip for clip in clips if clip.speaker == "id10001"])
    with pytest.raises(RecipeError, match=r"1 clips without a speaker .*expected one for each; give the table"):
        speaker_task([*clips, replace(clips[0], corpus="own", speaker=None)])
    with pytest.raises(ProtocolError, match="none of 4 speakers has two clips"):
        prepared(clips[::6], cache)


def test_recipes_that_do_not_fit_the_clips(clips: tuple[Clip, ...], cache: Path, tmp_path: Path) -> None:
    frozen = whisper(write_whisper(tmp_path))
    with pytest.raises(RecipeError, match=r"encoder is .*frozen=2.* of which nothing learns; expected one with less"):
        prepared(clips, cache, encoder=frozen)
    with pytest.raises(RecipeError, match="copies has ravdess, expected some of voxceleb"):
        prepared(clips, cache, copies={"ravdess": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_out": 0.0}, "held_out is 0.0, expected more than 0 and less than 1"),
        ({"labels": ("a", "b")}, "labels are ['a', 'b'], expected none: the classes are the speakers"),
        ({"export": True}, "export is true, expected false"),
        ({"learning": Plan(stopping=Stopping(share=0.2))}, "held_out sets what is held out"),
        ({"learning": Plan(loss=Loss(alpha={"id10001": 2.0}))}, "learning.loss.alpha has classes, expected none"),
        ({"learning": Plan(optimiser=Optimiser(steps=0))}, "learning.optimiser.steps is 0, expected 1 or more"),
        ({"head": HeadConfig(hidden=0)}, "head.hidden is 0, expected at least 1"),
    ],
)
def test_values_out_of_range(changes: dict[str, Any], message: str) -> None:
    (problem,) = pretraining_problems(recipe(**changes))
    assert message in problem
    assert not pretraining_problems(recipe())
