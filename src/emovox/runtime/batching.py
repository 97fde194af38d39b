"""Score pieces of audio of many lengths in few runs: equal lengths share a batch, so nothing is padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.model import Outputs

LARGEST_BATCH = 16
"""Largest number of pieces per run. It bounds the memory of the activations; more gains nothing on a CPU."""


class Scorer(Protocol):
    """An object that scores a batch of samples: `emovox.runtime.model.Model`, or a stand-in for it in a test."""

    def run(self, batch: Samples) -> Outputs:
        """Score samples [batch, n] float32 of equal length."""


class Scored(NamedTuple):
    """What a model says of one piece of audio.

    Attributes:
        scores: [labels] float32, without adaptation.
        statistics: [p] float32.
        speech: probability in [0, 1] that it is speech; None if the model does not tell.
    """

    scores: Samples
    statistics: Samples
    speech: float | None = None


def scored_rows(outputs: Outputs) -> list[Scored]:
    """Return the outputs for a batch, one row for each piece of audio."""
    speech = [None] * len(outputs.scores) if outputs.speech is None else outputs.speech.tolist()
    return list(map(Scored, outputs.scores, outputs.statistics, speech))


def score_pieces(model: Scorer, pieces: Sequence[Samples]) -> list[Scored]:
    """Score pieces of audio, from one stream or from many.

    A score depends on its batch by float32 rounding only (about 1e-6).

    Args:
        model: scores a batch.
        pieces: samples [n] float32 in [-1, 1] at the model's rate; n may differ.

    Returns:
        Scores and statistics of each piece, in the order of `pieces`.
    """
    by_length: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        by_length.setdefault(len(piece), []).append(index)
    scored: dict[int, Scored] = {}
    for indices in by_length.values():
        for first in range(0, len(indices), LARGEST_BATCH):
            batch = indices[first : first + LARGEST_BATCH]
            outputs = model.run(np.stack([pieces[index] for index in batch]))
            scored.update(zip(batch, scored_rows(outputs), strict=True))
    return [scored[index] for index in range(len(pieces))]
