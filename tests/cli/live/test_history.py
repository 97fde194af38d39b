"""The timeline's columns: previews until the verdict is there."""

from __future__ import annotations

import pytest

from emovox.audio.level import FLOOR_DB
from emovox.cli.live.state import MOST_COLUMNS, Column, History
from emovox.schema.events import EmotionUpdated, SpeechEnded, SpeechStarted
from emovox.schema.result import Segment


def update(end: float, label: str | None = "sad") -> EmotionUpdated:
    return EmotionUpdated(0, 0, max(0.0, end - 3), end, label, 0.6, {"sad": 0.6, "happy": 0.4})


def ended(*segments: tuple[float, float, str | None]) -> SpeechEnded:
    parts = tuple(Segment(start, end, 0, label, 0.8, {}) for start, end, label in segments)
    return SpeechEnded(0, 0, parts[0].start, parts[-1].end, parts[0].label, 0.8, {}, parts)


def drawn(history: History, second: float, count: int) -> str:
    """A letter a column: . nothing, _ speech that was not looked at, small a preview, capital a verdict."""
    letters = ""
    for column in history.latest(second, count):
        letter = "." if not column.is_speech else "_" if column.confidence is None else (column.label or "?")[0]
        letters += letter.upper() if column.is_final else letter
    return letters


def test_nothing_yet_is_empty() -> None:
    assert list(History(0.5).latest(0.0, 3)) == [Column()] * 3


def test_previews_stand_until_the_verdict_is_there() -> None:
    history = History(0.5)
    history.feed(SpeechStarted(0, 0, 0.7))
    assert drawn(history, 1.6, 4) == "._" + "__"
    history.feed(update(2.0))
    history.feed(update(2.5, None))
    history.feed(update(3.0, "happy"))
    assert drawn(history, 3.0, 6) == "._" + "_s?h"
    history.feed(ended((0.7, 2.1, "happy"), (2.1, 2.6, "sad")))
    assert drawn(history, 3.0, 6) == ".HHHS."


@pytest.mark.parametrize("start", [0.0, 0.2, 0.4, 0.5, 0.9])
def test_the_shortest_word_has_a_column(start: float) -> None:
    history = History(0.5)
    history.feed(SpeechStarted(0, 0, start))
    history.feed(ended((start, start + 0.3, None)))
    assert drawn(history, 2.0, 4).count("?") == 1


def test_a_second_utterance_leaves_the_first_alone() -> None:
    history = History(0.5)
    history.feed(SpeechStarted(0, 0, 0.0))
    history.feed(ended((0.0, 1.0, "sad")))
    history.feed(SpeechStarted(1, 0, 1.5))
    history.feed(ended((1.5, 2.0, "happy")))
    assert drawn(history, 2.0, 4) == "SS.H"


def test_the_loudest_moment_is_kept() -> None:
    history = History(0.5)
    for second, level in ((0.2, -30.0), (0.4, -20.0), (0.5, -40.0), (0.7, -50.0)):
        history.loudness(second, level)
    assert [column.level_db for column in history.latest(0.7, 3)] == [FLOOR_DB, -20.0, -50.0]


def test_memory_is_bounded() -> None:
    history = History(0.02)
    for number in range(3 * MOST_COLUMNS):
        history.loudness(number * 0.02, -30.0)
    history.feed(SpeechStarted(0, 0, 0.0))
    history.feed(ended((0.0, 3 * MOST_COLUMNS * 0.02, "sad")))
    history.loudness(3 * MOST_COLUMNS * 0.02, -30.0)
    assert len(history._columns) <= MOST_COLUMNS + 1
