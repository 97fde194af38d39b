"""The study of learning in use, on generated clips."""

from __future__ import annotations

import numpy as np
import pytest

from studies.continual import METHODS, Stage, drawn, judge, language_stages, speaker_stages, unheard, wrong_labels
from studies.online import Joint, Unheard
from tests.made_voices import made_clips, made_moods


@pytest.fixture(scope="module")
def data() -> Unheard:
    clips = made_clips(made_moods(), corpora=3, offset=1.0)
    return unheard(clips, ["0"], steps=150)


def stages_of(data: Unheard) -> tuple[list[Stage], np.ndarray]:
    return speaker_stages(data.clips, 3, np.random.default_rng(0), speakers=3)


def test_no_clip_is_both_learnt_and_scored(data: Unheard) -> None:
    stages, others = stages_of(data)
    learnt = np.concatenate([stage.learnt for stage in stages])
    scored = np.concatenate([*(stage.scored for stage in stages), others])
    assert not set(learnt) & set(scored)
    assert len(learnt) + len(scored) == len(data.clips.labels)
    for stage in stages:
        assert len(set(data.clips.speakers[np.concatenate([stage.learnt, stage.scored])])) == 1
        assert np.bincount(data.clips.labels[stage.learnt]).tolist() == [3, 3, 3, 3]
    assert not set(data.clips.speakers[others]) & set(data.clips.speakers[learnt])


def test_speakers_of_a_language_are_learnt_or_scored() -> None:
    clips = made_clips(made_moods(), corpora=3)
    for stage, corpus in zip(language_stages(clips, ["2", "0"], 2, np.random.default_rng(0)), ("2", "0"), strict=True):
        assert not set(clips.speakers[stage.learnt]) & set(clips.speakers[stage.scored])
        assert set(clips.corpora[np.concatenate([stage.learnt, stage.scored])]) == {corpus}


def test_at_most_half_of_a_mood_is_learnt(data: Unheard) -> None:
    places = np.flatnonzero(data.clips.labels == 0)[:5]
    assert len(drawn(data.clips, places, 4, np.random.default_rng(0))) == 2


def test_every_method_is_judged_and_the_learner_learns_without_forgetting(data: Unheard) -> None:
    pytest.importorskip("river")
    stages, others = stages_of(data)
    found = {name: judge(make(data), data, stages, others) for name, make in METHODS.items()}
    assert found["no update"]["lost"] == 0
    for name, row in found.items():
        assert all(np.isfinite(value) for value in row.values()), name
    plain, learner = found["no update"], found["learner"]
    assert learner["current"] > plain["current"] + 5
    assert learner["lost"] > -5
    joint = judge(Joint(data), data, stages, others, final=True)
    assert joint["end"] > plain["end"]
    assert np.isnan(joint["before"])


def test_wrong_labels_are_told_apart(data: Unheard) -> None:
    table = wrong_labels([("0", data, stages_of(data)[0])])
    by_name = {row[0]: row[1:] for row in table.rows}
    assert float(by_name["right labels"][0]) > 5
    assert by_name["each clip twice, once wrong"] == ("+0.0", "0 %", "0.0")
