"""Ten minutes need no more memory than two: blocks, tiles and results of a recording come and go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.testing import RATE, speech, write_toy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")

GROWTH_MB = 10
"""Room for the allocator and the segments; measured: 1. Eight minutes of mono at 16 kHz are 31 MB as float32."""

PROGRAM = """
import sys
from emovox.runtime.predictor import load
model, recording, channels = sys.argv[1:]
result = load(model).predict(recording, channels=channels)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak, len(result.segments), round(result.duration))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    write_toy(folder)
    minute = np.concatenate([speech(f0, seconds=3.6) * gain for f0, gain in ((120, 1), (0, 0), (240, 0.5)) * 5])
    stereo = np.stack([minute, np.roll(minute, 5 * RATE)], axis=1)[: 54 * RATE]
    for minutes in (2, 10):
        with soundfile.SoundFile(folder / f"{minutes}.wav", "w", RATE, 2, "PCM_16") as file:
            for _ in range(minutes):
                file.write(np.pad(stereo, ((0, 6 * RATE), (0, 0))))
    return folder


def measure(folder: Path, minutes: int, channels: str) -> tuple[float, int, int]:
    """Peak resident memory of a fresh process in MB, segments found, seconds read."""
    arguments = [str(folder / "toy.onnx"), str(folder / f"{minutes}.wav"), channels]
    output = subprocess.check_output([sys.executable, "-c", PROGRAM, *arguments], text=True)
    peak, segments, seconds = output.split()
    return int(peak) / 1024, int(segments), int(seconds)


@pytest.mark.parametrize("channels", ["mix", "split"])
def test_memory_does_not_grow_with_the_length(folder: Path, channels: str) -> None:
    short, n_short, seconds_short = measure(folder, 2, channels)
    long, n_long, seconds_long = measure(folder, 10, channels)
    assert (seconds_short, seconds_long) == (120, 600)
    # both have scored all their speech, the longer five times as much
    assert n_short >= 24
    assert n_long >= 4.5 * n_short
    assert long - short < GROWTH_MB
