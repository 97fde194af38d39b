"""The vector of functionals: names, units, what voicing and level do to it, and inputs that break careless code."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.features.frames import frame_features
from emovox.features.functionals import (
    FRAMES,
    LEVEL_FLOOR,
    STATIC_NAMES,
    UNVOICED_PITCH,
    extract_tracks,
    functional_names,
    functionals,
)
from emovox.features.pitch import yin
from emovox.features.speech_like import speech_like
from emovox.features.statistics import PERCENTS, SHAPE_NAMES
from emovox.schema.errors import ChannelError, EmptyAudioError, NonFiniteError

RATE = 16000
NAMES = functional_names()


def named(samples: Samples) -> dict[str, float]:
    return dict(zip(NAMES, functionals(samples).tolist(), strict=True))


def harmonics(f0: Samples | float, *, seconds: float = 1.0, level: float = 0.2) -> Samples:
    hz = np.broadcast_to(np.asarray(f0, np.float64), (round(seconds * RATE),))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return np.asarray(level * sum(np.sin(k * phase) / k for k in range(1, 11)), np.float32)


def test_names_are_unique_and_say_track_and_statistic() -> None:
    assert len(NAMES) == len(set(NAMES)) == 609
    assert NAMES[:8] == tuple(f"mfcc_0_{name}" for name in (*SHAPE_NAMES, "slope"))


def test_values_stand_under_their_names() -> None:
    samples = speech_like(1.5)
    found, tracks = named(samples), extract_tracks(samples)
    for column, track in enumerate(STATIC_NAMES):
        values = tracks.static[:, column].astype(np.float64)
        expected = [values.mean(), values.std(), *np.percentile(values, PERCENTS)]
        assert [found[f"{track}_{name}"] for name in SHAPE_NAMES] == pytest.approx(expected, abs=2e-3)
    assert found["mfcc_2_delta2_std"] == pytest.approx(tracks.moving[:, 22].std(), abs=1e-4)
    assert found["rolloff_delta_mean"] == pytest.approx(tracks.moving[:, -1].mean(), abs=1e-4)
    flux = np.sqrt(np.square(np.diff(tracks.bands, axis=0)).mean(axis=1))
    assert found["flux_p95"] == pytest.approx(np.percentile(flux, 95), abs=1e-3)


def test_tracks_are_the_frame_features() -> None:
    samples = speech_like(1.0)
    tracks, frames = extract_tracks(samples), frame_features(samples, FRAMES)
    np.testing.assert_array_equal(tracks.static[:, :20], frames.mfcc)
    np.testing.assert_array_equal(tracks.moving[:, :40], np.hstack([frames.delta, frames.delta2]))
    np.testing.assert_array_equal(tracks.bands, frames.log_mel)
    assert len(tracks.static) == len(tracks.moving) == 101
    assert len(tracks.pitch) == len(tracks.voiced) == 51


def test_pitch_is_in_semitones_above_55_hz() -> None:
    # 220 Hz is two octaves above the reference
    found = named(harmonics(220.0))
    assert found["pitch_p50"] == pytest.approx(24, abs=0.05)
    assert found["pitch_std"] < 0.2
    assert found["voiced_share"] == pytest.approx(1, abs=0.05)


def test_pitch_slope_is_the_rise_in_semitones() -> None:
    glide = harmonics(np.asarray(110 * 2 ** np.linspace(0, 1, RATE), np.float32))
    assert named(glide)["pitch_slope"] == pytest.approx(12, abs=0.3)
    assert named(glide)["pitch_delta_p50"] == pytest.approx(12 / 50, abs=0.02)  # a second has 50 steps of 20 ms


def test_pitch_statistics_look_at_voiced_frames_only() -> None:
    samples = speech_like(3.0)
    tracks = extract_tracks(samples)
    assert 0.2 < tracks.voiced.mean() < 0.9
    found, voiced = named(samples), tracks.pitch[tracks.voiced].astype(np.float64)
    assert found["pitch_mean"] == pytest.approx(voiced.mean(), abs=1e-3)
    assert found["pitch_p5"] == pytest.approx(np.percentile(voiced, 5), abs=1e-3)
    both = tracks.voiced[1:] & tracks.voiced[:-1]
    assert found["pitch_delta_std"] == pytest.approx(np.diff(tracks.pitch)[both].std(), abs=1e-3)
    assert found["pitch_mean"] != pytest.approx(tracks.pitch.mean(), abs=0.1)


@pytest.mark.parametrize(("voiced_frames", "neutral"), [(2, True), (3, False)])
def test_too_few_voiced_frames_say_nothing_about_pitch(
    monkeypatch: pytest.MonkeyPatch, voiced_frames: int, neutral: bool
) -> None:
    samples = speech_like(1.0)

    def few(*args: object, **kwargs: object) -> object:
        f0, _ = yin(*args, **kwargs)  # type: ignore[arg-type]
        return f0, np.arange(len(f0)) < voiced_frames

    monkeypatch.setattr("emovox.features.functionals.yin", few)
    found = named(samples)
    assert (found["pitch_mean"] == found["pitch_p95"] == UNVOICED_PITCH and found["pitch_slope"] == 0) == neutral


def test_noise_has_the_pitch_of_silence() -> None:
    found = named(np.random.default_rng(2).normal(0, 0.1, RATE).astype(np.float32))
    assert found["voiced_share"] < 0.05
    assert [found[f"pitch_{name}"] for name in ("mean", "std", "p5", "p95", "slope")] == [24, 0, 24, 24, 0]


def test_level_is_in_db_of_full_scale() -> None:
    square = np.where(np.arange(RATE) % 80 < 40, 0.1, -0.1).astype(np.float32)
    assert named(square)["level_p50"] == pytest.approx(-20, abs=0.01)


def test_only_level_and_the_first_coefficient_follow_the_gain() -> None:
    rng = np.random.default_rng(5)
    samples = np.asarray(0.3 * speech_like(2.0) + rng.normal(0, 3e-3, 2 * RATE), np.float32)
    loud, soft = named(samples), named(samples / np.float32(4))
    gain = 20 * np.log10(4)
    locations = ("mean", "p5", "p25", "p50", "p75", "p95")
    moved = {f"level_{name}": gain for name in locations}
    # an orthonormal DCT-II of 64 equal shifts puts √64 of one into coefficient 0
    moved |= {f"mfcc_0_{name}": gain * 8 for name in locations}
    for name in NAMES:
        assert loud[name] - soft[name] == pytest.approx(moved.get(name, 0), abs=0.02), name


def test_silence_is_finite_and_says_nothing() -> None:
    found = named(np.zeros(RATE, np.float32))
    level = 20 * np.log10(LEVEL_FLOOR)
    expected = {f"level_{name}": level for name in ("mean", "p5", "p25", "p50", "p75", "p95")}
    expected |= {f"mfcc_0_{name}": -800.0 for name in ("mean", "p5", "p25", "p50", "p75", "p95")}
    expected |= {f"pitch_{name}": UNVOICED_PITCH for name in ("mean", "p5", "p25", "p50", "p75", "p95")}
    for name, value in found.items():
        wanted = np.log(1e-3) if name.startswith("modulation") else expected.get(name, 0.0)
        assert value == pytest.approx(wanted, abs=1e-3), name


@pytest.mark.parametrize("n", [1, 2, 160, 511, 1279, 4799])
def test_very_short_sound_gives_finite_numbers(n: int) -> None:
    values = functionals(speech_like(1.0)[3000 : 3000 + n])
    assert values.shape == (609,)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_the_same_samples_give_the_same_values_and_stay_unchanged() -> None:
    samples = speech_like(0.7)
    samples.flags.writeable = False
    np.testing.assert_array_equal(functionals(samples), functionals(samples.copy()))


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (np.zeros(0, np.float32), EmptyAudioError, "got 0 samples, expected at least 1"),
        (np.full(999, np.nan, np.float32), NonFiniteError, "sample 0 is nan, expected finite numbers"),
        (np.zeros((2, 999), np.float32), ChannelError, r"\(2, 999\)"),
    ],
)
def test_unusable_samples_are_refused(samples: Samples, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        functionals(samples)
