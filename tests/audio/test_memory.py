"""Long recordings need no more memory than short ones."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")

GROWTH_MB = 16
"""Room for the allocator; half a minute of 44.1 kHz stereo would fill it."""

LIMIT_MB = 300
"""The promise for three hours."""

RATE = 44100

READ = "from emovox.audio.reader import open_audio\nwith open_audio(path) as r: n = sum(b.shape[1] for b in r.blocks())"
PREPROCESS = (
    "from emovox.audio.preprocess import preprocess_blocks\nn = sum(b.shape[1] for b in preprocess_blocks(path))"
)


def sparse_wav(path: Path, seconds: int) -> Path:
    """Stereo digital silence that takes no space on the disk."""
    size = seconds * RATE * 4
    header = (
        b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, RATE, RATE * 4, 4, 16)
    )
    with path.open("wb") as file:
        file.write(header + b"data" + struct.pack("<I", size))
        file.truncate(44 + size)
    return path


def peak_mb(program: str, path: Path) -> tuple[float, int]:
    """Peak resident memory of a fresh process, and the number of samples that it read.

    VmHWM, since `ru_maxrss` of a child begins with the memory of the process that started it.
    """
    report = "\nprint(n, next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    output = subprocess.check_output([sys.executable, "-c", f"path = {str(path)!r}\n{program}{report}"], text=True)
    n, peak = output.split()
    return int(peak) / 1024, int(n)


@pytest.mark.parametrize(("program", "rate"), [(READ, 16000), (PREPROCESS, 22050)], ids=["read", "preprocess"])
def test_memory_does_not_grow_with_length(program: str, rate: int, tmp_path: Path) -> None:
    short, n_short = peak_mb(program, sparse_wav(tmp_path / "short.wav", 30))
    long, n_long = peak_mb(program, sparse_wav(tmp_path / "long.wav", 600))
    assert (n_short, n_long) == (30 * rate, 600 * rate)
    assert long - short < GROWTH_MB


@pytest.mark.slow
def test_three_hours_stay_below_the_limit(tmp_path: Path) -> None:
    peak, n = peak_mb(READ, sparse_wav(tmp_path / "long.wav", 3 * 3600))
    assert n == 3 * 3600 * 16000
    assert peak < LIMIT_MB
