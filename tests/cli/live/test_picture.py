"""The picture at every size: nothing sticks out, what matters most is there, and nothing is claimed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from emovox.audio.level import Level
from emovox.cli.live.letters import large
from emovox.cli.live.picture import Painter
from emovox.cli.live.state import LiveState
from emovox.runtime.listener import TimedEvent
from emovox.schema.events import EmotionUpdated, SpeechEnded, SpeechStarted
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import Adapted, Segment

SCORES = {"neutral": 0.03, "happy": 0.02, "sad": 0.05, "angry": 0.83, "fear": 0.03, "disgust": 0.03, "surprise": 0.01}


def make_state(*, labels: tuple[str, ...] = EMOTIONS, channels: int = 1, source: str = "microphone: USB") -> LiveState:
    keeping = "nothing is kept"
    return LiveState(labels, hop=0.5, channels=range(channels), title="toy 1.2.0", source=source, keeping=keeping)


def spoken(*, channels: int = 1) -> LiveState:
    """Somebody was angry for two seconds and speaks again."""
    state = make_state(channels=channels)
    segment = Segment(1.0, 3.0, 0, "angry", 0.83, SCORES)
    state.listen(Level(-30.0, -12.0), 3.0)
    state.feed(TimedEvent(SpeechStarted(0, 0, 1.0), None))
    state.feed(TimedEvent(SpeechEnded(0, 0, 1.0, 3.0, "angry", 0.83, SCORES, (segment,)), None))
    state.feed(TimedEvent(SpeechStarted(1, 0, 3.6), None))
    state.listen(Level(-30.0, -12.0), 5.0)
    return state


def test_the_screen_shows_what_scores_are_adapted_to() -> None:
    state = make_state()
    assert "adapted" not in text(state)
    state.adapted = Adapted("stream", 0, 0.0)
    assert "adapted to nothing yet" in text(state)
    segment = Segment(1.0, 3.0, 0, "angry", 0.83, SCORES)
    ended = SpeechEnded(0, 0, 1.0, 3.0, "angry", 0.83, SCORES, (segment,), Adapted("stream", 7, 21.2), SCORES)
    state.feed(TimedEvent(ended, None))
    assert "adapted to 7 tiles, 21 s" in text(state)
    for width in (1, 20, 51):
        assert max(map(len, picture(state, width=width))) <= width


def updated(label: str | None = "angry") -> TimedEvent:
    return TimedEvent(EmotionUpdated(1, 0, 2.0, 5.0, label, 0.83, SCORES), 0.042)


def picture(state: LiveState, *, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain for line in Painter(state.labels).paint(state, width=width, height=height)]


def text(state: LiveState, *, width: int = 80, height: int = 24) -> str:
    return "\n".join(picture(state, width=width, height=height))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("height", [1, 3, 6, 10, 16, 24, 80])
@pytest.mark.parametrize("width", [1, 8, 20, 34, 51, 72, 80, 120, 300])
def test_nothing_sticks_out(width: int, height: int, channels: int) -> None:
    for state in (make_state(channels=channels), spoken(channels=channels)):
        for heard in (None, updated(), updated(None)):
            if heard is not None and state.speaking:
                state.feed(heard)
            lines = Painter(state.labels).paint(state, width=width, height=height)
            assert len(lines) <= height
            assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (120, 40), (34, 16)])
def test_all_that_matters_is_there(width: int, height: int) -> None:
    state = spoken()
    state.feed(updated())
    shown = text(state, width=width, height=height)
    for label in EMOTIONS:
        assert f" {label} " in shown
    for needed in ("emovox", "toy 1.2.0", "0:05", "-30 dBFS", "0.83", "latency 42 ms", "nothing is kept", "Ctrl-C"):
        assert needed in shown
    assert "·aaaa·___a"[:6] in shown
    if height >= 24:
        assert "0:01 – 0:03 " in shown


def test_the_label_is_large_where_there_is_room() -> None:
    state = spoken()
    state.feed(updated())
    letters = large("angry", width=40)
    assert letters is not None
    assert all(line.rstrip() in text(state) for line in letters)
    assert letters[0] not in text(state, width=18)
    assert "angry\n" in text(state, width=18)


class TestHonesty:
    def test_before_anybody_has_spoken(self) -> None:
        shown = text(make_state())
        assert "listening …" in shown
        assert "no speech" in shown
        assert "latency –" in shown
        assert "silence" in shown
        assert "0." not in shown

    def test_below_the_threshold_it_is_not_sure(self) -> None:
        state = spoken()
        state.feed(updated(None))
        shown = text(state, width=20)
        assert "not sure" in shown
        assert "perhaps angry, 0.83" in shown
        assert "?" in shown

    def test_after_the_speech_no_label_stays_as_if_it_went_on(self) -> None:
        state = spoken()
        state.feed(updated())
        state.feed(
            TimedEvent(SpeechEnded(1, 0, 3.6, 5.0, None, 0.4, SCORES, (Segment(3.6, 5, 0, None, 0.4, SCORES),)), None)
        )
        shown = text(state)
        assert "listening …" in shown
        assert "not sure 0.40" in shown

    def test_what_was_lost_and_given_up_is_told(self) -> None:
        state = make_state()
        assert "LOST" not in text(state)
        assert "given up" not in text(state)
        state.given_up, state.lost, state.overflows = 7, 1.5, 2
        assert "LOST 1.5 s of sound, 2 overflows  ·  7 previews given up" in text(state, width=100)
        assert "LOST 1.5 s of sound" in text(state, width=60)

    def test_a_muted_microphone_is_pointed_out(self) -> None:
        state = make_state()
        state.is_silent = True
        assert "the input is all zeros: is it muted?" in text(state)


def test_it_can_be_read_without_colour() -> None:
    state = spoken()
    state.feed(updated())
    shown = Console(file=io.StringIO(), force_terminal=True, no_color=True, width=80, height=24)
    for line in Painter(state.labels).paint(state, width=80, height=24):
        shown.print(line)
    written = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[3" not in written
    assert "a angry" in "".join(written.split("\x1b[0m")).replace("\x1b[1m", "")


def test_labels_and_names_of_any_kind() -> None:
    labels = ("高兴", "悲伤", "sehr wütend", "s", "s2", "\x1b[31m")
    state = make_state(labels=labels, source="a\nb\x1b[2J.wav")
    scores = dict(zip(labels, (0.5, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True))
    state.feed(TimedEvent(SpeechStarted(0, 0, 0.0), None))
    state.feed(TimedEvent(EmotionUpdated(0, 0, 0.0, 1.0, "高兴", 0.5, scores), 0.1))
    state.listen(Level(-20.0, -3.0), 1.0)
    for width in (20, 80):
        lines = Painter(labels).paint(state, width=width, height=24)
        assert all(line.plain.isprintable() for line in lines)
        assert max(line.cell_len for line in lines) <= width


def test_channels_have_timelines_of_their_own() -> None:
    state = spoken(channels=2)
    state.feed(updated())
    lines = picture(state)
    assert any(line.startswith(" 0 ") and "aaaa" in line for line in lines)
    assert any(line.startswith(" 1 ") and "a" not in line for line in lines)
    assert "channel 0" in "\n".join(lines)
