from __future__ import annotations

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.batching import LARGEST_BATCH, score_pieces
from emovox.runtime.model import Outputs


class Recorder:
    """Scores a piece by its first sample, and notes the shape of each batch."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: Samples) -> Outputs:
        self.shapes.append(batch.shape)
        return Outputs(batch[:, :1], batch[:, :1], batch[:, :1])


def piece(value: float, length: int) -> Samples:
    return np.full(length, value, np.float32)


def test_order_is_kept_and_lengths_share_batches() -> None:
    model = Recorder()
    scored = score_pieces(model, [piece(1, 5), piece(2, 8), piece(3, 5), piece(4, 8), piece(5, 5)])
    assert [float(one.scores[0]) for one in scored] == [1, 2, 3, 4, 5]
    assert sorted(model.shapes) == [(2, 8), (3, 5)]


def test_batches_are_bounded() -> None:
    model = Recorder()
    scored = score_pieces(model, [piece(k, 3) for k in range(2 * LARGEST_BATCH + 1)])
    assert [float(one.scores[0]) for one in scored] == list(range(2 * LARGEST_BATCH + 1))
    assert model.shapes == [(LARGEST_BATCH, 3), (LARGEST_BATCH, 3), (1, 3)]


def test_nothing_to_score_runs_nothing() -> None:
    model = Recorder()
    assert score_pieces(model, []) == []
    assert model.shapes == []
