"""Sums over the clips of a voice add up, and the mixture is a mixture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.adaptation.estimator import Adaptation, Gate, VoiceStatistics, adapted_scores
from emovox.adaptation.profile import Profile
from emovox.runtime.model import Model
from emovox.schema.errors import ModelError
from emovox.testing import speech, write_toy

LABELS = ("low", "high")
OPEN = Gate(np.zeros(5), np.ones(5), np.zeros(5), math.inf)
"""A gate for which all clips are diverse."""

# Sums in another order, over the scores of a head that ran on another number of rows.
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_toy(tmp_path_factory.mktemp("toy"), labels=LABELS))


def adaptation(gate: Gate = OPEN) -> Adaptation:
    apart = np.array([[-20.0, 20.0], [-60.0, 60.0]])
    return Adaptation(axes=np.eye(2), apart=apart, within=np.eye(2) * 0.01, variance=0.02, gate=gate)


def clips(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal([-3.0, -5.0], [0.5, 1.0], (n, 2)).astype(np.float32)


def assert_equal(one: VoiceStatistics, two: VoiceStatistics) -> None:
    assert one.clips == two.clips
    assert one.seconds == pytest.approx(two.seconds)
    for name in ("total", "squares", "moments", "scores", "entropy"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=ROUNDING, rtol=1e-5, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 6), min_size=3, max_size=3))
def test_sums_of_parts_are_the_sums_of_the_whole_in_any_order(model: Model, sizes: list[int]) -> None:
    rows, bounds = clips(sum(sizes)), np.cumsum(sizes)[:-1]
    fit = adaptation()
    a, b, c = (fit.measure(model, part, [2.0] * len(part)) for part in np.split(rows, bounds))
    whole = fit.measure(model, rows, [2.0] * len(rows))
    for together in ((a + b) + c, a + (b + c), c + a + b):
        assert_equal(together, whole)


def test_parts_of_a_mixture_weigh_one_together(model: Model) -> None:
    fit = adaptation()
    voice = fit.measure(model, clips(8))
    mixture = fit.mixture(model, voice)
    assert sum(part.weight for part in mixture) == pytest.approx(1)
    assert mixture[0].profile is None
    assert fit.weight(voice) == pytest.approx(0.8)
    scores = adapted_scores(model, clips(30, seed=1), mixture)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_without_clips_the_plain_scores_stay(model: Model) -> None:
    fit, rows = adaptation(), clips(5)
    mixture = fit.mixture(model, fit.measure(model, clips(0)))
    np.testing.assert_array_equal(adapted_scores(model, rows, mixture), model.scores(rows))


def test_one_clip_never_counts_as_diverse(model: Model) -> None:
    fit = adaptation()
    assert fit.weight(fit.measure(model, clips(1))) == 0


def test_equal_clips_are_finite(model: Model) -> None:
    fit = adaptation()
    voice = fit.measure(model, np.repeat(clips(1), 10_000, axis=0))
    assert np.isfinite(fit.diversity(voice)).all()
    assert np.isfinite(adapted_scores(model, clips(3), fit.mixture(model, voice))).all()


def test_a_large_offset_is_removed_and_a_small_one_stays(model: Model) -> None:
    fit, shift = adaptation(), np.array([3.0, 3.0])
    far = fit.measure(model, (clips(400) + shift).astype(np.float32))
    removed = fit.mixture(model, far)[-1].profile
    assert removed is not None
    np.testing.assert_allclose(removed.mean - model.default_profile.mean, shift, atol=0.2)
    near = fit.measure(model, np.repeat(model.default_profile.mean[None] + np.float32(0.01), 5, axis=0))
    careful = fit.mixture(model, near)[-1].profile
    assert careful is not None
    np.testing.assert_array_equal(careful.mean, model.default_profile.mean)


def test_a_base_takes_the_place_of_the_plain_model(model: Model) -> None:
    fit, default = adaptation(), model.default_profile
    base = Profile(default.mean + np.float32(1), default.scale)
    voice = fit.measure(model, clips(20) + np.float32(1), base=base)
    assert_equal(voice, fit.measure(model, clips(20)))
    shifted, plain = fit.mixture(model, voice, base), fit.mixture(model, voice)
    assert shifted[0].profile is base
    rows = clips(9, seed=2)
    np.testing.assert_allclose(
        adapted_scores(model, rows + np.float32(1), shifted), adapted_scores(model, rows, plain), atol=1e-4
    )


def test_speech_under_its_plain_mixture_scores_as_the_model_does(model: Model) -> None:
    found = model.run(speech(150.0, seconds=1)[None])
    fit = adaptation(Gate(np.zeros(5), np.ones(5), np.zeros(5), -math.inf))
    scores = adapted_scores(model, found.statistics, fit.mixture(model, fit.measure(model, found.statistics[:0])))
    np.testing.assert_allclose(scores, found.scores, atol=1e-5)


def test_sums_that_no_clips_have_are_refused(model: Model, tmp_path: Path) -> None:
    fit = adaptation()
    voice = fit.measure(model, clips(4))
    with pytest.raises(ModelError, match="hold NaN, infinity or a count below 0"):
        VoiceStatistics(4, 1.0, voice.total * math.nan, 1.0, voice.moments, voice.scores, 1.0)
    with pytest.raises(ModelError, match="expected \\[p\\], \\[d, d\\] and \\[labels\\]"):
        VoiceStatistics(4, 1.0, voice.moments, 1.0, voice.moments, voice.scores, 1.0)
    other = Model.load(write_toy(tmp_path, labels=("a", "b", "c")))
    three = Adaptation(fit.axes, np.ones((2, 3)), fit.within, 1.0, OPEN).measure(other, clips(4))
    with pytest.raises(ModelError, match="expected one model"):
        voice + three
