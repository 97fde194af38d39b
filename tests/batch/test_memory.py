"""A recording of hours needs no more memory than one of minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.testing import RATE, speech, write_toy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")

GROWTH_MB = 12
"""Room for the allocator and the segments: ten minutes of mono at 16 kHz are 38 MB as float32."""

GROWTH_MB_HOURS = 40
"""Two hours have 2400 segments of seven scores, with their answer; as float32 they are 460 MB."""

PROGRAM = """
import hashlib, sys
from pathlib import Path
from emovox.batch.job import RecordingAnalyzer, Item, Job, Settings
model, folder, name = sys.argv[1:]
digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
settings = Settings(emovox="", model="", version="", sha256=digest, licence="", licence_risk="", channels="mix",
                    threshold=0.0, vad=True)
result = RecordingAnalyzer(Job(folder, model, settings))(Item(0, name.encode(), 0)).result
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak, len(result.segments), round(result.duration))
"""


def peak_mb(folder: Path, minutes: int) -> tuple[float, int]:
    """Peak resident memory of a worker for one recording, and its segments."""
    minute = np.concatenate([speech(150.0, seconds=50.0), np.zeros(10 * RATE, np.float32)])
    with soundfile.SoundFile(folder / f"{minutes}.wav", "w", RATE, 1, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    arguments = [str(write_toy(folder).with_suffix(".onnx")), str(folder), f"{minutes}.wav"]
    peak, segments, seconds = subprocess.check_output([sys.executable, "-c", PROGRAM, *arguments], text=True).split()
    assert int(seconds) == 60 * minutes
    return int(peak) / 1024, int(segments)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    (short, few), (long, many) = peak_mb(tmp_path, 1), peak_mb(tmp_path, 11)
    assert many == 11 * few
    assert long - short < GROWTH_MB


@pytest.mark.slow
def test_two_hours(tmp_path: Path) -> None:
    (short, few), (long, many) = peak_mb(tmp_path, 1), peak_mb(tmp_path, 120)
    assert many == 120 * few
    assert long - short < GROWTH_MB_HOURS
