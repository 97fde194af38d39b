"""Held-out training speakers: apart from those that are fitted on, and every corpus counts alike."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.corpora.folds import speaker_key
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import HeldOut, clip_means, held_out_temperature, held_out_uar, inner_splits
from tests.corpora.trees import clip
from tests.training.tasks import clip_task, cloud_task


def learnt(task: Task, speaker: str = "dee") -> Indices:
    return np.flatnonzero([clip.speaker != speaker for clip in task.clips])


def test_inner_splits_share_no_speaker() -> None:
    task = cloud_task(corpora=("one", "two"), takes=2)
    train = learnt(task)
    seen = []
    for fitted, validation in inner_splits(task, train, n_splits=3, by_clip=False, seed=0):
        sides = [{speaker_key(task.clips[i]) for i in side} for side in (fitted, validation)]
        assert not sides[0] & sides[1]
        assert {task.clips[i].corpus for i in validation} == {"one", "two"}
        seen += validation.tolist()
    assert sorted(seen) == train.tolist()


def test_two_speakers_in_three_inner_folds_are_still_kept_apart() -> None:
    task = cloud_task(speakers=("ada", "bob", "dee"))
    train = learnt(task)
    splits = list(inner_splits(task, train, n_splits=3, by_clip=False, seed=0))
    assert len(splits) == 2
    for fitted, validation in splits:
        assert not {task.clips[i].speaker for i in fitted} & {task.clips[i].speaker for i in validation}


@pytest.mark.parametrize(("protocol", "speakers"), [("sd", ("ada", "bob", "cy")), ("si", ("ada", "dee"))])
def test_splits_by_clip_hold_every_label(protocol: str, speakers: tuple[str, ...]) -> None:
    # ids count through the labels: clip 0 bored, 1 cross, 2 keen, 3 bored …
    clips = [clip("own", n, speaker, ("bored", "cross", "keen")[n % 3]) for n in range(12) for speaker in speakers]
    task = clip_task(clips, ("bored", "cross", "keen"))
    train = learnt(task)
    splits = list(inner_splits(task, train, n_splits=3, by_clip=protocol == "sd", seed=0))
    assert len(splits) == 3
    for fitted, validation in splits:
        assert set(task.labels[fitted]) == set(task.labels[validation]) == {0, 1, 2}
        assert not set(fitted) & set(validation)


def test_the_seed_turns_the_splits() -> None:
    task = cloud_task()
    train = learnt(task)
    first = [validation.tolist() for _, validation in inner_splits(task, train, n_splits=3, by_clip=False, seed=0)]
    second = [validation.tolist() for _, validation in inner_splits(task, train, n_splits=3, by_clip=False, seed=1)]
    assert first != second
    assert sorted(first) == sorted(second)


def test_clip_means_weigh_tiles_by_seconds() -> None:
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    means = clip_means(values, np.array([0, 0, 2]), np.array([3.0, 1.0, 2.0]), 3)
    np.testing.assert_allclose(means[[0, 2]], [[0.75, 0.25], [0.5, 0.5]])
    assert np.isnan(means[1]).all()


def sure_logits(task: Task, right: np.ndarray) -> np.ndarray:
    """Logits that name the right class of the clips marked, and the next one of the others."""
    shift = np.where(right, 0, 1)
    return 4.0 * np.eye(len(task.classes))[(task.labels + shift) % len(task.classes)]


def test_held_out_uar_counts_corpora_alike_and_missing_speech_as_wrong() -> None:
    task = cloud_task(corpora=("one", "two"), takes=1)
    own = np.array([clip.corpus == "one" for clip in task.clips])
    clips = np.arange(len(task.clips))
    held = HeldOut(clips, clips, np.ones(len(clips)))
    assert held_out_uar(task, held, sure_logits(task, own)) == pytest.approx(50.0)
    spoken = np.flatnonzero(own)
    assert held_out_uar(task, HeldOut(clips, spoken, np.ones(len(spoken))), sure_logits(task, own)[spoken]) == 50.0


def test_the_temperature_of_unsure_logits_is_higher() -> None:
    task = cloud_task(takes=8)
    clips = np.arange(len(task.clips))
    held = HeldOut(clips, clips, np.ones(len(clips)))
    rng = np.random.default_rng(0)
    fitted = [
        held_out_temperature(task, held, sure_logits(task, rng.random(len(clips)) < share)) for share in (0.6, 0.9)
    ]
    assert fitted[0] > 2 * fitted[1]
