"""What `emovox listen` shows: a screen drawn a few times a second on a terminal, or a line an event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import msgspec
import typer
from rich.console import Console
from rich.control import Control
from rich.text import Text

from emovox.cli.live.picture import Painter
from emovox.cli.live.state import LiveState
from emovox.cli.live.strokes import ranked
from emovox.runtime.listener import Listener, TimedEvent
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted, rounded_event
from emovox.schema.formats import UNCERTAIN

FRAME_SECONDS = 0.2
"""Time between two pictures: often enough for the level, seldom enough to cost little."""

SILENT_SECONDS = 3.0
"""Zeros that are no pause any more: a microphone that is muted, or may not be used."""


class Screen:
    """Shows a `LiveState`; the terminal is as before when the block ends.

    Args:
        state: what to show; it is kept up to date here.
        console: of the terminal.
    """

    def __init__(self, state: LiveState, *, console: Console) -> None:
        self._state, self._console = state, console
        self._painter = Painter(state.labels)
        self._size = (0, 0)
        self._drawn: list[Text] = []
        self._next = 0.0

    def show(self, heard: Sequence[TimedEvent], listener: Listener) -> float:
        """Take the latest events, and draw if it is time.

        Returns:
            Seconds until the next picture.
        """
        for one in heard:
            self._state.feed(one)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + FRAME_SECONDS
            self._update(listener)
            self._draw()
        return self._next - now

    def __enter__(self) -> Screen:
        with suppress(OSError):  # no terminal any more: the first picture says so
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)

    def _update(self, listener: Listener) -> None:
        state = self._state
        state.listen(listener.meter.read(), listener.seconds)
        state.is_silent = listener.meter.silent > SILENT_SECONDS * listener.reader.sample_rate
        state.given_up, state.lost, state.overflows = listener.given_up, listener.source.lost, listener.source.overflows

    def _draw(self) -> None:
        size = self._console.size
        lines = self._painter.paint(self._state, width=size.width, height=size.height)
        with self._console:  # written at once
            if size != self._size:  # what the terminal made of the old picture is wiped away
                self._size, self._drawn = size, []
                self._console.control(Control.clear())
            for row, line in enumerate(lines):
                line.pad_right(size.width - line.cell_len)
                if row >= len(self._drawn) or line != self._drawn[row]:
                    self._console.control(Control.move_to(0, row))
                    self._console.print(line, end="", soft_wrap=True, highlight=False)
        self._drawn = lines


WAIT_SECONDS = 0.5
"""Time after which to look whether listening was ended."""


class Lines:
    """Prints a line an event.

    Args:
        json: one JSON document a line, as the service's WebSocket sends them; otherwise for people.
        channels: how many there are: one is not named.
    """

    def __init__(self, *, json: bool, channels: int = 1) -> None:
        self._json, self._several = json, channels > 1

    def show(self, heard: Sequence[TimedEvent], listener: Listener) -> float:  # noqa: ARG002
        """Print the latest events.

        Returns:
            Seconds until the next call at the latest.
        """
        for one in heard:
            typer.echo(json_line(one.event) if self._json else self._line(one))
        return WAIT_SECONDS

    def _line(self, heard: TimedEvent) -> str:
        event = heard.event
        channel = f"channel {event.channel}  " if self._several else ""
        match event:
            case SpeechStarted():
                return f"{event.start:9.2f} s  {channel}speech"
            case EmotionUpdated():
                late = "" if heard.latency is None else f"  {1000 * heard.latency:.0f} ms"
                return f"{event.end:9.2f} s  {channel}  {_verdict(event)}{late}"
            case SpeechEnded():
                return f"{event.end:9.2f} s  {channel}{event.start:.2f}-{event.end:.2f} s: {_verdict(event)}"


def json_line(event: Event) -> str:
    """Write an event as JSON in one line, scores rounded as in all text output.

    >>> json_line(SpeechStarted(0, 0, 0.5))
    '{"type":"speech.started","utterance":0,"channel":0,"start":0.5}'
    """
    return msgspec.json.encode(rounded_event(event)).decode()


def _verdict(event: EmotionUpdated | SpeechEnded) -> str:
    others = [item for item in ranked(event.scores) if item[0] != event.label][:2]
    return f"{event.label or UNCERTAIN} {event.confidence:.2f}  ({', '.join(f'{n} {s:.2f}' for n, s in others)})"
