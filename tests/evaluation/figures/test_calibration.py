from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.evaluation.figures import calibration
from emovox.evaluation.figures.predictions import Predictions

EXACT = 1e-12
FIT = 0.05  # relative error of a temperature fitted on 20,000 sampled labels


def _sampled(temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2.0, size=(n, 4))
    shares = np.exp(logits / temperature)
    shares /= shares.sum(axis=1, keepdims=True)
    return logits, (shares.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    logits, labels = _sampled(temperature)
    assert calibration.fit_temperature(logits, labels) == pytest.approx(temperature, rel=FIT)


def test_two_clips_by_hand() -> None:
    """Logit gap 1, right in 3 of 4: sigmoid(1 / T) = 3/4, so T = 1 / ln 3."""
    logits = np.array([[1.0, 0.0]] * 4)
    assert calibration.fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(1 / np.log(3), rel=1e-4)


def test_masked_classes_do_not_move_the_temperature() -> None:
    logits, labels = _sampled(2.0, n=500)
    masked = np.concatenate([logits, np.full((500, 2), -np.inf)], axis=1)
    alone = calibration.fit_temperature(logits, labels)
    assert calibration.fit_temperature(masked, labels) == pytest.approx(alone, rel=1e-4)


def test_hopeless_and_perfect_logits_stay_in_range() -> None:
    logits = np.array([[5.0, 0.0]] * 10)
    low, high = calibration.TEMPERATURES
    assert low <= calibration.fit_temperature(logits, np.zeros(10, dtype=np.int64)) < 1
    assert 1 < calibration.fit_temperature(logits, np.ones(10, dtype=np.int64)) <= high


def test_smoothed_targets_end_the_runaway_on_few_clips() -> None:
    """Sixty clips that are all right, with any scale of the logits: the mean confidence is that of the targets."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    smoothing = calibration.smoothing_for(60, 3)
    for scale in (2.0, 10.0):
        logits = scale * np.eye(3)[labels]
        assert calibration.fit_temperature(logits, labels) == pytest.approx(calibration.TEMPERATURES[0], rel=1e-3)
        temperature = calibration.fit_temperature(logits, labels, smoothing=smoothing)
        share = 1 / (1 + 2 * np.exp(-scale / temperature))
        assert share == pytest.approx(1 - smoothing, abs=1e-3)
        assert share < 0.96


@pytest.mark.parametrize(
    ("logits", "labels"), [(np.zeros((0, 2)), []), (np.array([[-np.inf, 0.0]]), [0]), (np.array([[np.nan, 0.0]]), [0])]
)
def test_logits_that_cannot_be_fitted_are_refused(logits: np.ndarray, labels: list[int]) -> None:
    with pytest.raises(ValueError, match="expected finite ones"):
        calibration.fit_temperature(logits, np.array(labels, dtype=np.int64))


def test_reliability_by_hand() -> None:
    scores = np.array([[0.55, 0.45], [0.6, 0.4], [0.05, 0.95], [np.nan, np.nan]])
    found = calibration.reliability(scores, np.array([0, 1, 1, 0]), bins=5)
    assert found.count.tolist() == [0, 0, 2, 0, 1]
    np.testing.assert_allclose(found.confidence[[2, 4]], [0.575, 0.95], atol=EXACT)
    np.testing.assert_allclose(found.accuracy[[2, 4]], [0.5, 1.0], atol=EXACT)
    assert found.error == pytest.approx((2 * 0.075 + 0.05) / 3, abs=EXACT)


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_a_confidence_on_an_edge_falls_into_the_lower_bin(bins: int) -> None:
    edges = np.arange(1, bins + 1) / bins
    assert calibration.bin_of(edges, bins=bins).tolist() == list(range(bins))


def test_the_threshold_keeps_nine_of_ten() -> None:
    scores = np.array([[p, 1 - p] for p in np.linspace(0.55, 1.0, 10)])
    threshold = calibration.abstention_threshold(scores)
    assert threshold == pytest.approx(0.6, abs=EXACT)
    assert calibration.abstention_threshold(scores, keep=1.0) == pytest.approx(0.55, abs=EXACT)


@given(st.lists(st.floats(0.5, 1.0), min_size=1, max_size=50), st.floats(0.05, 1.0))
def test_the_threshold_keeps_enough_and_a_larger_one_would_not(confidence: list[float], keep: float) -> None:
    scores = np.array([[p, 1 - p] for p in confidence])
    threshold = calibration.abstention_threshold(scores, keep=keep)
    enough = keep * len(confidence) - 1e-9
    assert sum(p >= threshold for p in confidence) >= enough
    assert sum(p > threshold for p in confidence) < enough


def test_clips_without_speech_cannot_be_labelled() -> None:
    scores = np.array([[0.9, 0.1]] * 8 + [[np.nan, np.nan]] * 2)
    assert calibration.abstention_threshold(scores, keep=0.9) == 0
    assert calibration.abstention_threshold(scores, keep=0.8) == pytest.approx(0.9)


def test_keep_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1 clips and keep = 0"):
        calibration.abstention_threshold(np.array([[0.5, 0.5]]), keep=0)


def test_accuracy_of_those_that_are_kept(hand_made: Predictions) -> None:
    found = calibration.kept(hand_made, 0.65)
    assert (found.share, found.accuracy) == (3 / 8, 1.0)
    assert calibration.kept(hand_made, 0.0).share == 7 / 8, "no speech is never labelled"
    assert np.isnan(calibration.kept(hand_made, 0.99).accuracy)


def test_joint_error_lets_opposite_errors_cancel_and_sets_weigh_alike() -> None:
    sure = np.tile([0.9, 0.1], (10, 1))
    right, wrong = np.zeros(10, int), np.array([0] * 8 + [1] * 2)
    under, over = calibration.reliability(sure, right), calibration.reliability(sure, wrong)
    assert calibration.joint_error([under, over]) == pytest.approx(0.0, abs=1e-12)
    assert under.error == pytest.approx(0.1)
    # ten times as many clips of one kind change nothing
    many = calibration.reliability(np.tile(sure, (10, 1)), np.tile(right, 10))
    assert calibration.joint_error([many, over]) == pytest.approx(0.0, abs=1e-12)
    assert calibration.joint_error([under]) == pytest.approx(under.error)
    assert np.isnan(calibration.joint_error([]))
