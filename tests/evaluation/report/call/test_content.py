from __future__ import annotations

import pytest
from msgspec.structs import replace

from emovox.evaluation.report.call.content import MOST_OF_ONE, call_lines, call_parties, moments
from emovox.fusion.transcript import Line
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Result, Segment

LABELS = ("neutral", "sad", "angry")


def part(start: float, end: float, best: str, sure: float, channel: int = 0) -> Segment:
    """Return a segment; below 0.4 it has no label."""
    scores = {label: sure if label == best else (1 - sure) / 2 for label in LABELS}
    return Segment(start, end, channel, best if sure >= 0.4 else None, sure, scores)


def call(*segments: Segment) -> Result:
    return Result("call.wav", 60.0, None, None, None, {}, (), segments)


class TestParties:
    def test_each_channel_counts_for_itself(self) -> None:
        one, two = call_parties(
            [part(5, 6, "angry", 0.9, 1), part(0, 3, "sad", 0.8), part(3, 4, "neutral", 0.36)], threshold=0.7
        )
        assert (one.channel, one.seconds, two.channel, two.label) == (0, 4.0, 1, "angry")
        assert one.shares == {"sad": 0.75, "neutral": 0.25}
        assert [one.labelled, one.expected] == pytest.approx([0.75, 0.8])
        assert (one.label, one.best) == (None, "sad")
        assert one.confidence == pytest.approx((3 * 0.8 + 0.32) / 4)

    def test_without_any_label_nothing_is_expected(self) -> None:
        (party,) = call_parties([part(0, 3, "sad", 0.36)], threshold=0.4)
        assert (party.labelled, party.expected) == (0, None)

    def test_what_is_not_speech_does_not_count(self) -> None:
        noise = replace(part(3, 60, "angry", 0.9), label=None, code="not_speech")
        assert call_parties([part(0, 3, "sad", 0.8), noise], threshold=0.4)[0].seconds == 3
        (line,) = call_lines(call(noise), [Line(10, 20, "a")], threshold=0.4)
        assert (line.channel, line.line.scores) == (None, None)

    def test_without_speech_there_is_no_party(self) -> None:
        assert call_parties([], threshold=0.4) == ()


class TestMoments:
    def test_neighbours_of_one_label_are_one_moment_and_plain_ones_none(self) -> None:
        found = moments(
            [
                part(0, 3, "sad", 0.6),
                part(3.5, 6, "sad", 0.9),
                part(7, 9, "neutral", 0.99),
                part(9, 12, "sad", 0.36),
                part(20, 22, "sad", 0.7),
                part(1, 2, "angry", 0.8, 1),
            ]
        )
        assert [(m.start, m.end, m.channel, m.label, m.confidence) for m in found] == [
            (0, 6, 0, "sad", 0.9),
            (1, 2, 1, "angry", 0.8),
            (20, 22, 0, "sad", 0.7),
        ]

    def test_the_surest_are_named_and_no_label_hides_the_others(self) -> None:
        many = [part(10 * i, 10 * i + 2, "sad", 0.5 + i / 100) for i in range(9)]
        found = moments([*many, part(99, 100, "angry", 0.41)])
        assert [m.start for m in found if m.label == "sad"] == [60, 70, 80]
        assert len(found) == MOST_OF_ONE + 1
        assert [m.start for m in moments(many, most=1)] == [80]

    def test_of_nothing_there_is_none(self) -> None:
        assert moments([]) == ()


class TestLines:
    def test_a_line_is_of_the_channel_that_shares_most_time(self) -> None:
        both = call(part(0, 4, "sad", 0.8), part(3.5, 9, "angry", 0.9, 1))
        found = call_lines(both, [Line(0, 4, "a"), Line(4, 9, "b"), Line(20, 22, "c")], threshold=0.4)
        assert [(one.channel, one.line.label) for one in found] == [(0, "sad"), (1, "angry"), (None, None)]

    def test_a_word_into_the_others_line_gives_it_no_emotion(self) -> None:
        customer = call(part(0, 4, "sad", 0.8, 1), part(6, 6.5, "sad", 0.8, 1))
        own, others = call_lines(customer, [Line(0, 4, "a"), Line(4.5, 9.5, "b")], threshold=0.4)
        assert (own.channel, own.line.label) == (1, "sad")
        assert (others.channel, others.line.label, others.line.confidence) == (None, None, None)

    def test_all_lines_of_a_name_are_of_one_party(self) -> None:
        customer = call(part(0, 8, "sad", 0.8))
        lines = [Line(0, 4, "a", "Ann"), Line(4, 7.5, "b", "Ann"), Line(7.5, 8, "c", "Ben"), Line(9, 13, "d", "Ben")]
        found = call_lines(customer, lines, threshold=0.4)
        assert [one.channel for one in found] == [0, 0, None, None]
        assert [one.line.text for one in found] == ["a", "b", "c", "d"]

    def test_without_speech_all_lines_stay(self) -> None:
        assert [one.channel for one in call_lines(call(), [Line(0, 4, "a")], threshold=0.4)] == [None]

    def test_a_transcript_of_another_recording_is_an_error(self) -> None:
        with pytest.raises(TranscriptError, match="give the transcript of this recording"):
            call_lines(call(), [Line(0, 99, "a")], threshold=0.4)
