"""Pieces of music from a random generator, played by fluidsynth with a soundfont of General MIDI."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.evaluation.trust.sounds import SOUNDFONTS
from emovox.schema.errors import AudioError

FAMILIES = 16
"""Families of instruments in General MIDI, eight each: pianos, chromatic percussion, organs, guitars, basses …"""

SECONDS = 10.0
"""Length of a piece in seconds, at most."""

_TICKS = 96
"""Ticks of MIDI per quarter note, of 0.5 s."""

_DRUMS = 9
"""Channel of the drums."""

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))
"""Major, minor, pentatonic and blues, in semitones."""

Note = tuple[int, int, int, int, int]
"""Start and end in ticks, channel, pitch, velocity."""


def piece(rng: np.random.Generator, *, family: int, rate: int) -> Samples:
    """Return a piece: a melody, in two of three pieces with chords of another instrument of like parity, or with drums.

    Args:
        rng: draws instruments, key, rhythm and notes.
        family: of the melody's instrument, 0 to 15; the chords' is even if it is even. Drums play with odd ones.
        rate: sample rate in Hz.

    Returns:
        [n] float32 in [-1, 1], up to 10 s.

    Raises:
        AudioError: fluidsynth or a soundfont is missing, or it fails.
    """
    other = 2 * int(rng.integers(FAMILIES // 2)) + family % 2
    programs = [8 * one + int(rng.integers(8)) for one in (family, other)]
    style = int(rng.integers(3))
    scale, root = _SCALES[int(rng.integers(len(_SCALES)))], int(rng.integers(48, 66))
    notes = _melody(rng, scale, root)
    if style == 1:
        notes += _chords(rng, scale, root - 12)
    if style == 2:
        notes += _chords(rng, scale, root - 12) if family % 2 == 0 else _drums(rng)
    audio = _played(_midi(notes, programs), rate)
    return audio[: round(SECONDS * rate)]


def _melody(rng: np.random.Generator, scale: tuple[int, ...], root: int) -> list[Note]:
    """Return a random walk over the scale, in a rhythm of quarters, eighths and longer notes."""
    notes, time, step = [], 0, int(rng.integers(0, 8))
    while time < 20 * _TICKS:
        length = int(rng.choice([24, 48, 48, 96, 96, 192, 384]))
        if rng.random() < 0.85:
            pitch = root + 12 * (step // len(scale)) + scale[step % len(scale)]
            notes.append((time, time + int(length * rng.uniform(0.5, 1.0)), 0, pitch, int(rng.integers(60, 120))))
        time, step = time + length, int(np.clip(step + rng.integers(-3, 4), -4, 14))
    return notes


def _chords(rng: np.random.Generator, scale: tuple[int, ...], root: int) -> list[Note]:
    notes, time = [], 0
    while time < 20 * _TICKS:
        first, length = int(rng.integers(len(scale))), int(rng.choice([96, 192, 384]))
        steps = [first, first + 2, first + 4][: int(rng.integers(1, 4))]
        pitches = [root + 12 * (step // len(scale)) + scale[step % len(scale)] for step in steps]
        notes += [(time, time + length - 4, 1, pitch, int(rng.integers(40, 100))) for pitch in pitches]
        time += length
    return notes


def _drums(rng: np.random.Generator) -> list[Note]:
    kit = [36, 38, 42, 46, 49, 45]
    beat = rng.random((len(kit), 8)) < rng.uniform(0.15, 0.45)
    times = range(0, 20 * _TICKS, 48)
    return [
        (time, time + 24, _DRUMS, kit[row], int(rng.integers(60, 120)))
        for place, time in enumerate(times)
        for row in np.flatnonzero(beat[:, place % 8]).tolist()
    ]


def _midi(notes: list[Note], programs: list[int]) -> bytes:
    """Return a standard MIDI file of one track."""
    events = [(start, bytes([0x90 | channel, pitch, loud])) for start, _, channel, pitch, loud in notes]
    events += [(end, bytes([0x80 | channel, pitch, 0])) for _, end, channel, pitch, _ in notes]
    track = b"".join(bytes([0, 0xC0 | channel, program]) for channel, program in enumerate(programs))
    now = 0
    for time, message in sorted(events):
        track += _length(time - now) + message
        now = time
    track += bytes([0, 0xFF, 0x2F, 0])
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def _length(ticks: int) -> bytes:
    """Return a number as MIDI writes it: seven bits a byte, the first bit set on all but the last."""
    digits = [ticks & 0x7F]
    while ticks := ticks >> 7:
        digits.append(0x80 | (ticks & 0x7F))
    return bytes(reversed(digits))


def _played(midi: bytes, rate: int) -> Samples:
    fonts = [font for folder in SOUNDFONTS for font in sorted(Path(folder).glob("*.sf*"))]
    if shutil.which("fluidsynth") is None or not fonts:
        raise AudioError("got no fluidsynth with a soundfont, expected both; on Debian: fluidsynth fluid-soundfont-gm")
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        score.write_bytes(midi)
        play = ["fluidsynth", "-ni", "-q", "-g", "0.8", "-r", str(rate), "-F", str(sound), str(fonts[0]), str(score)]
        try:
            subprocess.run(play, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            raise AudioError(f"fluidsynth fails ({error}), expected a rendered piece") from error
        audio, _ = load_audio(sound, sample_rate=rate)
        return np.asarray(audio[0])
