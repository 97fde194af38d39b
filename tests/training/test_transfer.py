"""Transfer: who learns from what, which classes count, and what adaptation changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.transfer import OTHERS, Transfer
from emovox.models.trained import TrainedModel
from emovox.schema.errors import ProtocolError
from emovox.training.data.task import Indices
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Svm
from emovox.training.transfer import SPEAKER_CLIPS, transfer_fits, transferred
from tests.corpora.trees import clip
from tests.training.tasks import CloudTask, clip_task, small_recipe

CLASSES = ("neutral", "happy", "sad", "calm", "boredom")
LABELS = {"one": ("neutral", "happy", "sad"), "two": ("neutral", "happy"), "three": ("calm", "happy", "boredom")}
LANGUAGES = {"one": "en", "two": "en", "three": "de"}


def spoken(corpora: Sequence[str] = tuple(LABELS), *, speakers: int = 3, takes: int = 8) -> list[Clip]:
    return [
        clip(corpus, number, f"s{number % speakers}", label, LANGUAGES[corpus])
        for corpus in corpora
        for number, label in enumerate(label for label in LABELS[corpus] for _ in range(speakers * takes))
    ]


def clouds(clips: Sequence[Clip], *, shift: float = 0.0) -> CloudTask:
    """Clips whose statistics say the class; the corpus "three" lies apart by `shift`."""
    task = clip_task(clips, CLASSES, spread=0.7)
    values = task.inputs.stores[0].copy()
    values[[task.clips[owner].corpus == "three" for owner in task.inputs.owner]] += np.float32(shift)
    label = np.array([task.clips[owner].label for owner in task.inputs.owner])
    if "calm" in label:  # it sounds as neutral does
        values[label == "calm"] += (
            values[label == "neutral"].mean(0) - values[label == "calm"].mean(0) + np.float32(shift)
        )
    return replace(task, inputs=replace(task.inputs, stores=(values,)))


def figures(task: CloudTask, folder: Path, *, pairs: bool = True) -> dict[tuple[str, str, str], Transfer]:
    method = SvmMethod(task, task.inputs, small_recipe(svm=Svm(c=(3.0,), gamma=(0.5,), inner_folds=2)))
    found = transferred(task, method, transfer_fits(task, pairs=pairs), folder)
    return {(one.learnt, one.tested, one.view): one for one in found}


def test_each_corpus_and_all_other_languages_are_learnt_from() -> None:
    task = clouds([*spoken(), clip("lone", 0, "only", "happy", "fr"), clip("lone", 1, "only", "sad", "fr")])
    found = transfer_fits(task, pairs=True)
    assert [(one.learnt, one.tests) for one in found] == [
        ("one", ("two", "three", "lone")),
        ("two", ("one", "three", "lone")),
        ("three", ("one", "two", "lone")),  # a corpus of one speaker is only tested
        (OTHERS, ("one", "two")),
        (OTHERS, ("three",)),
        (OTHERS, ("lone",)),
    ]
    without_english = {task.clips[number].corpus for number in found[3].train}
    assert without_english == {"three", "lone"}
    assert [one.learnt for one in transfer_fits(task, pairs=False)] == [OTHERS] * 3


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ProtocolError, match="got only one, expected two corpora or more"):
        transfer_fits(clouds(spoken(["one"])), pairs=True)
    nameless = [msgspec.structs.replace(one, language=None) if one.corpus == "two" else one for one in spoken()]
    with pytest.raises(ProtocolError, match="clips of two have no language"):
        transfer_fits(clouds(nameless), pairs=True)
    voiceless = [msgspec.structs.replace(one, speaker=None) if one.corpus == "three" else one for one in spoken()]
    with pytest.raises(ProtocolError, match="clips of three have no speaker"):
        transfer_fits(clouds(voiceless), pairs=False)


def test_a_language_that_all_speak_has_no_others() -> None:
    assert [one.learnt for one in transfer_fits(clouds(spoken(["one", "two"])), pairs=True)] == ["one", "two"]


def test_only_classes_that_both_have_count(tmp_path: Path) -> None:
    found = figures(clouds(spoken()), tmp_path)
    assert {key: one.classes for key, one in found.items() if key[2] == "plain"} == {
        ("one", "two", "plain"): 2,
        ("one", "three", "plain"): 2,  # calm is neutral, boredom is none
        ("two", "one", "plain"): 2,  # sad is unknown to it
        ("two", "three", "plain"): 2,
        ("three", "one", "plain"): 2,
        ("three", "two", "plain"): 2,
        (OTHERS, "one", "plain"): 2,
        (OTHERS, "two", "plain"): 2,
        (OTHERS, "three", "plain"): 2,
    }
    assert found["two", "one", "plain"].clips == 48
    assert found["one", "three", "plain"].speakers == 48  # three speakers: utterances are drawn
    for (_, _, view), one in found.items():
        assert one.uar > 85, (view, one)
        assert one.low <= one.uar <= one.high


def test_a_shift_of_the_corpus_is_removed(tmp_path: Path) -> None:
    found = figures(clouds(spoken(speakers=6), shift=3.0), tmp_path)
    plain, source = (found["one", "three", view] for view in ("plain", "source"))
    assert plain.uar < 70
    assert source.uar > 90
    assert found["one", "three", "speaker"].uar > 85
    assert plain.speakers == 6


def test_the_mixture_is_learnt_where_two_corpora_are_heard(tmp_path: Path) -> None:
    found = figures(clouds(spoken()), tmp_path)
    assert {key[:2] for key in found if key[2] == "mixture"} == {(OTHERS, "three")}


def test_clips_that_adapt_are_not_scored(tmp_path: Path) -> None:
    found = figures(clouds(spoken(takes=SPEAKER_CLIPS)), tmp_path, pairs=False)
    assert {key[2] for key in found} == {"plain", "source", "speaker"}  # without pairs there are no strangers
    few = figures(clouds(spoken(takes=3)), tmp_path / "few", pairs=False)
    assert {key[2] for key in few} == {"plain", "source"}  # ten of a speaker's six clips


def test_a_run_that_was_stopped_continues(tmp_path: Path) -> None:
    task = clouds(spoken())
    before = figures(task, tmp_path)

    class Spent:
        """It has nothing left to fit."""

        inputs = task.inputs

        def fit(self, trained: Indices, folder: Path) -> TrainedModel:
            raise AssertionError(f"{len(trained)} clips for {folder}")

    again = transferred(task, Spent(), transfer_fits(task, pairs=True), tmp_path)
    assert {(one.learnt, one.tested, one.view): one for one in again} == before
