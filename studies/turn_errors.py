"""How far a timeline of speakers is from the truth: diarisation error rate, and pairs of segments told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from studies.conversations import Spoken

STEP = 0.01
"""Seconds per frame."""


@dataclass(frozen=True)
class Errors:
    """Seconds of speaker time that were missed, invented or given to a wrong speaker, and all that were spoken.

    >>> (Errors(1.0, 0.0, 1.0, 10.0) + Errors(0.0, 2.0, 0.0, 10.0)).rate
    0.2
    """

    missed: float = 0.0
    invented: float = 0.0
    confused: float = 0.0
    spoken: float = 0.0

    @property
    def rate(self) -> float:
        """Diarisation error rate, DER: errors per spoken second."""
        return (self.missed + self.invented + self.confused) / self.spoken

    @property
    def confusion(self) -> float:
        """Share of the spoken seconds that a wrong speaker gets."""
        return self.confused / self.spoken

    def __add__(self, other: Errors) -> Errors:
        """Return the sums over two recordings."""
        return Errors(
            self.missed + other.missed,
            self.invented + other.invented,
            self.confused + other.confused,
            self.spoken + other.spoken,
        )


def errors_of(spoken: Sequence[Spoken], found: Sequence[Spoken], *, collar: float) -> Errors:
    """Compare who speaks with who was found, under the best pairing of speakers.

    Args:
        spoken: the truth; stretches may overlap.
        found: the timeline.
        collar: seconds on each side of a bound in `spoken` that do not count, >= 0.
    """
    length = round(max(end for _, end, _ in [*spoken, *found]) / STEP) + 1
    truth, guess = _frames(spoken, length), _frames(found, length)
    counted = np.ones(length, bool)
    for frame in np.flatnonzero((truth[:, 1:] != truth[:, :-1]).any(axis=0)) + 1:
        counted[max(0, frame - round(collar / STEP)) : frame + round(collar / STEP)] = False
    truth, guess = truth[:, counted], guess[:, counted]
    shared = truth.astype(int) @ guess.T.astype(int)
    right = shared[linear_sum_assignment(-shared)].sum()
    many, few = truth.sum(axis=0), guess.sum(axis=0)
    both = np.minimum(many, few).sum()
    seconds = [(many - few).clip(0).sum(), (few - many).clip(0).sum(), both - right, many.sum()]
    return Errors(*(float(value) * STEP for value in seconds))


def pairs_right(spoken: Sequence[Spoken], segments: Sequence[Spoken]) -> tuple[float, float]:
    """Return the shares of the pairs of segments that are of one speaker and found so, and of two and found so.

    A segment belongs to the speaker with the most time in it; segments without speech are left out.
    """
    owners, guesses = [], []
    for start, end, guess in segments:
        shares = np.zeros(1 + max(speaker for _, _, speaker in spoken))
        for low, high, speaker in spoken:
            shares[speaker] += max(0.0, min(end, high) - max(start, low))
        if shares.any():
            owners.append(int(shares.argmax()))
            guesses.append(guess)
    one, two = np.triu_indices(len(owners), 1)
    same, alike = (np.array(values)[one] == np.array(values)[two] for values in (owners, guesses))
    return _mean(alike[same]), _mean(~alike[~same])


def _frames(spoken: Sequence[Spoken], length: int) -> npt.NDArray[np.bool_]:
    """Return which speaker speaks in which frame, [speakers, length]."""
    frames = np.zeros((1 + max((speaker for _, _, speaker in spoken), default=0), length), bool)
    for start, end, speaker in spoken:
        frames[speaker, round(start / STEP) : round(end / STEP)] = True
    return frames


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")
