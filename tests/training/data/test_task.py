from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from emovox.corpora.manifest import Clip
from emovox.corpora.registry import index
from emovox.schema.errors import ProtocolError, RecipeError
from emovox.training.data.task import make_task, task_folds
from emovox.training.recipe import Data
from tests.corpora.trees import clip
from tests.sounds import write_sounds

OWN = Data(corpora=("own.jsonl",), protocol="si")


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """A clip of each label of each of four speakers, one of them without a label."""
    found = list(index("table", write_sounds(tmp_path / "voices", takes=1)))
    return [*found[:-1], msgspec.structs.replace(found[-1], label=None)]


def relabelled(clips: list[Clip], names: dict[str, str | None]) -> list[Clip]:
    return [msgspec.structs.replace(one, label=names.get(str(one.label), one.label)) for one in clips]


def test_own_labels_are_the_classes(clips: list[Clip]) -> None:
    task = make_task(clips, OWN)
    assert task.classes == ("bored", "cross", "keen")
    assert [task.classes[label] for label in task.labels] == [one.label for one in clips[:-1]]
    assert len(task.clips) == 11
    assert task.allowed.all()
    assert [fold.test_speakers for fold in task_folds(task, OWN, seed=0)] == [
        ("own/ada",),
        ("own/bob",),
        ("own/cy",),
        ("own/dee",),
    ]


def test_a_view_maps_and_drops(clips: list[Clip]) -> None:
    known = relabelled(clips, {"bored": "boredom", "cross": "calm", "keen": "happy"})
    data = Data(corpora=("own.jsonl",), protocol="si", view="seven")
    task = make_task(known, data)
    # five of the seven have no clip, and boredom is dropped
    assert task.classes == ("neutral", "happy")
    assert len(task.clips) == 7


def test_one_label_is_too_few(clips: list[Clip]) -> None:
    with pytest.raises(RecipeError, match=r"data\.corpora has the classes \['keen'\], expected at least two"):
        make_task(relabelled(clips, {"bored": None, "cross": None}), OWN)


def test_weights_are_of_corpora_that_are_known(clips: list[Clip]) -> None:
    """A recipe on one corpus of a joint one keeps its weights."""
    kept = msgspec.structs.replace(OWN, weights={"own": 0.5, "emovo": 0.5})
    assert make_task(clips, kept).weights["own"] == 0.5
    with pytest.raises(RecipeError, match=r"data\.weights has emvo, expected some of own"):
        make_task(clips, msgspec.structs.replace(OWN, weights={"emvo": 0.5}))


def test_clips_without_speakers_are_refused() -> None:
    clips = [clip("own", number, None, ("keen", "cross")[number % 2]) for number in range(6)]
    with pytest.raises(ProtocolError, match="6 of 6 clips have no speaker"):
        make_task(clips, OWN)


def test_a_corpus_says_nothing_about_classes_that_it_lacks(clips: list[Clip]) -> None:
    mixed = [
        msgspec.structs.replace(one, corpus="other" if one.label != "keen" and one.speaker == "ada" else "own")
        for one in clips[:-1]
    ]
    task = make_task(mixed, msgspec.structs.replace(OWN, protocol="joint"))
    for one, allowed in zip(task.clips, task.allowed.tolist(), strict=True):
        assert allowed == [True, True, one.corpus == "own"]
