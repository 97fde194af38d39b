"""A live stream without its pipeline: the test is the segmenter and the model, and nothing happens by itself.

`test_pipeline.py` has streams with a real model in its threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.runtime.batching import Scored
from emovox.runtime.channel import ChannelAnalyzer
from emovox.runtime.live_stream import MOST_EVENTS, MOST_TILES, LiveStream
from emovox.runtime.model import Model
from emovox.runtime.segmenter import Preview, RegionEnded, RegionStarted, SegmenterEvent
from emovox.runtime.tiles import Tile
from emovox.runtime.window_queue import Pending, WindowQueue
from emovox.schema.card import ModelCard
from emovox.schema.errors import ChannelError, OverloadError, PipelineError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.testing import RATE, write_toy

PATIENCE = 30.0
"""Seconds after which a test gives up waiting for another thread."""


class Scripted:
    """A cutter that finds what it was told to, call by call and then nothing; keeps the lengths that it was fed."""

    def __init__(self, *calls: Sequence[SegmenterEvent], last: Sequence[SegmenterEvent] = ()) -> None:
        self.fed: list[int] = []
        self._calls, self._last = list(calls), list(last)

    def feed(self, samples: Samples) -> list[SegmenterEvent]:
        self.fed.append(samples.size)
        return list(self._calls.pop(0)) if self._calls else []

    def flush(self) -> list[SegmenterEvent]:
        return self._last

    def reset(self) -> None:
        raise AssertionError("a live stream has one beginning")


class Watched(threading.Condition):
    """A condition that says when somebody has begun to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.awaited.set()
        return super().wait(timeout)


class Desk:
    """A stream and what is around it: its queue, the lock, how often it told something, and the streams it closed."""

    def __init__(self, card: ModelCard, *cutters: Scripted) -> None:
        self.queue, self.changed = WindowQueue(most_previews=100), Watched()
        self.told = 0
        self.closed: list[LiveStream] = []
        self.stream = LiveStream(
            [
                ChannelAnalyzer(card, cutter, index=index, channels=len(cutters), channel=index, threshold=0.5)
                for index, cutter in enumerate(cutters)
            ],
            queue=self.queue,
            changed=self.changed,
            sample_rate=RATE,
            notify=self._hear,
            on_close=self.closed.append,
        )

    def waiting(self) -> list[Pending]:
        """Take all windows from the queue, as a model would."""
        return [pending for _ in range(len(self.queue)) for pending in self.queue.take(1)]

    def score(self, *pending: Pending) -> None:
        with self.changed:
            for each in pending:
                each.scored = Scored(np.array([0.25, 0.75], np.float32), np.zeros(2, np.float32))
            self.stream.advance()
            self.changed.notify_all()

    def feed(self, seconds: float = 0.1, *, timeout: float | None = 0.0) -> None:
        self.stream.feed(np.zeros((len(self.stream.analyzers), round(seconds * RATE)), np.float32), timeout=timeout)

    def has_room(self) -> bool:
        return self.stream.has_room

    def is_done(self) -> bool:
        return self.stream.is_done

    def _hear(self) -> None:
        self.told += 1


def in_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return Model.load(write_toy(tmp_path_factory.mktemp("toy"), labels=("sad", "happy"))).card


def tile(number: int, *, region: int = 0) -> Tile:
    """The one that lasts from second `number` to the next."""
    return Tile(number * RATE, (number + 1) * RATE, np.zeros(RATE, np.float32), region)


def preview(end: float, *, region: int = 0) -> Preview:
    return Preview(0, round(end * RATE), np.zeros(RATE, np.float32), region)


def started(region: int = 0) -> RegionStarted:
    return RegionStarted(region, 0)


def ended(region: int = 0) -> RegionEnded:
    return RegionEnded(region, 0, RATE)


def kinds(events: Sequence[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def test_events_keep_their_order_though_scores_do_not(card: ModelCard) -> None:
    desk = Desk(card, Scripted([started(), tile(0), tile(1), ended()]))
    desk.feed()
    assert kinds(desk.stream.take()) == [SpeechStarted]
    first, second = desk.waiting()
    desk.score(second)
    assert desk.stream.take() == []
    desk.score(first)
    (verdict,) = desk.stream.take()
    assert isinstance(verdict, SpeechEnded)
    assert [segment.start for segment in verdict.segments] == [0.0, 1.0]


def test_audio_is_taken_a_second_at_a_time(card: ModelCard) -> None:
    left, right = Scripted(), Scripted()
    Desk(card, left, right).feed(2.5)
    assert left.fed == right.fed == [RATE, RATE, RATE // 2]


def test_audio_of_another_number_of_channels_is_not_taken(card: ModelCard) -> None:
    cutter = Scripted()
    with pytest.raises(ChannelError):
        Desk(card, cutter).stream.feed(np.zeros((2, 9), np.float32))
    assert cutter.fed == []


class TestRoom:
    def test_tiles_that_wait_take_the_room(self, card: ModelCard) -> None:
        cutter = Scripted([started(), *(tile(number) for number in range(MOST_TILES))])
        desk = Desk(card, cutter)
        desk.feed()
        assert not desk.has_room()
        with pytest.raises(OverloadError) as refused:
            desk.feed()
        assert refused.value.taken == 0
        assert len(cutter.fed) == 1
        desk.score(desk.waiting()[0])
        assert desk.has_room()
        desk.feed()
        assert len(cutter.fed) == 2

    def test_previews_that_wait_take_none(self, card: ModelCard) -> None:
        desk = Desk(card, *(Scripted([started(), preview(0.5)]) for _ in range(MOST_TILES + 1)))
        desk.feed()
        assert len(desk.queue) == MOST_TILES + 1
        assert desk.has_room()

    def test_it_is_told_how_much_was_taken_before_there_was_no_more(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started()], [tile(number) for number in range(MOST_TILES)]))
        with pytest.raises(OverloadError, match="no room for more audio in time") as refused:
            desk.feed(5.0)
        assert refused.value.taken == 2 * RATE

    def test_events_that_nobody_takes_take_the_room_and_taking_them_is_told(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started(region) for region in range(MOST_EVENTS)]))
        desk.feed()
        assert not desk.has_room()
        told = desk.told
        assert len(desk.stream.take()) == MOST_EVENTS
        assert desk.has_room()
        assert desk.told == told + 1
        desk.stream.take()
        assert desk.told == told + 1, "there was room before"

    def test_who_waits_for_room_gets_it_when_events_are_taken(self, card: ModelCard) -> None:
        cutter = Scripted([started(region) for region in range(MOST_EVENTS)])
        desk = Desk(card, cutter)
        desk.feed()
        feeder = in_background(lambda: desk.feed(timeout=None))
        assert desk.changed.awaited.wait(PATIENCE)
        desk.stream.take()
        feeder.join(PATIENCE)
        assert len(cutter.fed) == 2

    def test_who_waits_for_room_hears_that_the_stream_is_closed(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started(region) for region in range(MOST_EVENTS)]))
        desk.feed()
        refused: list[str] = []

        def feed() -> None:
            with pytest.raises(PipelineError) as error:
                desk.feed(timeout=None)
            refused.append(str(error.value))

        feeder = in_background(feed)
        assert desk.changed.awaited.wait(PATIENCE)
        desk.stream.close()
        feeder.join(PATIENCE)
        assert refused == ["the stream has ended, expected an open one; open another"]


class TestPreviews:
    def test_one_that_nobody_took_gives_way_to_the_next_of_its_channel_only(self, card: ModelCard) -> None:
        desk = Desk(card, *(Scripted([started(), preview(0.5)], last=[preview(1.0)]) for _ in range(2)))
        desk.feed()
        desk.score(*desk.waiting())
        desk.stream.end()
        newer, other = desk.waiting()
        desk.score(newer)
        updates = [event for event in desk.stream.take() if isinstance(event, EmotionUpdated)]
        assert [(event.channel, event.end) for event in updates] == [(1, 0.5), (0, 1.0)]
        assert (desk.stream.given_up, desk.queue.counts.unread) == (1, 1)
        desk.score(other)
        assert kinds(desk.stream.take()) == [EmotionUpdated]
        assert desk.stream.given_up == 1, "what was taken gave way to nothing"

    def test_the_last_of_a_region_stays_when_another_is_looked_at(self, card: ModelCard) -> None:
        """Else a reader who comes late would see a region end of which nothing was shown."""
        first: list[SegmenterEvent] = [started(), preview(0.5), tile(0), ended()]
        desk = Desk(card, Scripted(first, last=[started(1), preview(2.0, region=1)]))
        desk.feed()
        desk.score(*desk.waiting())
        desk.stream.end()
        desk.score(*desk.waiting())
        shown = [SpeechStarted, EmotionUpdated, SpeechEnded, SpeechStarted, EmotionUpdated]
        assert kinds(desk.stream.take()) == shown
        assert desk.stream.given_up == 0

    def test_one_that_gave_way_before_it_was_scored_is_counted_and_no_event(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started(), preview(0.5)], [preview(1.0)]))
        desk.feed()
        desk.feed()
        (kept,) = desk.waiting()
        desk.score(kept)
        begun, updated = desk.stream.take()
        assert isinstance(begun, SpeechStarted)
        assert isinstance(updated, EmotionUpdated)
        assert updated.end == 1.0
        assert (desk.stream.given_up, desk.queue.counts.merged, desk.queue.counts.unread) == (1, 1, 0)


class TestTelling:
    def test_what_can_be_taken_is_told_and_nothing_else(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([], [started()]))
        desk.feed()
        assert desk.told == 0
        desk.feed()
        assert desk.told == 1

    def test_the_end_is_told_although_nothing_comes_with_it(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted())
        desk.stream.end()
        assert desk.told == 1
        assert desk.is_done()

    @pytest.mark.parametrize("act", [Desk.feed, lambda desk: desk.stream.end(), lambda desk: desk.stream.close()])
    def test_it_is_told_without_the_lock(self, card: ModelCard, act: Callable[[Desk], None]) -> None:
        """Who is told may hand over to another thread, and wait for it."""
        desk = Desk(card, Scripted([started()]))
        helped: list[bool] = []

        def ask() -> None:
            helper = in_background(lambda: helped.append(desk.has_room()))
            helper.join(PATIENCE)
            assert helped

        desk.stream.notify = ask
        act(desk)
        assert helped == [True]

    def test_waiting_ends_with_an_event_or_the_stream_and_gives_up_else(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started()]))
        assert not desk.stream.wait(0.0)
        desk.feed()
        assert desk.stream.wait(0.0)
        desk.stream.take()
        assert not desk.stream.wait(0.0)
        desk.stream.end()
        assert desk.stream.wait(0.0)


class TestEnding:
    def test_a_stream_that_is_ended_is_done_when_all_is_scored_and_taken(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started()], last=[tile(0), ended()]))
        desk.feed()
        desk.stream.end()
        assert kinds(desk.stream.take()) == [SpeechStarted]
        assert not desk.is_done(), "the verdict is to come"
        desk.score(*desk.waiting())
        assert not desk.is_done(), "it is not taken"
        assert kinds(desk.stream.take()) == [SpeechEnded]
        assert desk.is_done()

    @pytest.mark.parametrize("finish", [LiveStream.end, LiveStream.close])
    def test_a_stream_that_is_ended_or_closed_takes_no_more(
        self, card: ModelCard, finish: Callable[[LiveStream], None]
    ) -> None:
        cutter = Scripted()
        desk = Desk(card, cutter)
        finish(desk.stream)
        for use in (desk.feed, desk.stream.end):
            with pytest.raises(PipelineError, match="the stream has ended, expected an open one; open another"):
                use()
        assert cutter.fed == []

    def test_closing_forgets_what_waits_and_keeps_what_is_certain(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([started(), preview(0.5), tile(0), ended()]))
        desk.feed()
        assert len(desk.queue) == 2
        desk.stream.close()
        assert len(desk.queue) == 0
        assert desk.closed == [desk.stream]
        assert not desk.is_done()
        assert kinds(desk.stream.take()) == [SpeechStarted]
        assert desk.is_done()

    def test_a_score_that_comes_after_closing_is_no_event(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted([tile(0), ended()]))
        desk.feed()
        late = desk.waiting()
        desk.stream.close()
        desk.score(*late)
        assert desk.stream.take() == []

    def test_closing_twice_is_told_once(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted())
        desk.stream.close()
        desk.stream.close()
        assert desk.told == 1

    def test_leaving_the_block_closes(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted())
        with desk.stream as stream:
            assert not desk.is_done()
        assert desk.is_done()
        assert desk.closed == [stream]


class TestFailing:
    def test_an_error_is_told_once_the_events_before_it_are_taken(self, card: ModelCard) -> None:
        desk, cause = Desk(card, Scripted([started(), tile(0)])), RuntimeError("out of memory")
        desk.feed()
        desk.stream.fail(cause)
        assert desk.closed == [desk.stream]
        assert kinds(desk.stream.take()) == [SpeechStarted]
        assert not desk.is_done(), "the error is not told"
        with pytest.raises(PipelineError, match="because of an error: out of memory") as told:
            desk.stream.take()
        assert told.value.__cause__ is cause
        assert desk.is_done()

    def test_who_feeds_hears_of_the_error_too(self, card: ModelCard) -> None:
        desk, cause = Desk(card, Scripted()), RuntimeError("out of memory")
        desk.stream.fail(cause)
        with pytest.raises(PipelineError, match="because of an error: out of memory") as told:
            desk.feed()
        assert told.value.__cause__ is cause

    def test_what_fails_when_all_is_over_opens_nothing_again(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted())
        desk.stream.end()
        desk.stream.take()
        desk.stream.fail(RuntimeError("out of memory"))
        assert desk.is_done()

    def test_no_audio_is_refused_too_when_it_is_over(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted())
        desk.stream.close()
        with pytest.raises(PipelineError, match="the stream has ended"):
            desk.feed(0.0)

    def test_what_fails_after_closing_is_nobodys_matter(self, card: ModelCard) -> None:
        desk = Desk(card, Scripted())
        desk.stream.close()
        desk.stream.fail(RuntimeError("out of memory"))
        assert desk.stream.take() == []
        assert desk.is_done()
