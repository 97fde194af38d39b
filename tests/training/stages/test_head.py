"""Several heads as one."""

from __future__ import annotations

import numpy as np
import torch

from emovox.models.head import Head, HeadConfig
from emovox.training.stages.head import logits, merged

CLOSE = 1e-5
"""Float32 sums in another order."""


def grown(seed: int, hidden: int = 5, *, plain: bool = False) -> Head:
    """A head that has seen some batches, so that its normalisation is its own."""
    torch.manual_seed(seed)
    head = Head(7, 3, HeadConfig(hidden=hidden, plain=plain))
    head.train()
    for _ in range(3):
        head.outputs(torch.randn(16, 7) * (seed + 1))
    head.set_statistics(torch.full((7,), 2.0), torch.full((7,), 3.0))
    return head.eval()


def test_a_joined_head_gives_the_mean_of_the_logits() -> None:
    for plain in (False, True):
        heads = [grown(0, plain=plain), grown(1, 4, plain=plain), grown(2, plain=plain)]
        statistics = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
        expected = np.mean([logits(head, statistics) for head in heads], axis=0)
        assert np.ptp([logits(head, statistics) for head in heads], axis=0).max() > 0.01
        np.testing.assert_allclose(logits(merged(heads), statistics), expected, atol=CLOSE)


def test_a_joined_head_takes_a_speakers_statistics() -> None:
    heads = [grown(0), grown(1)]
    statistics = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    mean, deviation = statistics.mean(0), statistics.std(0)
    expected = np.mean([logits(head, statistics, mean, deviation) for head in heads], axis=0)
    np.testing.assert_allclose(logits(merged(heads), statistics, mean, deviation), expected, atol=CLOSE)


def test_one_head_stays_itself() -> None:
    head = grown(0)
    assert merged([head]) is head
