"""Rows of different lengths become a batch, one by one or all at once."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from emovox.training.data.examples import vectors
from tests.training.tiny import batch_of, drawn, examples_of, task


def test_a_batch_is_padded_and_says_where() -> None:
    batch = batch_of([3, 0, 26])
    assert batch.inputs.shape == (3, 8, 5)
    assert batch.mask.sum(1).tolist() == [6, 3, 8]
    np.testing.assert_array_equal(batch.inputs[1, :3].numpy(), drawn()[0])
    assert (batch.inputs[~batch.mask] == 0).all()
    assert batch.targets.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert batch.allowed.tolist() == [[True] * 3, [True] * 3, [True, True, False]]
    assert batch.names == ("ravdess 01", "ravdess 00", "casia 13")


def test_a_batch_says_who_speaks_which_language_in_which_corpus() -> None:
    batch = batch_of([0, 1, 9, 47])
    assert batch.speaker.tolist() == [3, 3, 4, 2]  # by corpus, then by name
    assert batch.corpus.tolist() == [1, 1, 1, 0]
    assert batch.language.tolist() == [0, 0, 0, 1]
    assert batch.speaker.dtype == torch.int64
    own = task()
    unknown = tuple(msgspec.structs.replace(c, speaker=None, language=None) for c in own.clips)
    batch = examples_of(drawn(), replace(own, clips=unknown)).batch(np.array([3]))
    assert (batch.speaker.tolist(), batch.language.tolist()) == ([-1], [-1])


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_vectors_are_clips_of_one_frame_and_share_no_memory(kind: type[np.floating]) -> None:
    values = np.random.default_rng(0).normal(size=(6, 4)).astype(kind)
    before = values.copy()
    inputs, mask = vectors(values)(np.array([4, 1]))
    assert inputs.dtype == torch.float32
    assert mask.all()
    np.testing.assert_array_equal(inputs[:, 0], values[[4, 1]])
    inputs.fill_(7.0)
    np.testing.assert_array_equal(values, before)


def test_a_batch_moves_as_a_whole() -> None:
    batch = batch_of([0, 1]).to(torch.device("meta"))
    assert {batch.inputs.device.type, batch.mask.device.type, batch.targets.device.type} == {"meta"}
    assert batch.names == batch_of([0, 1]).names
