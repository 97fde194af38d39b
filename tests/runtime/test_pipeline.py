"""Many streams over one model: the answers of one alone, bounded queues, previews that give way and nothing else."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime import pipeline as pipelines
from emovox.runtime.channel_voice import ChannelVoice
from emovox.runtime.live_stream import MOST_EVENTS, MOST_TILES, LiveStream
from emovox.runtime.model import Model, Outputs
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor
from emovox.runtime.segmenter import Segmenter
from emovox.schema.errors import (
    AudioError,
    ChannelError,
    ConfigError,
    ModelError,
    NonFiniteError,
    OverloadError,
    PipelineError,
)
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.testing import speech, write_toy

SCORE_TOLERANCE = 1e-5
PATIENCE = 30.0
"""Seconds after which a test gives up waiting for another thread."""


class Held:
    """The toy model, which answers when it is let; counts the windows of its batches."""

    def __init__(self, model: Model) -> None:
        self.card, self.size, self._model = model.card, model.size, model
        self.batches: list[tuple[int, int]] = []
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.broken = False

    def run(self, batch: Samples) -> Outputs:
        self.begun.release()
        assert self.gate.wait(PATIENCE)
        self.batches.append(batch.shape)
        if self.broken:
            raise RuntimeError("out of memory")
        return self._model.run(batch)


def pipeline_of(held: Held) -> Pipeline:
    return Pipeline(Predictor(cast(Model, held)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture
def held(model: Model) -> Iterator[Held]:
    made = Held(model)
    yield made
    made.gate.set()


def silence(seconds: float) -> Samples:
    return speech(150.0, seconds=seconds, level=0.0)


def call(f0: float, *, seconds: float = 4.0) -> Samples:
    return np.concatenate([silence(0.7), speech(f0, seconds=seconds), silence(1.2)])


def rest(stream: LiveStream) -> list[Event]:
    """All events up to the end."""
    events: list[Event] = []
    while not stream.is_done:
        assert stream.wait(PATIENCE)
        events += stream.take()
    return events + stream.take()


def run(stream: LiveStream, chunks: Sequence[Samples]) -> list[Event]:
    events: list[Event] = []
    for chunk in chunks:
        stream.feed(chunk, timeout=PATIENCE)
        events += stream.take()
    stream.end()
    return events + rest(stream)


def feed_for_ever(stream: LiveStream, chunk: Samples) -> None:
    while True:
        stream.feed(chunk, timeout=1.0)


def drain(stream: LiveStream) -> None:
    while not stream.is_done:
        assert stream.wait(PATIENCE)
        stream.take()


def but_previews(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, EmotionUpdated)]


def assert_same(ours: Sequence[Event], theirs: Sequence[Event]) -> None:
    assert [(type(e), e.utterance, e.channel, e.start) for e in ours] == [
        (type(e), e.utterance, e.channel, e.start) for e in theirs
    ]
    for mine, other in zip(ours, theirs, strict=True):
        if isinstance(mine, EmotionUpdated | SpeechEnded) and isinstance(other, EmotionUpdated | SpeechEnded):
            assert (mine.end, mine.label) == (other.end, other.label)
            assert mine.scores == pytest.approx(other.scores, abs=SCORE_TOLERANCE)
        if isinstance(mine, SpeechEnded) and isinstance(other, SpeechEnded):
            assert [(s.start, s.end) for s in mine.segments] == [(s.start, s.end) for s in other.segments]


def alone(model: Model, samples: Samples, *, channels: int = 1) -> list[Event]:
    stream = Predictor(model).stream(channels=channels)
    return stream.feed(samples) + stream.flush()


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 30_000), max_size=30), threads=st.integers(1, 3))
def test_speech_and_verdicts_are_those_of_a_stream_alone(model: Model, sizes: list[int], threads: int) -> None:
    samples = np.stack([call(150.0), call(400.0)])
    cuts = np.cumsum([0, *sizes])
    with Pipeline(Predictor(model), threads=threads) as pipeline:
        events = run(pipeline.open(channels=2), np.split(samples, cuts[cuts < samples.shape[1]], axis=1))
        counts = pipeline.counts
    for channel in range(2):
        own = [event for event in events if event.channel == channel]
        expected = [event for event in alone(model, samples, channels=2) if event.channel == channel]
        assert_same(but_previews(own), but_previews(expected))
    assert counts.dropped == counts.waiting == 0


def test_fed_no_faster_than_it_is_scored_the_previews_are_the_same_too(model: Model) -> None:
    samples = call(200.0)
    with Pipeline(Predictor(model)) as pipeline:
        stream, events = pipeline.open(), []
        for first in range(0, samples.size, 1600):
            stream.feed(samples[first : first + 1600])
            while pipeline.counts.waiting or stream._pending:
                time.sleep(0.001)
            events += stream.take()
        stream.end()
        events += rest(stream)
        assert stream.given_up == 0
    assert_same(events, alone(model, samples))


def test_many_streams_do_not_mix(model: Model) -> None:
    pitches = np.geomspace(110, 500, 12)
    with Pipeline(Predictor(model), threads=2) as pipeline:
        streams = [pipeline.open() for _ in pitches]
        found: list[list[Event]] = [[] for _ in pitches]
        calls = [call(pitch, seconds=1.0 + index / 4) for index, pitch in enumerate(pitches)]
        for first in range(0, max(map(len, calls)), 3200):
            for stream, samples, events in zip(streams, calls, found, strict=True):
                stream.feed(samples[first : first + 3200])
                events += stream.take()
        for stream in streams:
            stream.end()
        for samples, stream, events in zip(calls, streams, found, strict=True):
            assert_same(but_previews(events + rest(stream)), but_previews(alone(model, samples)))
        assert pipeline.counts.streams == len(streams)


def test_windows_of_one_length_share_a_batch(held: Held) -> None:
    with pipeline_of(held) as pipeline:
        streams = [pipeline.open(hop=10.0) for _ in range(pipelines.LARGEST_BATCH + 3)]
        for stream in streams:
            stream.feed(call(150.0, seconds=2.0))
        assert held.begun.acquire(timeout=PATIENCE)
        held.gate.set()
        for stream in streams:
            stream.end()
            assert [type(event) for event in rest(stream)] == [SpeechStarted, SpeechEnded]
    batches = [n for n, _ in held.batches]
    assert sum(batches) == len(streams)
    assert pipelines.LARGEST_BATCH in batches
    assert max(batches) == pipelines.LARGEST_BATCH


class TestOverload:
    def test_previews_give_way_and_are_counted(self, model: Model, held: Held) -> None:
        samples = np.concatenate([speech(200.0, seconds=3.9), silence(1.0)])
        with pipeline_of(held) as pipeline:
            stream = pipeline.open()
            stream.feed(samples)
            stream.end()
            assert held.begun.acquire(timeout=PATIENCE)
            merged = pipeline.counts.merged
            held.gate.set()
            events = rest(stream)
        expected = alone(model, samples)
        assert_same(but_previews(events), but_previews(expected))
        shown = len(events) - len(but_previews(events))
        assert merged >= 2
        assert shown + stream.given_up == len(expected) - len(but_previews(expected))

    def test_the_latest_window_is_the_one_that_is_kept(self, held: Held) -> None:
        with pipeline_of(held) as pipeline:
            stream = pipeline.open()
            stream.feed(speech(200.0, seconds=4.0))
            held.gate.set()
            stream.end()
            updates = [event for event in rest(stream) if isinstance(event, EmotionUpdated)]
        assert updates[-1].end == 4.0

    def test_over_all_streams_previews_are_limited(self, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pipelines, "PREVIEWS_WAITING", 3)
        with pipeline_of(held) as pipeline:
            streams = [pipeline.open() for _ in range(8)]
            for stream in streams:
                stream.feed(speech(200.0, seconds=1.2))
            counts = pipeline.counts
            assert counts.waiting <= 3
            assert counts.dropped >= 8 - 3 - 1
            held.gate.set()
            for stream in streams:
                stream.end()
                assert [type(event) for event in but_previews(rest(stream))] == [SpeechStarted, SpeechEnded]

    def test_a_source_that_is_too_fast_has_to_wait(self, held: Held) -> None:
        with pipeline_of(held) as pipeline:
            stream = pipeline.open()
            second = speech(200.0, seconds=1.0)
            given = 0
            while stream.has_room and given < 100:
                stream.feed(second)
                given += 1
            assert given <= 3 * (MOST_TILES + 2)
            with pytest.raises(OverloadError, match=r"no room for more audio in time.*no faster than") as refused:
                stream.feed(second, timeout=0.01)
            assert refused.value.taken == 0
            fed = threading.Thread(target=stream.feed, args=(second,))
            fed.start()
            held.gate.set()
            fed.join(PATIENCE)
            assert not fed.is_alive()

    def test_when_there_is_room_again_it_is_told(self, model: Model) -> None:
        words = np.concatenate([speech(200.0, seconds=0.5), silence(0.9)])
        told = threading.Event()
        with Pipeline(Predictor(model)) as pipeline:
            stream = pipeline.open(notify=told.set)
            with pytest.raises(OverloadError):
                feed_for_ever(stream, words)
            told.clear()
            stream.take()
            assert told.is_set()
            assert stream.has_room

    def test_how_much_was_taken_is_told(self, held: Held) -> None:
        with pipeline_of(held) as pipeline:
            stream = pipeline.open()
            samples = speech(200.0, seconds=60.0)
            with pytest.raises(OverloadError) as refused:
                stream.feed(samples, timeout=0.01)
            taken = refused.value.taken
            assert 0 < taken < samples.size
            held.gate.set()
            stream.feed(samples[taken:], timeout=PATIENCE)
            stream.end()
            (ended,) = [event for event in rest(stream) if isinstance(event, SpeechEnded)]
        assert ended.end == pytest.approx(60.0, abs=0.3)

    def test_a_reader_that_takes_nothing_stops_its_own_stream_only(self, model: Model) -> None:
        words = np.concatenate([speech(200.0, seconds=0.5), silence(0.9)])
        with Pipeline(Predictor(model)) as pipeline:
            deaf, other = pipeline.open(), pipeline.open()
            with pytest.raises(OverloadError):
                feed_for_ever(deaf, words)
            events = run(other, [words] * 3)
            assert sum(isinstance(event, SpeechEnded) for event in events) == 3
            waiting = deaf.take()
            assert len(but_previews(waiting)) <= MOST_EVENTS + 2
            deaf.feed(words, timeout=PATIENCE)

    def test_previews_that_nobody_took_are_replaced(self, model: Model) -> None:
        with Pipeline(Predictor(model)) as pipeline:
            stream = pipeline.open()
            for piece in np.split(speech(200.0, seconds=4.0), 40):
                stream.feed(piece)
                while stream._pending:
                    time.sleep(0.001)
            events = stream.take()
            assert pipeline.counts.unread == stream.given_up > 3
        assert [type(event) for event in events] == [SpeechStarted, EmotionUpdated]
        assert isinstance(events[1], EmotionUpdated)
        assert events[1].end == 4.0


class TestFailure:
    def test_a_model_that_fails_ends_the_streams_it_failed_on(self, held: Held) -> None:
        told = threading.Event()
        with pipeline_of(held) as pipeline:
            stream = pipeline.open(notify=told.set)
            held.broken = True
            held.gate.set()
            stream.feed(speech(200.0, seconds=0.4))
            assert [type(event) for event in stream.take()] == [SpeechStarted]
            stream.feed(speech(200.0, seconds=0.8))
            assert stream.wait(PATIENCE)
            assert told.is_set()
            for use in (stream.take, stream.end):
                with pytest.raises(PipelineError, match="ended because of an error: out of memory"):
                    use()
            held.broken = False
            assert [type(e) for e in but_previews(run(pipeline.open(), [call(150.0)]))] == [SpeechStarted, SpeechEnded]

    def test_an_error_is_told_after_the_events_before_it(self, held: Held) -> None:
        with pipeline_of(held) as pipeline:
            stream = pipeline.open()
            held.broken = True
            stream.feed(speech(200.0, seconds=1.2))
            stream.end()
            held.gate.set()
            while pipeline.counts.streams:
                time.sleep(0.001)
            assert not stream.is_done
            assert [type(event) for event in stream.take()] == [SpeechStarted]
            assert not stream.is_done
            with pytest.raises(PipelineError, match="out of memory"):
                stream.take()
            assert stream.is_done

    def test_a_voice_that_breaks_ends_its_own_stream_only(
        self, held: Held, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> Samples:
            raise ModelError("numbers of no voice")

        monkeypatch.setattr(Held, "adaptation", model.adaptation, raising=False)
        monkeypatch.setattr(Held, "default_profile", model.default_profile, raising=False)
        with pipeline_of(held) as pipeline:
            adapted, plain = pipeline.open(adapt=True), pipeline.open()
            monkeypatch.setattr(ChannelVoice, "scores", broken)
            for stream in (adapted, plain):  # their windows share a batch
                stream.feed(speech(200.0, seconds=1.0))
                stream.end()
            held.gate.set()
            assert [type(event) for event in but_previews(rest(plain))] == [SpeechStarted, SpeechEnded]
            with pytest.raises(PipelineError, match="numbers of no voice"):
                drain(adapted)

    def test_a_listener_that_breaks_ends_its_own_stream_only(self, model: Model) -> None:
        def broken() -> None:
            if threading.current_thread().name == "emovox-model":
                raise RuntimeError("no such window")

        with Pipeline(Predictor(model)) as pipeline:
            deaf = pipeline.open(notify=broken)
            deaf.feed(speech(200.0, seconds=1.0))
            assert len(but_previews(run(pipeline.open(), [call(200.0)]))) == 2
            with pytest.raises(PipelineError, match="no such window"):
                drain(deaf)

    def test_bad_audio_is_refused_and_not_taken(self, model: Model) -> None:
        with Pipeline(Predictor(model)) as pipeline:
            stream = pipeline.open()
            with pytest.raises(NonFiniteError):
                stream.feed(np.array([0, np.nan], np.float32))
            with pytest.raises(AudioError, match="samples of type int64"):
                stream.feed(np.zeros(9, np.int64))
            with pytest.raises(ChannelError):
                stream.feed(np.zeros((2, 9), np.float32))
            assert_same(but_previews(run(stream, [call(150.0)])), but_previews(alone(model, call(150.0))))

    def test_arguments_are_checked(self, model: Model) -> None:
        with pytest.raises(ConfigError, match="threads is 0, expected at least 1"):
            Pipeline(Predictor(model), threads=0)
        with Pipeline(Predictor(model)) as pipeline, pytest.raises(ChannelError, match="channels is 0"):
            pipeline.open(channels=0)


class TestClosing:
    def test_what_waits_is_forgotten(self, held: Held) -> None:
        with pipeline_of(held) as pipeline:
            busy, gone = pipeline.open(), pipeline.open()
            busy.feed(speech(200.0, seconds=1.2))
            assert held.begun.acquire(timeout=PATIENCE)
            gone.feed(speech(200.0, seconds=5.0))
            assert pipeline.counts.waiting
            gone.close()
            gone.close()
            counts = pipeline.counts
            assert (counts.streams, counts.waiting) == (1, 0)
            with pytest.raises(PipelineError, match="the stream has ended, expected an open one"):
                gone.feed(silence(1.0))
            assert [type(event) for event in gone.take()] == [SpeechStarted], "what was certain before stays"
            assert gone.is_done
            held.gate.set()

    def test_of_a_stream_that_leaves_in_the_middle_of_a_batch_nothing_remains(self, held: Held) -> None:
        with pipeline_of(held) as pipeline:
            with pipeline.open() as stream:
                stream.feed(speech(200.0, seconds=1.2))
                assert held.begun.acquire(timeout=PATIENCE)
            held.gate.set()
            assert_same(
                but_previews(run(pipeline.open(), [call(150.0)])), but_previews(alone(held._model, call(150.0)))
            )
            assert pipeline.counts.streams == 1

    def test_who_waits_for_a_stream_hears_that_it_is_closed(self, model: Model) -> None:
        told = threading.Event()
        with Pipeline(Predictor(model)) as pipeline:
            stream = pipeline.open(notify=told.set)
            stream.feed(call(150.0))
        assert told.is_set()
        drain(stream)
        with pytest.raises(PipelineError, match="open another"):
            stream.end()

    def test_after_the_end_nothing_is_taken(self, model: Model) -> None:
        with Pipeline(Predictor(model)) as pipeline:
            stream = pipeline.open()
            run(stream, [call(150.0)])
            assert stream.is_done
            with pytest.raises(PipelineError, match="open another"):
                stream.feed(silence(1.0))
            with pytest.raises(PipelineError, match="open another"):
                stream.end()

    def test_a_closed_pipeline_opens_nothing_and_keeps_no_thread(self, model: Model) -> None:
        before = threading.active_count()
        with Pipeline(Predictor(model), threads=3) as pipeline:
            assert threading.active_count() == before + 3
            stream = pipeline.open()
        assert threading.active_count() == before
        with pytest.raises(PipelineError, match="the pipeline is closed"):
            pipeline.open()
        with pytest.raises(PipelineError, match="has ended"):
            stream.feed(silence(1.0))


def test_notice_is_given_without_the_lock(model: Model) -> None:
    """What is called may use the stream, from its own thread too."""
    seen: list[bool] = []
    with Pipeline(Predictor(model)) as pipeline:
        stream = pipeline.open(notify=lambda: seen.append(stream.is_done))
        stream.feed(call(150.0))
        stream.end()
        rest(stream)
        assert seen


def test_open_and_silent_streams_cost_little_memory(model: Model) -> None:
    with Pipeline(Predictor(model)) as pipeline:
        streams = [pipeline.open() for _ in range(20)]
        for _ in range(100):
            for stream in streams:
                stream.feed(silence(0.1))
        for stream in streams:
            (segmenter,) = [voice.cutter for voice in stream.analyzers]
            assert isinstance(segmenter, Segmenter)
            assert segmenter.nbytes <= 300_000
            assert stream.take() == []


def test_a_waiting_thread_keeps_nothing_of_the_last_speaker(model: Model) -> None:
    gc.collect()
    gc.disable()
    try:
        with Pipeline(Predictor(model), threads=2) as pipeline:
            stream = pipeline.open()
            voice = weakref.ref(stream.analyzers[0])
            assert "SpeechEnded" in {type(event).__name__ for event in run(stream, [call(150.0)])}
            stream.close()
            del stream
            deadline = time.monotonic() + PATIENCE
            while voice() is not None and time.monotonic() < deadline:
                time.sleep(0.01)
            assert voice() is None
    finally:
        gc.enable()
