"""The queue of windows: oldest first, one length a batch, one preview a voice, and nothing that stays behind."""

from __future__ import annotations

from typing import cast

import numpy as np

from emovox.runtime.channel import ChannelAnalyzer
from emovox.runtime.segmenter import Preview, RegionStarted
from emovox.runtime.tiles import Tile
from emovox.runtime.window_queue import Pending, WindowQueue


class Name:
    """Stands for a voice: the queue only asks whose a window is."""


def voice() -> ChannelAnalyzer:
    return cast(ChannelAnalyzer, Name())


def tile(owner: ChannelAnalyzer, n: int) -> Pending:
    return Pending(owner, Tile(0, n, np.zeros(n, np.float32), 0))


def preview(owner: ChannelAnalyzer, n: int) -> Pending:
    return Pending(owner, Preview(0, n, np.zeros(n, np.float32), 0))


def filled(*pending: Pending, most_previews: int = 100) -> WindowQueue:
    queue = WindowQueue(most_previews=most_previews)
    for each in pending:
        queue.put(each)
    return queue


def test_the_oldest_goes_first_with_others_of_its_length() -> None:
    one, two, three, four = (tile(voice(), n) for n in (3, 5, 3, 3))
    queue = filled(one, two, three, four)
    assert queue.take(2) == [one, three]
    assert queue.take(2) == [two]
    assert queue.take(2) == [four]
    assert queue.take(2) == []
    assert (queue.counts.tiles, len(queue)) == (4, 0)


def test_a_new_preview_takes_the_place_and_the_turn_of_one_as_long() -> None:
    busy, other = voice(), voice()
    old, between, new = preview(busy, 3), preview(other, 3), preview(busy, 3)
    queue = filled(old, between, new)
    assert (old.mark, old.is_ready) == (None, True)
    assert queue.take(1) == [new]
    assert queue.take(1) == [between]
    assert (queue.counts.merged, queue.counts.previews) == (1, 2)


def test_one_of_another_length_waits_anew() -> None:
    busy = voice()
    old, between, new = preview(busy, 2), preview(voice(), 3), preview(busy, 3)
    queue = filled(old, between, new)
    assert old.mark is None
    assert queue.take(5) == [between, new]
    assert len(queue) == 0


def test_what_was_taken_is_replaced_no_more() -> None:
    busy = voice()
    old, new = preview(busy, 3), preview(busy, 3)
    queue = filled(old)
    assert queue.take(1) == [old]
    queue.put(new)
    assert old.mark is not None
    assert queue.take(1) == [new]
    assert queue.counts.merged == 0


def test_tiles_are_never_replaced_and_never_refused() -> None:
    busy = voice()
    queue = filled(*(tile(busy, 3) for _ in range(50)), most_previews=0)
    assert len(queue) == 50


def test_beyond_the_limit_previews_of_other_voices_are_refused() -> None:
    first, second = preview(voice(), 3), preview(voice(), 3)
    refused, again = preview(voice(), 3), preview(first.analyzer, 3)
    queue = filled(first, second, refused, again, most_previews=2)
    assert refused.mark is None
    assert (queue.counts.dropped, queue.counts.merged) == (1, 1)
    assert queue.take(5) == [again, second]


def test_what_is_discarded_is_gone() -> None:
    busy = voice()
    seen, waiting = preview(busy, 3), tile(busy, 3)
    queue = filled(seen, waiting)
    for each in (seen, waiting, waiting, Pending(busy, RegionStarted(0, 0)), tile(busy, 7)):
        queue.discard(each)
    assert len(queue) == 0
    new = preview(busy, 3)
    queue.put(new)
    assert seen.mark is not None
    assert queue.take(1) == [new]
