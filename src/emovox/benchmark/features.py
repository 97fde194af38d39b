"""Comparison of the features with librosa: time on one core, measured side by side, and the largest differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.benchmark.machine import Machine, describe_machine, on_one_core
from emovox.benchmark.turns import MATRIX, TimeSpread, in_turn
from emovox.features.config import FeatureConfig
from emovox.features.delta import delta
from emovox.features.energy import rms
from emovox.features.frames import pitch
from emovox.features.mfcc import DEFAULT, mfcc
from emovox.features.speech_like import speech_like
from emovox.schema.errors import ConfigError
from emovox.schema.extras import require

PARTS = ("mfcc+delta+delta2", "rms", "f0")
"""The parts that are timed one by one."""

WHOLE_SET = "set"
"""Name of all parts together."""

SAME_PERIOD = 1e-2
"""Relative difference of F0 values that come from the same minimum, at most. Beyond, it is an octave or a tie."""

Features = dict[str, npt.NDArray[np.float32]]
Side = dict[str, Callable[[], Features]]


class FeatureTiming(msgspec.Struct, frozen=True):
    """Median time of one part on both sides, in milliseconds; `ratio` is librosa's time over that of emovox."""

    part: str
    librosa_ms: float
    emovox_ms: float
    ratio: float


class FeatureComparison(msgspec.Struct, frozen=True):
    """The result of `emovox benchmark features`.

    Attributes:
        seconds: length of the generated audio.
        repeats: measured rounds. Each round runs every part of both sides once, one after the other.
        parameters: parameters of both sides.
        timings: times of the parts and, last, of the whole set.
        differences: feature → largest absolute difference; `f0_relative` is relative, over frames of the same minimum.
        f0_other_minimum: share of frames in which the two sides choose different minima, 0 to 1.
        matrix_product: time of a 512 × 512 float32 product in the same rounds.
        machine: the machine of the measurement.
    """

    seconds: float
    repeats: int
    parameters: FeatureConfig
    timings: tuple[FeatureTiming, ...]
    differences: dict[str, float]
    f0_other_minimum: float
    matrix_product: TimeSpread
    machine: Machine


def compare_with_librosa(*, seconds: float = 3.0, repeats: int = 31) -> FeatureComparison:
    """Compare {MFCC + Δ + ΔΔ, RMS, F0} with librosa on one core, in a separate process, by processor time.

    Args:
        seconds: length of the generated audio, 0.1 to 600. librosa's delta needs 9 frames.
        repeats: measured rounds, >= 1.

    Raises:
        ConfigError: `seconds` or `repeats` out of range.
        MissingExtraError: librosa is not installed.
    """
    if not 0.1 <= seconds <= 600 or repeats < 1:
        raise ConfigError(f"got {seconds} s, {repeats} repeats; expected 0.1 to 600 seconds and 1 or more repeats")
    require("librosa", need="emovox benchmark features", extra="dev")
    return on_one_core(measure, seconds, repeats)


def measure(seconds: float, repeats: int, config: FeatureConfig = DEFAULT) -> FeatureComparison:
    """Compare as `compare_with_librosa` does, but in this process and with its number of threads."""
    samples = speech_like(seconds, sample_rate=config.sample_rate)
    sides = {"librosa": _librosa_side(samples, config), "emovox": _our_side(samples, config)}
    works: dict[str, Callable[[], object]] = {
        f"{name} {part}": side[part] for part in PARTS for name, side in sides.items()
    }
    times = in_turn(works | {f"{name} {WHOLE_SET}": _whole(side) for name, side in sides.items()}, repeats=repeats)
    differences, other = _differences(_join(sides["librosa"]), _join(sides["emovox"]))
    return FeatureComparison(
        seconds=seconds,
        repeats=repeats,
        parameters=config,
        timings=tuple(
            _timing(part, times[f"librosa {part}"].median, times[f"emovox {part}"].median)
            for part in (*PARTS, WHOLE_SET)
        ),
        differences=differences,
        f0_other_minimum=other,
        matrix_product=times[MATRIX],
        machine=describe_machine(["numpy", "scipy", "numba", "librosa"]),
    )


def _our_side(samples: Samples, config: FeatureConfig) -> Side:
    def cepstrum() -> Features:
        """Compute MFCC and both derivatives."""
        values = mfcc(samples, config)
        width = config.delta_width
        return {"mfcc": values, "delta": delta(values, width=width), "delta2": delta(values, width=width, order=2)}

    return {
        "mfcc+delta+delta2": cepstrum,
        "rms": lambda: {"rms": rms(samples, length=config.n_fft, hop=config.hop)},
        "f0": lambda: {"f0": pitch(samples, config)[0]},
    }


def _librosa_side(samples: Samples, config: FeatureConfig) -> Side:
    import librosa

    rate, hop = config.sample_rate, config.hop
    mel: dict[str, Any] = {"n_mels": config.n_mels, "fmin": config.mel_fmin, "fmax": config.mel_fmax}
    f0: dict[str, Any] = {"fmin": config.f0_fmin, "fmax": config.f0_fmax, "trough_threshold": config.f0_threshold}

    def cepstrum() -> Features:
        """Compute MFCC and both derivatives."""
        values = librosa.feature.mfcc(
            y=samples, sr=rate, n_mfcc=config.n_mfcc, n_fft=config.n_fft, hop_length=hop, **mel
        )
        first = librosa.feature.delta(values, width=config.delta_width)
        second = librosa.feature.delta(values, width=config.delta_width, order=2)
        return {"mfcc": values.T, "delta": first.T, "delta2": second.T}

    return {
        "mfcc+delta+delta2": cepstrum,
        "rms": lambda: {"rms": librosa.feature.rms(y=samples, frame_length=config.n_fft, hop_length=hop)[0]},
        "f0": lambda: {"f0": librosa.yin(samples, sr=rate, frame_length=config.f0_length, hop_length=hop, **f0)},
    }


def _join(side: Side) -> Features:
    return {name: values for part in PARTS for name, values in side[part]().items()}


def _differences(theirs: Features, ours: Features) -> tuple[dict[str, float], float]:
    largest = {name: float(np.abs(theirs[name] - ours[name]).max()) for name in ours if name != "f0"}
    relative = np.abs(ours["f0"] / theirs["f0"] - 1)
    same = relative <= SAME_PERIOD
    largest["f0_relative"] = float(relative[same].max(initial=0.0))
    return largest, float(1 - same.mean())


def _whole(side: Side) -> Callable[[], object]:
    return lambda: [side[part]() for part in PARTS]


def _timing(part: str, theirs: float, ours: float) -> FeatureTiming:
    return FeatureTiming(part, theirs, ours, theirs / ours)
