"""One channel by itself: marks and scores in, events out; `test_stream.py` has the channels of a stream together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.runtime.batching import Scored
from emovox.runtime.channel import ChannelAnalyzer, live_analyzers, make_analyzers
from emovox.runtime.model import Model
from emovox.runtime.segmenter import Preview, RegionEnded, RegionStarted, SegmenterEvent
from emovox.runtime.tiles import Tile
from emovox.schema.card import ModelCard
from emovox.schema.errors import ChannelError, ConfigError
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted
from emovox.testing import RATE, speech, write_toy

ANY = np.zeros(1, np.float32)
"""Audio of a mark: a voice does not look at it."""


class Deaf:
    """A cutter that finds nothing, and counts how often it began again."""

    def __init__(self) -> None:
        self.resets = 0

    def feed(self, samples: Samples) -> list[SegmenterEvent]:  # noqa: ARG002
        return []

    def flush(self) -> list[SegmenterEvent]:
        return []

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    path = write_toy(tmp_path_factory.mktemp("toy"), labels=("sad", "happy"), threshold=0.75, hop=0.2)
    return Model.load(path).card


def voice(card: ModelCard, cutter: Deaf | None = None, *, index: int = 0, channels: int = 1) -> ChannelAnalyzer:
    return ChannelAnalyzer(card, cutter or Deaf(), index=index, channels=channels, channel=5, threshold=0.5)


def scores(*happy: float) -> Iterator[Scored]:
    """Scores of both labels, by that of the second; quarters are exact in float32."""
    return iter([Scored(np.array([1 - each, each], np.float32), np.zeros(2, np.float32)) for each in happy])


def tile(start: float, end: float, *, region: int = 0) -> Tile:
    return Tile(round(start * RATE), round(end * RATE), ANY, region)


def preview(end: float, *, region: int = 0) -> Preview:
    return Preview(0, round(end * RATE), ANY, region)


def started(start: float, *, region: int = 0) -> RegionStarted:
    return RegionStarted(region, round(start * RATE))


def ended(start: float, end: float, *, region: int = 0) -> RegionEnded:
    return RegionEnded(region, round(start * RATE), round(end * RATE))


def found(voice: ChannelAnalyzer, samples: Samples) -> list[SegmenterEvent]:
    """What the cutter of a voice finds in a whole recording."""
    return voice.cutter.feed(samples) + voice.cutter.flush()


def only_ended(events: Sequence[Event]) -> SpeechEnded:
    (event,) = [event for event in events if isinstance(event, SpeechEnded)]
    return event


def test_a_verdict_is_the_mean_of_its_tiles_by_their_length(card: ModelCard) -> None:
    marks: list[SegmenterEvent] = [started(1.0), tile(1.0, 4.0), tile(4.0, 5.0), ended(1.0, 5.0)]
    first, last = voice(card).advance(marks, scores(0.0, 1.0))
    assert first == SpeechStarted(0, 5, 1.0)
    assert isinstance(last, SpeechEnded)
    assert (last.utterance, last.channel, last.start, last.end) == (0, 5, 1.0, 5.0)
    assert (last.label, last.confidence, last.scores) == ("sad", 0.75, {"sad": 0.75, "happy": 0.25})
    assert [(s.start, s.end, s.channel, s.label) for s in last.segments] == [
        (1.0, 4.0, 5, "sad"),
        (4.0, 5.0, 5, "happy"),
    ]


def test_marks_may_come_one_by_one(card: ModelCard) -> None:
    """A live stream hands them over as they are scored."""
    marks: list[SegmenterEvent] = [started(0.0), preview(0.5), tile(0.0, 3.0), tile(3.0, 4.0), ended(0.0, 4.0)]
    slow, given = voice(card), scores(0.5, 0.25, 1.0)
    assert [event for mark in marks for event in slow.advance([mark], given)] == voice(card).advance(
        marks, scores(0.5, 0.25, 1.0)
    )


def test_a_score_is_asked_for_tiles_and_previews_only(card: ModelCard) -> None:
    given = scores(0.25, 1.0, 0.5)
    voice(card).advance([started(0.0), preview(0.5), tile(0.0, 0.8), ended(0.0, 0.8)], given)
    assert len(list(given)) == 1


def test_a_preview_is_smoothed_and_enters_no_verdict(card: ModelCard) -> None:
    marks: list[SegmenterEvent] = [started(0.0), preview(0.5), preview(1.0), tile(0.0, 1.0), ended(0.0, 1.0)]
    events = voice(card).advance(marks, scores(0.0, 0.5, 1.0))
    updates = [event for event in events if isinstance(event, EmotionUpdated)]
    assert [event.scores["happy"] for event in updates] == [0.0, 0.25]
    assert only_ended(events).scores["happy"] == 1.0


def test_a_region_knows_nothing_of_the_one_before(card: ModelCard) -> None:
    marks: list[SegmenterEvent] = [
        *(started(0.0), preview(0.5), tile(0.0, 1.0), ended(0.0, 1.0)),
        *(started(2.0, region=1), preview(2.5, region=1), tile(2.0, 3.0, region=1), ended(2.0, 3.0, region=1)),
    ]
    events = voice(card).advance(marks, scores(1.0, 1.0, 0.0, 0.0))
    updated, verdict = events[4:]
    assert isinstance(updated, EmotionUpdated)
    assert updated.scores == {"sad": 1.0, "happy": 0.0}, "smoothing begins anew"
    assert isinstance(verdict, SpeechEnded)
    assert verdict.scores == {"sad": 1.0, "happy": 0.0}
    assert len(verdict.segments) == 1


def test_below_the_threshold_a_label_is_withheld_and_its_confidence_is_not(card: ModelCard) -> None:
    shy = ChannelAnalyzer(card, Deaf(), index=0, channels=1, channel=0, threshold=0.8)
    _, updated, verdict = shy.advance([started(0.0), preview(0.5), tile(0.0, 1.0), ended(0.0, 1.0)], scores(0.75, 0.25))
    assert isinstance(updated, EmotionUpdated)
    assert isinstance(verdict, SpeechEnded)
    assert (updated.label, updated.confidence) == (None, 0.75)
    assert (verdict.label, verdict.confidence, verdict.segments[0].label) == (None, 0.75, None)


def test_utterances_of_several_channels_never_share_a_number(card: ModelCard) -> None:
    marks: list[SegmenterEvent] = [started(float(region), region=region) for region in range(4)]
    numbers = [
        event.utterance for index in range(3) for event in voice(card, index=index, channels=3).advance(marks, scores())
    ]
    assert sorted(numbers) == list(range(12))


def test_times_are_whole_milliseconds(card: ModelCard) -> None:
    (event,) = voice(card).advance([RegionStarted(0, 12345)], scores())
    assert event.start == 0.772  # 12345 / 16000 = 0.7715625


def test_beginning_again_forgets_the_open_region_and_the_cutter_too(card: ModelCard) -> None:
    cutter = Deaf()
    used = voice(card, cutter)
    used.advance([started(0.0), preview(0.5), tile(0.0, 3.0)], scores(1.0, 1.0))
    used.reset()
    assert cutter.resets == 1
    marks: list[SegmenterEvent] = [started(0.0), preview(0.5), tile(0.0, 1.0), ended(0.0, 1.0)]
    assert used.advance(marks, scores(0.25, 0.0)) == voice(card).advance(marks, scores(0.25, 0.0))


class TestMaking:
    def test_channels_have_their_numbers_and_utterances_of_their_own(self, card: ModelCard) -> None:
        made = make_analyzers(card, [4, 9], threshold=0.5, hop=None)
        events = [each.advance([started(0.0)], scores())[0] for each in made]
        assert [(event.channel, event.utterance) for event in events] == [(4, 0), (9, 1)]

    def test_channels_do_not_share_a_cutter(self, card: ModelCard) -> None:
        speaking, silent = make_analyzers(card, [0, 1], threshold=0.5, hop=None)
        assert speaking.cutter.feed(speech(150.0, seconds=2.0))
        assert silent.cutter.flush() == []

    def test_a_count_numbers_them_from_0(self, card: ModelCard) -> None:
        events = [each.advance([started(0.0)], scores())[0] for each in live_analyzers(card, channels=3)]
        assert [event.channel for event in events] == [0, 1, 2]

    def test_without_a_hop_nothing_is_looked_at_before_it_is_certain(self, card: ModelCard) -> None:
        (quiet,) = make_analyzers(card, [0], threshold=0.5, hop=None)
        assert not [mark for mark in found(quiet, speech(150.0, seconds=2.0)) if isinstance(mark, Preview)]

    def test_without_voice_activity_silence_counts_as_speech(self, card: ModelCard) -> None:
        (all_ears,) = make_analyzers(card, [0], threshold=0.5, hop=None, speech_only=False)
        marks = found(all_ears, np.zeros(2 * RATE, np.float32))
        assert [(mark.start, mark.end) for mark in marks if isinstance(mark, RegionEnded)] == [(0, 2 * RATE)]

    @pytest.mark.parametrize(("asked", "hop"), [(None, 0.2), (0.5, 0.5)])
    def test_previews_come_at_the_hop_of_the_card_unless_told(
        self, card: ModelCard, asked: float | None, hop: float
    ) -> None:
        (live,) = live_analyzers(card, channels=1, hop=asked)
        ends = [mark.end for mark in found(live, speech(150.0, seconds=2.0)) if isinstance(mark, Preview)]
        assert np.diff(ends).tolist() == [round(hop * RATE)] * (len(ends) - 1)
        assert len(ends) > 1

    @pytest.mark.parametrize(("asked", "label"), [(None, None), (0.0, "sad"), (0.5, "sad")])
    def test_the_threshold_is_that_of_the_card_unless_told(
        self, card: ModelCard, asked: float | None, label: str | None
    ) -> None:
        """0 is a threshold too: it abstains never."""
        (live,) = live_analyzers(card, channels=1, threshold=asked)
        marks: list[SegmenterEvent] = [started(0.0), tile(0.0, 1.0), ended(0.0, 1.0)]
        assert only_ended(live.advance(marks, scores(0.375))).label == label

    @pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan")])
    def test_a_threshold_that_is_no_probability_is_refused(self, card: ModelCard, threshold: float) -> None:
        with pytest.raises(ConfigError, match=rf"threshold is {threshold}, expected a probability from 0 to 1"):
            live_analyzers(card, channels=1, threshold=threshold)

    @pytest.mark.parametrize("channels", [0, -1, [], ()])
    def test_a_stream_without_channels_is_refused(self, card: ModelCard, channels: int | Sequence[int]) -> None:
        with pytest.raises(ChannelError, match=r"channels is .*, expected at least 1"):
            live_analyzers(card, channels=channels)
