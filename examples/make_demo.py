"""Make `demo.flac`: 14 s of synthetic speech whose pitch, speed and loudness change from sentence to sentence.

eSpeak NG speaks the sentences (`apt-get install espeak-ng`; the recording here comes from version 1.51), so the file
contains no person's voice and no corpus. Pitch, speed and loudness are set so that several labels occur. The labels
mean nothing, because a synthesiser feels nothing and acts nothing. The file only shows what the output looks like.

    python examples/make_demo.py examples/demo.flac
"""

from __future__ import annotations

import io
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16000
PAUSE = 0.9
"""Seconds between sentences: long enough for voice activity detection to close a region."""

FLOOR = 10 ** (-80 / 20)
"""Standard deviation of the background noise: a room is never digitally silent."""


class Sentence(NamedTuple):
    """A sentence, with eSpeak's pitch (0 to 99), its speed in words per minute, and its peak level in dBFS."""

    text: str
    voice: str
    pitch: int
    speed: int
    peak_db: float


SENTENCES = (
    Sentence("I waited for a long time, and nobody came.", "en-gb-scotland+f4", 10, 160, -8),
    Sentence("No! You cannot do that to me again!", "en+f2", 40, 220, -3),
    Sentence("Look, they are all here!", "en-us+m7", 70, 110, -14),
    Sentence("The parcel came this morning.", "en+f2", 99, 160, -30),
)


def spoken(sentence: Sentence) -> NDArray[np.float32]:
    """Return one spoken sentence, [n] float32 at 16 kHz, at its peak level."""
    how = ["-v", sentence.voice, "-p", str(sentence.pitch), "-s", str(sentence.speed)]
    wav = subprocess.run(["espeak-ng", *how, "--stdout", sentence.text], capture_output=True, check=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    samples = np.trim_zeros(samples)
    return np.asarray(soxr.resample(samples * 10 ** (sentence.peak_db / 20) / np.abs(samples).max(), rate, RATE))


def main(path: str) -> None:
    """Write the demo recording to `path`."""
    pause = np.zeros(round(PAUSE * RATE), np.float32)
    samples = np.concatenate([pause, *(part for sentence in SENTENCES for part in (spoken(sentence), pause))])
    noise = np.random.default_rng(0).normal(0, FLOOR, len(samples))
    soundfile.write(path, (samples + noise).astype(np.float32), RATE, subtype="PCM_16")


if __name__ == "__main__":
    main(sys.argv[1])
