"""Sets of labels on the card: calibrated on all speakers, measured on those that did not calibrate."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.trust.conformal import conformal_sets, largest_misfit
from emovox.evaluation.trust.label_sets import COVERAGES, measure_sets

LABELS = ("neutral", "sad", "angry")


def drawn(speakers: int, *, corpus: str = "tones", seed: int = 0, unknown: bool = False) -> Predictions:
    """Calibrated predictions: each true label is drawn by the scores of its clip."""
    rng, clips = np.random.default_rng(seed), 30
    n = speakers * clips
    scores = rng.dirichlet(np.full(len(LABELS), 0.5), n)
    index = np.array([rng.choice(len(LABELS), p=row) for row in scores])
    names = np.repeat([f"s{number}" for number in range(speakers)], clips)
    return Predictions(
        corpus=np.full(n, corpus),
        utterance=np.arange(n).astype(str),
        speaker=np.where(unknown, "", names),
        fold=np.zeros(n, int),
        label=np.array(LABELS)[index],
        predicted=np.array(LABELS)[scores.argmax(axis=1)],
        scores=scores,
        classes=LABELS,
    )


def test_the_promise_holds_for_new_speakers() -> None:
    for one in measure_sets([drawn(40), drawn(10, corpus="bells", seed=1)]):
        assert one.speakers == 50
        assert one.mean == pytest.approx(one.coverage, abs=3.0)
        assert one.worst <= one.mean
        other = drawn(200, seed=2)
        inside = other.scores[np.arange(len(other)), other.label_index] >= one.least
        assert 100 * inside.mean() == pytest.approx(one.coverage, abs=3.0)


def test_a_larger_promise_has_a_lower_bound_and_larger_sets() -> None:
    found = measure_sets([drawn(40)])
    assert [one.coverage for one in found] == list(COVERAGES)
    assert sorted((one.least for one in found), reverse=True) == [one.least for one in found]
    assert sorted(one.size for one in found) == [one.size for one in found]


def test_too_few_or_unknown_speakers_promise_nothing() -> None:
    assert measure_sets([]) == ()
    assert measure_sets([drawn(19)]) == ()
    assert measure_sets([drawn(40, unknown=True)]) == ()
    assert len(measure_sets([drawn(20), drawn(5, unknown=True)])) == len(COVERAGES)


def test_the_bound_is_that_of_a_speaker_who_is_not_among_them() -> None:
    """Calibrated on all but one, the bound is the one in the sets of that one."""
    made = drawn(30)
    last = made.speaker == "s29"
    rest = made.select(~last)
    misfit = largest_misfit(rest.scores, rest.label_index, rest.speaker, coverage=0.9)
    everybody = np.ones(len(made), np.int64)
    sets = conformal_sets(made.scores, made.label_index, made.speaker, everybody, coverage=0.9)
    mine = 1 - made.scores[last] <= misfit
    mine[np.arange(last.sum()), made.scores[last].argmax(axis=1)] = True
    assert sets.size[last].tolist() == mine.sum(axis=1).tolist()
