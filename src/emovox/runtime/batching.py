"""Score pieces of audio of many lengths in few runs: equal lengths share a batch, nothing is padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.model import Outputs
from emovox.runtime.profile import Profile

LARGEST_BATCH = 16
"""Pieces a run: bounds the memory of the graph's activations; more per run gains nothing on a CPU."""


class Scorer(Protocol):
    """What turns equal lengths into scores: `emovox.runtime.model.Model`, or a stand-in for it in a test."""

    def run(self, batch: Samples, profiles: Sequence[Profile | None] = ()) -> Outputs:
        """Score samples [batch, n] float32 of equal length, each by its profile."""


def score_pieces(model: Scorer, pieces: Sequence[Samples], profiles: Sequence[Profile | None] = ()) -> list[Samples]:
    """Score pieces of audio, from one stream or from many.

    A score may differ by float32 rounding (about 1e-6) with the batch it is in.

    Args:
        model: what runs a batch.
        pieces: samples [n] float32 in [-1, 1] at the model's rate, n may differ.
        profiles: one for each piece; None, or no profiles: the training set's.

    Returns:
        Scores [labels] float32 of each piece, in the order of `pieces`.
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
