"""Conversations made from the clips of a corpus: speakers take turns, and it is known who speaks when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emovox.audio.types import Samples
from emovox.corpora.manifest import Clip
from studies.sounds import RATE, read

Spoken = tuple[float, float, int]
"""Start and end of a stretch of speech in seconds, and the number of its speaker."""

FRAME = 0.02
"""Seconds per frame of the reference."""

BELOW_LOUD_DB, LONGEST_GAP = 35.0, 0.3
"""Speech of a clip: frames at most 35 dB below its 95th percentile; gaps of at most 0.3 s are filled."""


@dataclass(frozen=True)
class Style:
    """How a conversation is made.

    Attributes:
        seconds: length, at least.
        pause: shortest and longest pause between two turns in seconds; below 0 the turns overlap.
        moods: labels of the clips; none takes all.
        snr_db: level of the speech above the noise; None adds no noise.
        clips: fewest and most clips of a turn.
    """

    seconds: float = 60.0
    pause: tuple[float, float] = (0.0, 1.0)
    moods: tuple[str, ...] = ()
    snr_db: float | None = None
    clips: tuple[int, int] = (1, 3)


@dataclass(frozen=True, eq=False)
class Conversation:
    """A recording of several speakers.

    Attributes:
        samples: [n] float32 at 16 kHz.
        spoken: who speaks when, by the energy of the clips and not by the detector that is measured.
        sexes: sex of each speaker.
    """

    samples: Samples
    spoken: tuple[Spoken, ...]
    sexes: tuple[str, ...]


def by_speaker(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Return the clips of each speaker, by name."""
    found: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        found[clip.speaker or ""].append(clip)
    return dict(sorted(found.items()))


def converse(
    voices: Sequence[Sequence[Clip]], style: Style, rng: np.random.Generator, *, noises: Sequence[Samples] = ()
) -> Conversation:
    """Return a conversation in which nobody has two turns in a row, and everybody has one.

    Args:
        voices: clips of each speaker.
        style: lengths, moods, noise.
        rng: source of randomness.
        noises: recordings of noise at 16 kHz, for a style with noise.
    """
    chosen = [[clip for clip in clips if not style.moods or clip.label in style.moods] for clips in voices]
    placed: list[tuple[int, Samples]] = []
    spoken: list[Spoken] = []
    position, speaker, first = 0, 0, rng.permutation(len(voices))
    while position < style.seconds * RATE or len(placed) < len(voices):
        speaker = int(first[len(placed)]) if len(placed) < len(voices) else _other(speaker, len(voices), rng)
        turn = _turn(chosen[speaker], int(rng.integers(style.clips[0], style.clips[1] + 1)), rng)
        start = max(0, position + round(rng.uniform(*style.pause) * RATE))
        placed.append((start, turn))
        spoken += [(start / RATE + low, start / RATE + high, speaker) for low, high in stretches(turn)]
        position = start + turn.size
    samples = np.zeros(max(start + turn.size for start, turn in placed) + RATE // 2, np.float32)
    for start, turn in placed:
        samples[start : start + turn.size] += turn
    if style.snr_db is not None:
        samples += _noise(samples, spoken, noises[int(rng.integers(len(noises)))], style.snr_db)
    return Conversation(samples, tuple(sorted(spoken)), tuple(clips[0].sex or "" for clips in voices))


def stretches(samples: Samples) -> list[tuple[float, float]]:
    """Return the stretches of a clip with energy, in seconds."""
    length = round(FRAME * RATE)
    usable = samples.size - samples.size % length
    power = np.square(samples[:usable]).reshape(-1, length).mean(axis=1)
    found: list[tuple[float, float]] = []
    for frame in np.flatnonzero(power > np.percentile(power[power > 0], 95) * 10 ** (-BELOW_LOUD_DB / 10)):
        start, end = float(frame * FRAME), float((frame + 1) * FRAME)
        joined = bool(found) and start - found[-1][1] <= LONGEST_GAP + FRAME / 2
        found = [*found[:-1], (found[-1][0], end)] if joined else [*found, (start, end)]
    return found


def _other(last: int, count: int, rng: np.random.Generator) -> int:
    return int(rng.choice([number for number in range(count) if number != last or count == 1]))


def _turn(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> Samples:
    """Return some clips without the silence at their ends, 0.1 to 0.4 s apart."""
    parts: list[Samples] = []
    for index in rng.choice(len(clips), min(count, len(clips)), replace=False):
        samples = read(Path(clips[index].path))
        speech = stretches(samples)
        body = samples[round(speech[0][0] * RATE) : round(speech[-1][1] * RATE)]
        parts.append(np.pad(body, (round(rng.uniform(0.1, 0.4) * RATE) if parts else 0, 0)))
    return np.concatenate(parts)


def _noise(samples: Samples, spoken: Sequence[Spoken], noise: Samples, snr_db: float) -> Samples:
    """Return noise below the median level of the stretches of speech; it is nearer to quiet moods."""
    powers = [np.square(samples[round(start * RATE) : round(end * RATE)]).mean() for start, end, _ in spoken]
    level = np.sqrt(np.median(powers)) * 10 ** (-snr_db / 20)
    return np.asarray(np.resize(noise, samples.size) * (level / max(float(noise.std()), 1e-9)), np.float32)
