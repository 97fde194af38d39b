"""A file as a live source."""

from __future__ import annotations

import time

import numpy as np
import pytest

from emovox.audio.decode import open_decoder
from emovox.audio.live import Playback
from emovox.schema.errors import ConfigError
from emovox.testing import RATE, tone


def played(*, seconds: float = 1.0, realtime: bool = False, most: float | None = None) -> Playback:
    decoder = open_decoder((tone(200.0, seconds=seconds), RATE), name="tone")
    return Playback(decoder, realtime=realtime, seconds=most)


def test_all_of_it_comes() -> None:
    blocks = list(played().blocks(1600))
    assert [block.shape for block in blocks] == [(1, 1600)] * 10
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1)[0], tone(200.0, seconds=1.0))


def test_no_more_than_asked_for() -> None:
    assert sum(block.shape[1] for block in played(most=0.25).blocks(1600)) == RATE // 4
    assert sum(block.shape[1] for block in played(most=1e300).blocks(1600)) == RATE


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_seconds_are_above_0(seconds: float) -> None:
    with pytest.raises(ConfigError, match="expected more than 0"):
        played(most=seconds)


def test_in_real_time_nothing_comes_before_it_is_spoken() -> None:
    source = played(seconds=0.4, realtime=True)
    begun = time.monotonic()
    for number, _ in enumerate(source.blocks(1600), start=1):
        assert time.monotonic() - begun >= 0.1 * number - 1e-3
        assert source.captured_at(0.1 * number) == pytest.approx(source.captured_at(0.0) + 0.1 * number)


@pytest.mark.parametrize("realtime", [False, True])
def test_it_can_be_stopped(realtime: bool) -> None:
    source = played(seconds=3600.0, realtime=realtime)
    blocks = source.blocks(160)
    next(blocks)
    assert not source.is_stopped
    source.stop()
    assert list(blocks) == []
    assert source.is_stopped
