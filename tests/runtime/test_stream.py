from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime.channel import ChannelAnalyzer
from emovox.runtime.model import Model, Outputs
from emovox.runtime.predictor import Predictor
from emovox.runtime.segmenter import Preview, RegionEnded, RegionStarted, SegmenterEvent
from emovox.runtime.stream import Stream
from emovox.runtime.tiles import Tile
from emovox.schema.errors import AudioError, ChannelError, ConfigError, NonFiniteError, ScaleError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.schema.result import Segment
from emovox.testing import RATE, speech, write_toy

SCORE_TOLERANCE = 1e-5
"""Another chunking puts a tile into another batch; float32 sums over a batch may round differently (1e-6)."""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(Model.load(write_toy(tmp_path_factory.mktemp("toy"))))


def dialogue() -> Samples:
    """Two channels, 8 s, with speech-like sound at different times, one high and one low."""
    silence = speech(150.0, seconds=1.0, level=0.0)
    first = np.concatenate([silence, speech(150.0, seconds=4.0), silence, silence, silence])
    second = np.concatenate([silence, silence, speech(260.0, seconds=1.5), silence, speech(200.0, seconds=3.5)])
    return np.stack([first, second])


def run(stream: Stream, chunks: Iterable[Samples]) -> list[Event]:
    return [event for chunk in chunks for event in stream.feed(chunk)] + stream.flush()


def but_previews(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, EmotionUpdated)]


def previews(events: Iterable[Event]) -> list[EmotionUpdated]:
    return [event for event in events if isinstance(event, EmotionUpdated)]


def of_channel(events: Iterable[Event], channel: int) -> list[Event]:
    return [event for event in events if event.channel == channel]


def without_scores(event: Event) -> tuple[object, ...]:
    base = (type(event), event.utterance, event.channel, event.start)
    if isinstance(event, SpeechStarted):
        return base
    if isinstance(event, EmotionUpdated):
        return (*base, event.end, event.label)
    return (*base, event.end, event.label, [(s.start, s.end, s.channel, s.label) for s in event.segments])


def assert_same(ours: Sequence[Event], theirs: Sequence[Event]) -> None:
    assert [without_scores(event) for event in ours] == [without_scores(event) for event in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        if not isinstance(mine, SpeechStarted) and not isinstance(other, SpeechStarted):
            assert mine.scores == pytest.approx(other.scores, abs=SCORE_TOLERANCE)
        if isinstance(mine, SpeechEnded) and isinstance(other, SpeechEnded):
            for left, right in zip(mine.segments, other.segments, strict=True):
                assert left.scores == pytest.approx(right.scores, abs=SCORE_TOLERANCE)


def test_speech_gives_started_then_ended_with_its_segments(predictor: Predictor) -> None:
    with predictor.stream(channels=2) as stream:
        events = run(stream, [dialogue()])
    for channel, n_regions in ((0, 1), (1, 2)):
        own = but_previews(of_channel(events, channel))
        assert [type(event) for event in own] == [SpeechStarted, SpeechEnded] * n_regions
        for started, ended in zip(own[::2], own[1::2], strict=True):
            assert isinstance(ended, SpeechEnded)
            assert (started.utterance, started.start) == (ended.utterance, ended.start)
            assert ended.segments[0].start == ended.start
            assert ended.segments[-1].end == ended.end
            assert all(segment.channel == channel for segment in ended.segments)
    assert len({event.utterance for event in events}) == 3


def test_regions_are_found_where_the_sound_is(predictor: Predictor) -> None:
    ended = run(predictor.stream(), [dialogue()[0]])[-1]
    assert isinstance(ended, SpeechEnded)
    assert ended.start == pytest.approx(1.0, abs=0.3)
    assert ended.end == pytest.approx(5.0, abs=0.4)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=40))
def test_any_chunking_gives_the_same_events(predictor: Predictor, sizes: list[int]) -> None:
    samples = dialogue()
    cuts = np.cumsum(sizes)
    chunks = np.split(samples, cuts[cuts < samples.shape[1]], axis=1)
    whole = run(predictor.stream(channels=2), [samples])
    parts = run(predictor.stream(channels=2), chunks)
    for channel in range(2):
        assert_same(of_channel(parts, channel), of_channel(whole, channel))


def test_previews_come_every_hop_while_the_speech_goes_on(predictor: Predictor) -> None:
    events = run(predictor.stream(), [dialogue()[0]])
    assert isinstance(events[0], SpeechStarted)
    assert isinstance(events[-1], SpeechEnded)
    seen = previews(events)
    assert [event.end for event in seen] == [1.5 + 0.5 * index for index in range(len(seen))]
    assert seen[-1].end == pytest.approx(events[-1].end, abs=0.5)
    assert all(event.end - event.start <= predictor.card.window for event in seen)
    assert seen[0].start == pytest.approx(events[0].start, abs=0.5)
    assert {event.utterance for event in seen} == {events[0].utterance}


@pytest.mark.parametrize("hop", [0.1, 0.26, 1.0])
def test_the_hop_is_a_setting(predictor: Predictor, hop: float) -> None:
    ends = [event.end for event in previews(run(predictor.stream(hop=hop), [dialogue()[0]]))]
    assert np.diff(ends) == pytest.approx(hop, abs=1e-3)
    assert ends[0] == pytest.approx(hop * np.ceil(1.3 / hop), abs=2 * hop)


@pytest.mark.parametrize("size", [160, 1600, 20_000])
def test_a_preview_comes_with_the_audio_that_ends_it(predictor: Predictor, size: int) -> None:
    samples, stream = dialogue()[0], predictor.stream()
    for first in range(0, len(samples), size):
        heard = min(len(samples), first + size) / RATE
        for event in previews(stream.feed(samples[first : first + size])):
            assert heard - size / RATE < event.end <= heard


def test_a_preview_is_the_mean_of_two_windows(predictor: Predictor) -> None:
    samples = np.concatenate([speech(150.0, seconds=4.0), speech(400.0, seconds=4.0)])
    seen = previews(run(predictor.stream(), [samples]))

    def scores(event: EmotionUpdated) -> Samples:
        window = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.float32) / 32768
        found: Samples = predictor.model.run(window[None, round(event.start * RATE) : round(event.end * RATE)]).scores[
            0
        ]
        return found

    for before, event in pairwise(seen):
        mean = (scores(before) + scores(event)) / 2
        assert list(event.scores.values()) == pytest.approx(mean, abs=SCORE_TOLERANCE)
    assert list(seen[0].scores.values()) == pytest.approx(scores(seen[0]), abs=SCORE_TOLERANCE)


def test_previews_change_no_verdict(predictor: Predictor) -> None:
    samples = dialogue()[0]
    (ended,) = [event for event in run(predictor.stream(hop=0.1), [samples]) if isinstance(event, SpeechEnded)]
    result = predictor.predict((samples, RATE))
    assert [without(segment) for segment in ended.segments] == [without(segment) for segment in result.segments]
    assert ended.scores == pytest.approx(result.scores, abs=SCORE_TOLERANCE)


def without(segment: Segment) -> tuple[object, ...]:
    return segment.start, segment.end, segment.channel, segment.label


def test_interleaved_streams_do_not_disturb_each_other(predictor: Predictor) -> None:
    first, second = dialogue()
    alone = [run(predictor.stream(), [samples]) for samples in (first, second)]
    left, right = predictor.stream(), predictor.stream()
    found: tuple[list[Event], list[Event]] = ([], [])
    for start in range(0, len(first), 1600):
        found[0].extend(left.feed(first[start : start + 1600]))
        found[1].extend(right.feed(second[start : start + 1600]))
    assert_same([*found[0], *left.flush()], alone[0])
    assert_same([*found[1], *right.flush()], alone[1])


def test_channels_of_one_stream_answer_as_alone(predictor: Predictor) -> None:
    samples = dialogue()
    both = run(predictor.stream(channels=2), [samples])
    for channel in range(2):
        alone = [e for e in run(predictor.stream(), [samples[channel]]) if isinstance(e, SpeechEnded)]
        together = [e for e in of_channel(both, channel) if isinstance(e, SpeechEnded)]
        assert [(e.start, e.end) for e in together] == [(e.start, e.end) for e in alone]
        for mine, other in zip(together, alone, strict=True):
            assert mine.scores == pytest.approx(other.scores, abs=SCORE_TOLERANCE)


@pytest.mark.parametrize("finish", [Stream.reset, Stream.flush])
def test_a_used_stream_begins_anew(predictor: Predictor, finish: Callable[[Stream], object]) -> None:
    fresh = run(predictor.stream(), [dialogue()[0]])
    stream = predictor.stream()
    stream.feed(dialogue()[1][: 3 * RATE])
    finish(stream)
    assert_same(run(stream, [dialogue()[0]]), fresh)


def test_leaving_the_block_forgets_the_audio(predictor: Predictor) -> None:
    with predictor.stream() as stream:
        stream.feed(dialogue()[0][: 4 * RATE])
    assert stream.flush() == []


def test_channels_have_the_numbers_that_they_are_given(predictor: Predictor) -> None:
    events = run(predictor.stream(channels=[5, 2]), [dialogue()])
    assert {event.channel for event in events} == {5, 2}
    assert {s.channel for e in events if isinstance(e, SpeechEnded) and e.channel == 2 for s in e.segments} == {2}
    with pytest.raises(ChannelError, match=r"channels is \[\], expected at least 1"):
        predictor.stream(channels=[])


def test_threshold_withholds_labels_and_keeps_scores(predictor: Predictor) -> None:
    ended = run(predictor.stream(threshold=1.0), [dialogue()[0]])[-1]
    assert isinstance(ended, SpeechEnded)
    assert ended.label is None
    assert 0 < ended.confidence < 1
    assert [segment.label for segment in ended.segments] == [None] * len(ended.segments)
    assert sum(ended.scores.values()) == pytest.approx(1, abs=1e-5)


def test_silence_and_empty_chunks_give_nothing(predictor: Predictor) -> None:
    stream = predictor.stream()
    assert stream.feed(np.zeros(0, np.float32)) == []
    assert run(stream, [np.zeros(3 * RATE, np.float32)]) == []


def test_the_input_is_not_written_to(predictor: Predictor) -> None:
    samples = dialogue()
    before = samples.copy()
    samples.setflags(write=False)
    run(predictor.stream(channels=2), [samples])
    np.testing.assert_array_equal(samples, before)


def test_double_precision_is_taken(predictor: Predictor) -> None:
    samples = dialogue()[0]
    assert_same(run(predictor.stream(), [samples.astype(np.float64)]), run(predictor.stream(), [samples]))


def test_integers_are_scaled_by_their_type(predictor: Predictor) -> None:
    whole = np.rint(dialogue()[0] * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
    scaled = whole.astype(np.float32) / 2**15
    assert_same(run(predictor.stream(), [whole]), run(predictor.stream(), [scaled]))


def test_bad_chunks_are_refused_and_not_taken(predictor: Predictor) -> None:
    stream = predictor.stream()
    with pytest.raises(AudioError, match=r"stream: got samples of type int64, expected float .*convert them"):
        stream.feed(np.zeros(9, np.int64))
    with pytest.raises(ScaleError, match=r"peak of 20000, expected numbers in \[-1, 1\]; divide them by 32768"):
        stream.feed(np.array([0.5, 20000.0], np.float32))
    with pytest.raises(AudioError, match=r"of shape \[1, 1, 9\]"):
        stream.feed(np.zeros((1, 1, 9), np.float32))
    with pytest.raises(ChannelError, match="samples have 2 channels, this stream has 1"):
        stream.feed(np.zeros((2, 9), np.float32))
    with pytest.raises(NonFiniteError, match="NaN, infinity"):
        stream.feed(np.array([0, np.inf], np.float32))
    with pytest.raises(NonFiniteError, match="more than any scale has"):
        stream.feed(np.array([0, 1e300]))
    with pytest.raises(AudioError, match="samples are object"):
        stream.feed(None)  # type: ignore[arg-type]
    assert_same(run(stream, [dialogue()[0]]), run(predictor.stream(), [dialogue()[0]]))


def test_stream_arguments_are_checked(predictor: Predictor) -> None:
    with pytest.raises(ChannelError, match="channels is 0, expected at least 1"):
        predictor.stream(channels=0)
    with pytest.raises(ConfigError, match=r"threshold is 1\.5, expected a probability from 0 to 1"):
        predictor.stream(threshold=1.5)
    for hop in (0.0, -0.5, 0.03, float("nan")):
        with pytest.raises(ConfigError, match=rf"hop is {hop} s, expected a multiple of 0\.02 s"):
            predictor.stream(hop=hop)


class Scripted:
    """A cutter that says what it was told to, call by call."""

    def __init__(self, *calls: list[SegmenterEvent]) -> None:
        self.calls = list(calls)

    def feed(self, samples: Samples) -> list[SegmenterEvent]:
        assert samples.ndim == 1
        return self.calls.pop(0)

    def flush(self) -> list[SegmenterEvent]:
        return self.calls.pop(0)

    def reset(self) -> None:
        self.calls = []


class FirstSample:
    """Two labels; the second's score is the first sample of the tile."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, batch: Samples) -> Outputs:
        self.batches.append(len(batch))
        return Outputs(np.stack([1 - batch[:, 0], batch[:, 0]], axis=1), batch, batch)


def tile(start: float, end: float, score: float, *, region: int) -> Tile:
    samples = np.full(round((end - start) * RATE), score, np.float32)
    return Tile(round(start * RATE), round(end * RATE), samples, region)


def preview(end: float, score: float, *, region: int) -> Preview:
    samples = np.full(round(end * RATE), score, np.float32)
    return Preview(0, round(end * RATE), samples, region)


def test_regions_collect_their_tiles_over_calls(tmp_path: Path) -> None:
    card = Model.load(write_toy(tmp_path, labels=("sad", "happy"))).card
    left = Scripted(
        [RegionStarted(0, 0), tile(0, 3, 0.0, region=0)],
        [
            preview(3.5, 0.25, region=0),
            tile(3, 4, 1.0, region=0),
            RegionEnded(0, 0, 4 * RATE),
            RegionStarted(1, 5 * RATE),
        ],
        [tile(5, 6, 1.0, region=1), RegionEnded(1, 5 * RATE, 6 * RATE)],
    )
    right = Scripted([RegionStarted(0, 8000), tile(0.5, 3.5, 1.0, region=0)], [RegionEnded(0, 8000, 56000)], [])
    model = FirstSample()
    stream = Stream(
        model,
        [
            ChannelAnalyzer(card, cutter, index=index, channels=2, channel=channel, threshold=0.5)
            for index, (cutter, channel) in enumerate([(left, 3), (right, 7)])
        ],
        sample_rate=RATE,
    )
    silence = np.zeros((2, 1), np.float32)
    calls = [stream.feed(silence), stream.feed(silence), stream.flush()]
    assert [[(type(e), e.utterance, e.channel, e.start) for e in events] for events in calls] == [
        [(SpeechStarted, 0, 3, 0.0), (SpeechStarted, 1, 7, 0.5)],
        [(EmotionUpdated, 0, 3, 0.0), (SpeechEnded, 0, 3, 0.0), (SpeechStarted, 2, 3, 5.0), (SpeechEnded, 1, 7, 0.5)],
        [(SpeechEnded, 2, 3, 5.0)],
    ]
    updated, ended = calls[1][:2]
    assert isinstance(updated, EmotionUpdated)
    assert (updated.label, updated.scores) == ("sad", {"sad": 0.75, "happy": 0.25})
    assert isinstance(ended, SpeechEnded)
    assert ended.scores == {"sad": 0.75, "happy": 0.25}
    assert (ended.label, ended.confidence, ended.end) == ("sad", 0.75, 4.0)
    assert [segment.label for segment in ended.segments] == ["sad", "happy"]
    # Tiles of one call and one length share a batch, over the channels too.
    assert model.batches == [2, 1, 1, 1]
