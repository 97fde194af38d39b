"""The picture at every size: nothing sticks out, what matters most is there, and nothing is claimed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from emovox.audio.level import Level
from emovox.cli.live.letters import large
from emovox.cli.live.picture import Painter
from emovox.cli.live.view import View
from emovox.runtime.listener import TimedEvent
from emovox.schema.events import EmotionUpdated, SpeechEnded, SpeechStarted
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import Segment

SCORES = {"neutral": 0.03, "happy": 0.02, "sad": 0.05, "angry": 0.83, "fear": 0.03, "disgust": 0.03, "surprise": 0.01}


def make_view(*, labels: tuple[str, ...] = EMOTIONS, channels: int = 1, source: str = "microphone: USB") -> View:
    keeping = "nothing is kept"
    return View(labels, hop=0.5, channels=range(channels), title="toy 1.2.0", source=source, keeping=keeping)


def talked(*, channels: int = 1) -> View:
    """Somebody was angry for two seconds and speaks again."""
    view = make_view(channels=channels)
    segment = Segment(1.0, 3.0, 0, "angry", 0.83, SCORES)
    view.listen(Level(-30.0, -12.0), 3.0)
    view.feed(TimedEvent(SpeechStarted(0, 0, 1.0), None))
    view.feed(TimedEvent(SpeechEnded(0, 0, 1.0, 3.0, "angry", 0.83, SCORES, (segment,)), None))
    view.feed(TimedEvent(SpeechStarted(1, 0, 3.6), None))
    view.listen(Level(-30.0, -12.0), 5.0)
    return view


def updated(label: str | None = "angry") -> TimedEvent:
    return TimedEvent(EmotionUpdated(1, 0, 2.0, 5.0, label, 0.83, SCORES), 0.042)


def picture(view: View, *, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain for line in Painter(view.labels).paint(view, width=width, height=height)]


def text(view: View, *, width: int = 80, height: int = 24) -> str:
    return "\n".join(picture(view, width=width, height=height))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("height", [1, 3, 6, 10, 16, 24, 80])
@pytest.mark.parametrize("width", [1, 8, 20, 34, 51, 72, 80, 120, 300])
def test_nothing_sticks_out(width: int, height: int, channels: int) -> None:
    for view in (make_view(channels=channels), talked(channels=channels)):
        for heard in (None, updated(), updated(None)):
            if heard is not None and view.speaking:
                view.feed(heard)
            lines = Painter(view.labels).paint(view, width=width, height=height)
            assert len(lines) <= height
            assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (120, 40), (34, 16)])
def test_all_that_matters_is_there(width: int, height: int) -> None:
    view = talked()
    view.feed(updated())
    shown = text(view, width=width, height=height)
    for label in EMOTIONS:
        assert f" {label} " in shown
    for needed in ("emovox", "toy 1.2.0", "0:05", "-30 dBFS", "0.83", "latency 42 ms", "nothing is kept", "Ctrl-C"):
        assert needed in shown
    assert "·aaaa·___a"[:6] in shown
    if height >= 24:
        assert "0:01 – 0:03 " in shown


def test_the_label_is_large_where_there_is_room() -> None:
    view = talked()
    view.feed(updated())
    letters = large("angry", width=40)
    assert letters is not None
    assert all(line.rstrip() in text(view) for line in letters)
    assert letters[0] not in text(view, width=18)
    assert "angry\n" in text(view, width=18)


class TestHonesty:
    def test_before_anybody_has_spoken(self) -> None:
        shown = text(make_view())
        assert "listening …" in shown
        assert "no speech" in shown
        assert "latency –" in shown
        assert "silence" in shown
        assert "0." not in shown

    def test_below_the_threshold_it_is_not_sure(self) -> None:
        view = talked()
        view.feed(updated(None))
        shown = text(view, width=20)
        assert "not sure" in shown
        assert "perhaps angry, 0.83" in shown
        assert "?" in shown

    def test_after_the_speech_no_label_stays_as_if_it_went_on(self) -> None:
        view = talked()
        view.feed(updated())
        view.feed(
            TimedEvent(SpeechEnded(1, 0, 3.6, 5.0, None, 0.4, SCORES, (Segment(3.6, 5, 0, None, 0.4, SCORES),)), None)
        )
        shown = text(view)
        assert "listening …" in shown
        assert "not sure 0.40" in shown

    def test_what_was_lost_and_given_up_is_told(self) -> None:
        view = make_view()
        assert "LOST" not in text(view)
        assert "given up" not in text(view)
        view.given_up, view.lost, view.overflows = 7, 1.5, 2
        assert "LOST 1.5 s of sound, 2 overflows  ·  7 previews given up" in text(view, width=100)
        assert "LOST 1.5 s of sound" in text(view, width=60)

    def test_a_muted_microphone_is_pointed_out(self) -> None:
        view = make_view()
        view.is_silent = True
        assert "the input is all zeros: is it muted?" in text(view)


def test_it_can_be_read_without_colour() -> None:
    view = talked()
    view.feed(updated())
    shown = Console(file=io.StringIO(), force_terminal=True, no_color=True, width=80, height=24)
    for line in Painter(view.labels).paint(view, width=80, height=24):
        shown.print(line)
    written = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[3" not in written
    assert "a angry" in "".join(written.split("\x1b[0m")).replace("\x1b[1m", "")


def test_labels_and_names_of_any_kind() -> None:
    labels = ("高兴", "悲伤", "sehr wütend", "s", "s2", "\x1b[31m")
    view = make_view(labels=labels, source="a\nb\x1b[2J.wav")
    scores = dict(zip(labels, (0.5, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True))
    view.feed(TimedEvent(SpeechStarted(0, 0, 0.0), None))
    view.feed(TimedEvent(EmotionUpdated(0, 0, 0.0, 1.0, "高兴", 0.5, scores), 0.1))
    view.listen(Level(-20.0, -3.0), 1.0)
    for width in (20, 80):
        lines = Painter(labels).paint(view, width=width, height=24)
        assert all(line.plain.isprintable() for line in lines)
        assert max(line.cell_len for line in lines) <= width


def test_channels_have_timelines_of_their_own() -> None:
    view = talked(channels=2)
    view.feed(updated())
    lines = picture(view)
    assert any(line.startswith(" 0 ") and "aaaa" in line for line in lines)
    assert any(line.startswith(" 1 ") and "a" not in line for line in lines)
    assert "channel 0" in "\n".join(lines)
