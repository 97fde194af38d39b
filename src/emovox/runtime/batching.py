"""Score pieces of audio of many lengths in few runs: equal lengths share a batch, so nothing is padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.runtime.model import Outputs

LARGEST_BATCH = 16
"""Largest number of pieces per run. It bounds the memory of the activations; more gains nothing on a CPU."""


class Scorer(Protocol):
    """An object that scores a batch of samples: `emovox.runtime.model.Model`, or a stand-in for it in a test."""

    def run(self, batch: Samples, profiles: Sequence[Profile | None] = ()) -> Outputs:
        """Score samples [batch, n] float32 of equal length, each row with its profile."""


def score_pieces(model: Scorer, pieces: Sequence[Samples], profiles: Sequence[Profile | None] = ()) -> list[Samples]:
    """Score pieces of audio, from one stream or from many.

    A score depends on its batch by float32 rounding only (about 1e-6).

    Args:
        model: scores a batch.
        pieces: samples [n] float32 in [-1, 1] at the model's rate; n may differ.
        profiles: one for each piece; None, or an empty sequence, takes the training set's.

    Returns:
        Scores of each piece, shape [labels], float32, in the order of `pieces`.
    """
    by_length: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        by_length.setdefault(len(piece), []).append(index)
    scores: dict[int, Samples] = {}
    for indices in by_length.values():
        for first in range(0, len(indices), LARGEST_BATCH):
            batch = indices[first : first + LARGEST_BATCH]
            together = np.stack([pieces[index] for index in batch])
            rows = model.run(together, [profiles[index] for index in batch] if profiles else ()).scores
            scores.update(zip(batch, rows, strict=True))
    return [scores[index] for index in range(len(pieces))]
