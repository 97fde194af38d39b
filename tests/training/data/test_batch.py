"""Rows of different lengths become a batch, one by one or all at once."""

from __future__ import annotations

import numpy as np
import torch

from emovox.training.data.batch import ArrayExamples, collate
from tests.training.tiny import CLASSES, batch_of, clips


def test_a_batch_is_padded_and_says_where() -> None:
    batch = batch_of([3, 0, 26])
    assert batch.inputs.shape == (3, 8, 5)
    assert batch.mask.sum(1).tolist() == [6, 3, 8]
    np.testing.assert_array_equal(batch.inputs[1, :3].numpy(), clips().inputs[0])
    assert (batch.inputs[~batch.mask] == 0).all()
    assert batch.targets.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert batch.allowed.tolist() == [[True] * 3, [True] * 3, [True, True, False]]
    assert batch.names == ("ravdess 01", "ravdess 00", "casia 13")


def array(kind: type[np.floating]) -> ArrayExamples:
    rng = np.random.default_rng(0)
    return ArrayExamples(
        inputs=rng.normal(size=(6, 1, 4)).astype(kind),
        labels=np.arange(6) % 3,
        allowed=np.ones((6, 3), dtype=np.bool_),
        owner=np.arange(6),
        group=np.array(["a"] * 6),
        names=tuple(f"a {n}" for n in range(6)),
        classes=CLASSES,
    )


def test_arrays_give_the_same_at_once_as_one_by_one() -> None:
    for kind in (np.float32, np.float16):
        examples = array(kind)
        batch = collate(examples, np.array([4, 1]))
        assert batch.inputs.dtype == torch.float32
        assert batch.mask.all()
        assert batch.names == ("a 4", "a 1")
        np.testing.assert_array_equal(batch.inputs, np.stack([examples.values(4), examples.values(1)]))


def test_a_batch_does_not_share_memory_with_the_examples() -> None:
    examples = array(np.float32)
    before = examples.inputs.copy()
    collate(examples, [0, 1]).inputs.fill_(7.0)
    np.testing.assert_array_equal(examples.inputs, before)


def test_a_batch_moves_as_a_whole() -> None:
    batch = batch_of([0, 1]).to(torch.device("meta"))
    assert {batch.inputs.device.type, batch.mask.device.type, batch.targets.device.type} == {"meta"}
    assert batch.names == batch_of([0, 1]).names
