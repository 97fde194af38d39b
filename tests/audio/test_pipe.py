"""Samples from a pipe, as they come."""

from __future__ import annotations

import io
import os
import threading
from typing import BinaryIO, cast

import numpy as np
import pytest

from emovox.audio.live import RawPipe
from emovox.audio.types import RawFormat
from emovox.schema.errors import ConfigError


def bytes_of(count: int) -> bytes:
    return np.arange(count, dtype="<i2").tobytes()


@pytest.mark.parametrize("size", [1, 3, 7, 1600])
def test_all_samples_come_however_they_are_cut(size: int) -> None:
    blocks = list(RawPipe(io.BytesIO(bytes_of(500)), RawFormat("s16le", 16000)).blocks(size))
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1)[0] * 32768, np.arange(500))


def test_samples_cut_in_the_middle_are_joined_and_half_a_sample_at_the_end_is_dropped() -> None:
    reading, writing = os.pipe()
    source = RawPipe(cast(BinaryIO, os.fdopen(reading, "rb", buffering=0)), RawFormat("s16le", 16000))
    blocks = source.blocks(1600)
    data = bytes_of(4) + b"\x01"
    threading.Thread(target=_write, args=(writing, data), daemon=True).start()
    assert [round(32768 * value) for block in blocks for value in block[0].tolist()] == [0, 1, 2, 3]


def test_a_silent_pipe_can_be_stopped() -> None:
    reading, writing = os.pipe()
    source = RawPipe(cast(BinaryIO, os.fdopen(reading, "rb", buffering=0)), RawFormat("s16le", 16000))
    threading.Timer(0.1, source.stop).start()
    assert list(source.blocks(1600)) == []
    source.close()
    os.close(writing)


def test_a_writer_that_is_too_fast_waits() -> None:
    reading, writing = os.pipe()
    source = RawPipe(cast(BinaryIO, os.fdopen(reading, "rb", buffering=0)), RawFormat("s16le", 16000))
    total = 400_000
    thread = threading.Thread(target=_write, args=(writing, bytes(2 * total)), daemon=True)
    blocks = source.blocks(1600)
    thread.start()
    first = next(blocks).shape[1]
    thread.join(0.2)
    assert thread.is_alive()
    assert first + sum(block.shape[1] for block in blocks) == total
    assert source.lost == 0


def test_the_rate_is_checked() -> None:
    with pytest.raises(ConfigError, match="the sample rate is 0, expected 1 to"):
        RawPipe(io.BytesIO(), RawFormat("s16le", 0))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data[:1]) :] if len(data) < 100 else data[os.write(descriptor, data) :]
    os.close(descriptor)
