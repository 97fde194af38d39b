from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import pytest

from emovox.benchmark import machine
from emovox.benchmark.features import PARTS, compare_with_librosa, measure
from emovox.benchmark.machine import THREAD_VARIABLES, describe_machine
from emovox.features.pitch import yin
from emovox.features.speech_like import speech_like
from emovox.schema.errors import ConfigError, MissingExtraError

LARGEST = {"mfcc": 0.03, "delta": 0.005, "delta2": 0.005, "rms": 1e-6, "f0_relative": 2e-3}
"""The tolerances of test_librosa, for audio within ±1."""


def test_the_report_is_complete_and_adds_up() -> None:
    result = measure(0.5, 3)
    assert [timing.part for timing in result.timings] == [*PARTS, "set"]
    for timing in result.timings:
        assert timing.ratio == pytest.approx(timing.librosa_ms / timing.emovox_ms)
    whole = result.timings[-1]
    assert whole.emovox_ms > max(timing.emovox_ms for timing in result.timings[:-1])
    assert result.differences.keys() == LARGEST.keys()
    for name, difference in result.differences.items():
        assert difference <= LARGEST[name], name
    assert result.f0_other_minimum <= 0.02
    product = result.matrix_product
    assert 0 < product.fastest <= product.median <= product.slowest
    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_the_comparison_runs_elsewhere_and_leaves_this_process_as_it_was() -> None:
    before = [os.environ.get(name) for name in THREAD_VARIABLES]
    assert compare_with_librosa(seconds=0.2, repeats=1).repeats == 1
    assert [os.environ.get(name) for name in THREAD_VARIABLES] == before


@pytest.mark.parametrize(("seconds", "repeats"), [(0.01, 5), (1000.0, 5), (3.0, 0)])
def test_arguments_out_of_range_are_an_error(seconds: float, repeats: int) -> None:
    with pytest.raises(ConfigError, match=r"expected 0\.1 to 600 seconds and 1 or more repeats"):
        compare_with_librosa(seconds=seconds, repeats=repeats)


def test_without_librosa_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _module: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emovox\[dev\]'"):
        compare_with_librosa()


def test_the_machine_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("processor : 0\nmodel name\t: Fast Chip 9000 @ 3 GHz\n")
    monkeypatch.setattr(machine, "CPU_INFO", cpu_info)
    found = describe_machine(["numpy"])
    assert found.cpu == "Fast Chip 9000 @ 3 GHz"
    assert found.versions["numpy"] == version("numpy") == np.__version__
    assert found.cores >= 1


def test_the_generated_audio_has_voice_hiss_and_silence() -> None:
    samples = speech_like(3.0)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1
    f0, voiced = yin(samples)
    assert 0.3 < voiced.mean() < 0.8
    assert 110 < f0[voiced].min() < 140
    assert 220 < f0[voiced].max() < 250
    np.testing.assert_array_equal(samples, speech_like(3.0))
    assert not np.array_equal(samples, speech_like(3.0, seed=1))
