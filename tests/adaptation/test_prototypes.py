"""A few labelled clips: sums add up, prototypes lie between the clips and the usual place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emovox.adaptation.estimator import Adaptation
from emovox.adaptation.prototypes import (
    LabelledVoice,
    Prototypes,
    find_prototypes,
    measure_labelled,
)
from emovox.adaptation.voice import AdaptedScorer, VoiceSums
from emovox.evaluation.adaptation.draws import set_uar
from emovox.schema.errors import ModelError
from emovox.training.adaptation import fit_moods
from tests.made_voices import MOODS, MadeScorer, made_clips, made_moods

MOOD_SHIFTS = made_moods()
CLIPS = made_clips(MOOD_SHIFTS)
SCORER = MadeScorer(MOOD_SHIFTS, CLIPS.statistics)


@pytest.fixture(scope="module")
def adaptation() -> Adaptation:
    return fit_moods(CLIPS, SCORER.default_profile, MOODS)


def learn(adaptation: Adaptation, rows: np.ndarray) -> Prototypes:
    voice = measure_labelled(adaptation, SCORER, CLIPS.statistics[rows], list(CLIPS.labels[rows]))
    return find_prototypes(adaptation, voice)


def scored(adaptation: Adaptation, statistics: np.ndarray, voice: LabelledVoice) -> np.ndarray:
    known = VoiceSums(VoiceSums.empty(adaptation).unlabelled, voice)
    return AdaptedScorer(SCORER, adaptation, known).scores(statistics)


def test_sums_of_parts_are_the_sums_of_the_whole(adaptation: Adaptation) -> None:
    rows = np.arange(0, 40, 3)
    parts = [
        measure_labelled(adaptation, SCORER, CLIPS.statistics[one], list(CLIPS.labels[one]))
        for one in np.split(rows, [2, 7])
    ]
    whole = measure_labelled(adaptation, SCORER, CLIPS.statistics[rows], list(CLIPS.labels[rows]))
    for together in ((parts[0] + parts[1]) + parts[2], parts[2] + (parts[1] + parts[0])):
        for name in ("counts", "total", "along"):
            np.testing.assert_allclose(getattr(together, name), getattr(whole, name), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("labels", "least"), [(tuple(range(MOODS)), 15), ((0,), 5)])
def test_one_clip_of_each_label_or_of_one_label_raises_the_recall(
    adaptation: Adaptation, labels: tuple[int, ...], least: float
) -> None:
    changes = []
    strangers = made_clips(MOOD_SHIFTS, offset=1.5, seed=7)
    for speaker in np.unique(strangers.speakers):
        voice = strangers.select(strangers.speakers == speaker)
        known, rows = list(voice.labels), np.array([int(np.argmax(voice.labels == label)) for label in labels])
        sums = measure_labelled(adaptation, SCORER, voice.statistics[rows], labels)
        scores = scored(adaptation, voice.statistics, sums)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
        changes.append(set_uar(scores, known, rows) - set_uar(SCORER.scores(voice.statistics), known, rows))
    assert 100 * np.mean(changes) > least


def test_without_clips_the_plain_scores_stay(adaptation: Adaptation) -> None:
    nothing = measure_labelled(adaptation, SCORER, CLIPS.statistics[:0], [])
    scores = scored(adaptation, CLIPS.statistics[:9], nothing)
    np.testing.assert_array_equal(scores, SCORER.scores(CLIPS.statistics[:9]))


def test_many_clips_of_a_label_carry_its_prototype_to_their_mean(adaptation: Adaptation) -> None:
    rows = np.flatnonzero((CLIPS.speakers == "0/0") & (CLIPS.labels == 1))
    found = learn(adaptation, np.tile(rows, 100))
    profile = SCORER.default_profile
    mean = ((CLIPS.statistics[rows] - profile.mean) / profile.scale).mean(axis=0) @ adaptation.axes.T
    np.testing.assert_allclose(found.places[1], mean, atol=0.02)
    assert found.sharpness == pytest.approx((1 + 1 / MOODS) / 2)


def test_labels_that_do_not_fit_are_refused(adaptation: Adaptation) -> None:
    for labels in ([0], [0, MOODS], [0, -1]):
        with pytest.raises(ModelError, match=f"for 2 clips, expected one below {MOODS} each"):
            measure_labelled(adaptation, SCORER, CLIPS.statistics[:2], labels)
    with pytest.raises(ModelError, match="hold NaN, infinity or a count below 0"):
        LabelledVoice(np.array([math.nan]), np.zeros(2), np.zeros((1, 2)))
    voice = measure_labelled(adaptation, SCORER, CLIPS.statistics[:2], [0, 1])
    with pytest.raises(ModelError, match="expected one model"):
        voice + LabelledVoice(np.ones(1), np.zeros(2), np.zeros((1, 2)))
