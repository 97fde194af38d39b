"""What is counted over an archive adds up, however the archive is taken apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emovox.batch.job import Answer
from emovox.batch.tally import Tally, tally_of
from emovox.schema.formats import UNCERTAIN
from emovox.schema.result import Notice, Result, Segment

QUARTERS = st.integers(1, 40).map(lambda quarters: quarters / 4)
"""Seconds whose sums are exact, so that the order of adding cannot show."""


def answer_of(duration: float, *lengths: tuple[str | None, float]) -> Answer:
    """A recording with a segment of each length, all from its beginning."""
    segments = tuple(Segment(0.0, seconds, 0, label, 0.5, {}) for label, seconds in lengths)
    return Answer(0, (1, 1), Result("a.wav", duration, None, None, None, {}, (), segments))


def failed(code: str) -> Answer:
    return Answer(0, None, error=Notice(code, "could not be used"))


ANSWERS = st.lists(
    st.one_of(
        st.sampled_from(["empty", "unreadable"]).map(failed),
        st.builds(
            lambda duration, lengths: answer_of(duration, *lengths),
            QUARTERS,
            st.lists(st.tuples(st.sampled_from(["sad", "happy", None]), QUARTERS), max_size=4),
        ),
    )
)


def test_files_seconds_segments_and_speech_by_label() -> None:
    counted = tally_of([answer_of(10.0, ("sad", 3.0), ("happy", 1.5)), answer_of(4.0, ("sad", 0.5)), answer_of(2.0)])
    assert counted == Tally(files=3, seconds=16.0, segments=3, labels={"sad": 3.5, "happy": 1.5})
    assert counted.failed == 0


def test_speech_without_a_label_is_uncertain() -> None:
    assert tally_of([answer_of(4.0, (None, 1.0), ("sad", 2.0), (None, 0.5))]).labels == {UNCERTAIN: 1.5, "sad": 2.0}


def test_an_error_is_a_file_and_no_audio() -> None:
    counted = tally_of([failed("empty"), answer_of(1.0), failed("unreadable"), failed("empty")])
    assert counted == Tally(files=4, seconds=1.0, errors={"empty": 2, "unreadable": 1})
    assert counted.failed == 3


def test_nothing_counts_as_nothing() -> None:
    assert tally_of([]) == Tally()
    assert Tally().failed == 0


def test_answers_may_come_one_after_the_other() -> None:
    """As they do from workers: they are looked at once."""
    assert tally_of(answer_of(1.0) for _ in range(3)) == Tally(files=3, seconds=3.0)


@given(ANSWERS, ANSWERS)
def test_two_parts_make_the_whole(first: list[Answer], second: list[Answer]) -> None:
    """Work that is resumed adds what it finds to what is kept."""
    parts = tally_of(first), tally_of(second)
    assert parts[0] + parts[1] == tally_of(first + second)
    assert parts == (tally_of(first), tally_of(second)), "adding changes neither"


def test_labels_and_errors_of_either_part_are_kept() -> None:
    added = Tally(errors={"empty": 1}, labels={"sad": 1.0}) + Tally(
        errors={"empty": 1, "odd": 2}, labels={"happy": 2.0, "sad": 0.5}
    )
    assert added.errors == {"empty": 2, "odd": 2}
    assert added.labels == {"sad": 1.5, "happy": 2.0}
