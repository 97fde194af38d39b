"""Speaker turns: generated voices are told apart, at any chunking, on any channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime.segmenter import SegmenterConfig
from emovox.runtime.speakers import (
    HOP,
    MOST_SPEAKERS,
    Turn,
    best_path,
    cuts_of,
    find_turns,
    speaker_at,
    speaker_count,
)
from emovox.schema.errors import ConfigError
from emovox.testing import RATE
from tests.sounds import noise, pause, said, scene

NEAR = round((HOP + 0.2) * RATE)
"""A step, and the padding of a region, in samples."""


def dialogue(plan: Sequence[tuple[int, float]], *, gap: float = 0.8) -> Samples:
    """Return turns (speaker, seconds) with pauses between them."""
    parts = [part for place, (who, seconds) in enumerate(plan) for part in (said(who, seconds, seed=place), pause(gap))]
    return scene(pause(0.5), *parts)


def turns_of(
    *channels: Samples, speakers: int | None = None, sizes: Sequence[int] = ()
) -> tuple[tuple[Turn, ...], ...]:
    blocks = np.split(np.stack(channels), np.cumsum(sizes).clip(max=channels[0].size), axis=1)
    return find_turns(blocks, channels=len(channels), speakers=speakers, config=SegmenterConfig())


class TestTurns:
    @pytest.mark.parametrize("speakers", [None, 2])
    def test_two_speakers_are_told_apart(self, speakers: int | None) -> None:
        plan = [(1, 4.0), (0, 3.0), (1, 2.5), (0, 5.0)]
        (turns,) = turns_of(dialogue(plan), speakers=speakers)
        assert [turn.speaker for turn in turns] == [0, 1, 0, 1]
        for turn, (_, seconds) in zip(turns, plan, strict=True):
            assert turn.end - turn.start == pytest.approx(seconds * RATE, abs=2 * NEAR)

    def test_a_change_without_a_pause_is_a_cut(self) -> None:
        (turns,) = turns_of(dialogue([(0, 5.0), (1, 5.0)], gap=0.0), speakers=2)
        assert [turn.speaker for turn in turns] == [0, 1]
        (cut,) = cuts_of(turns)
        assert cut == pytest.approx(5.5 * RATE, abs=NEAR)

    @pytest.mark.parametrize("speakers", [1, None])
    def test_one_speaker_is_one(self, speakers: int | None) -> None:
        (turns,) = turns_of(dialogue([(0, 4.0), (0, 3.0), (0, 6.0)]), speakers=speakers)
        assert {turn.speaker for turn in turns} == {0}
        assert cuts_of(turns) == ()

    def test_three_speakers_are_found(self) -> None:
        (turns,) = turns_of(dialogue([(0, 4.0), (1, 4.0), (2, 4.0), (1, 3.0), (0, 3.0)]))
        assert [turn.speaker for turn in turns] == [0, 1, 2, 1, 0]

    def test_a_voice_has_one_number_on_all_channels(self) -> None:
        one, two = dialogue([(0, 3.0), (1, 4.0)]), dialogue([(1, 3.0), (0, 4.0)])
        turns = turns_of(one, two, speakers=2)
        assert [[turn.speaker for turn in own] for own in turns] in ([[0, 1], [1, 0]], [[1, 0], [0, 1]])

    @settings(max_examples=4, deadline=None)
    @given(sizes=st.lists(st.integers(1, 60000), max_size=8))
    def test_any_chunking_gives_the_same_turns(self, sizes: list[int]) -> None:
        samples = dialogue([(0, 3.0), (1, 2.0)], gap=0.1)
        assert turns_of(samples, sizes=sizes, speakers=2) == turns_of(samples, speakers=2)

    @pytest.mark.parametrize("rate", [8000, 48000])
    def test_other_rates(self, rate: int) -> None:
        samples = dialogue([(0, 4.0), (1, 3.0)])
        other = np.interp(np.arange(0, samples.size, RATE / rate), np.arange(samples.size), samples).astype(np.float32)
        config = SegmenterConfig(sample_rate=rate)
        (turns,) = find_turns([other[None]], channels=1, speakers=2, config=config)
        assert [turn.speaker for turn in turns] == [0, 1]
        assert turns[-1].end <= other.size

    @pytest.mark.parametrize("samples", [pause(3.0), noise(3.0), pause(0.0)])
    def test_without_speech_there_are_no_turns(self, samples: Samples) -> None:
        assert turns_of(samples, samples, speakers=2) == ((), ())

    @pytest.mark.parametrize("seconds", [0.4, 0.7, 1.3, 1.9])
    @pytest.mark.parametrize("speakers", [None, 1, 3])
    def test_one_word_is_one_turn_or_so(self, seconds: float, speakers: int | None) -> None:
        samples = said(0, seconds)
        (turns,) = turns_of(samples, speakers=speakers)
        assert turns[0].speaker == 0
        assert len(turns) <= (speakers or 1)
        assert all(0 <= turn.start < turn.end <= samples.size for turn in turns)

    def test_without_voice_activity_detection_all_is_speech(self) -> None:
        samples = dialogue([(0, 3.0), (1, 3.0)])
        (turns,) = find_turns([samples[None]], channels=1, speakers=2, config=SegmenterConfig(), speech_only=False)
        assert turns[0].start == 0
        assert turns[-1].end == samples.size
        assert [one.end for one in turns[:-1]] == [two.start for two in turns[1:]]

    def test_a_region_longer_than_a_piece_has_no_gaps(self) -> None:
        samples = np.concatenate([said(0, 37.0), said(1, 4.0)])
        (turns,) = turns_of(samples, speakers=2)
        assert [one.end for one in turns[:-1]] == [two.start for two in turns[1:]]
        assert list(dict.fromkeys(turn.speaker for turn in turns)) == [0, 1]
        assert len(cuts_of(turns)) == 1


class TestSpeakerAt:
    TURNS = (Turn(100, 200, 0), Turn(200, 260, 1), Turn(300, 400, 0), Turn(500, 600, 2))

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            (0, 90, 0),
            (150, 220, 0),
            (190, 250, 1),
            (210, 330, 1),
            (265, 270, 1),
            (285, 290, 0),
            (700, 800, 2),
            (400, 440, 0),
            (400, 480, 0),
            (470, 490, 2),
        ],
    )
    def test_the_most_of_it_or_the_nearest(self, start: int, end: int, expected: int) -> None:
        assert speaker_at(self.TURNS, start, end) == expected

    def test_nobody(self) -> None:
        assert speaker_at((), 0, 10) == 0

    @given(start=st.integers(0, 700), length=st.integers(1, 300))
    def test_it_is_the_plain_sum(self, start: int, length: int) -> None:
        shares = {
            who: sum(max(0, min(start + length, t.end) - max(start, t.start)) for t in self.TURNS if t.speaker == who)
            for who in range(3)
        }
        if max(shares.values()):
            assert shares[speaker_at(self.TURNS, start, start + length)] == max(shares.values())


@settings(max_examples=50)
@given(seed=st.integers(0, 999), steps=st.integers(1, 6), cost=st.floats(0, 1))
def test_the_best_path_is_the_best_of_all(seed: int, steps: int, cost: float) -> None:
    scores = np.random.default_rng(seed).random((steps, 3))

    def worth(path: Sequence[int]) -> float:
        return float(scores[np.arange(steps), path].sum() - cost * np.count_nonzero(np.diff(path)))

    best = max(worth(path) for path in np.ndindex(*(3,) * steps))
    assert worth(best_path(scores, cost).tolist()) == pytest.approx(best)


@pytest.mark.parametrize("value", [0, -1, 50, MOST_SPEAKERS + 1, 1.5, "many", "", None, True, b"2", float("nan")])
def test_a_bad_number_of_speakers_is_an_error(value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^speakers is .*, expected 1 to {MOST_SPEAKERS}, or auto$"):
        speaker_count(value)


@pytest.mark.parametrize(("value", "expected"), [("auto", None), (1, 1), ("2", 2), (3.0, 3), (np.int64(4), 4)])
def test_good_numbers_of_speakers(value: object, expected: int | None) -> None:
    assert speaker_count(value) == expected
