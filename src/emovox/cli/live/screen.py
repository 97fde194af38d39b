"""Outputs of `emovox listen`: a screen that is drawn five times per second, or one line per event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.control import Control
from rich.text import Text

from emovox.cli.console import say
from emovox.cli.live.picture import Painter
from emovox.cli.live.state import LiveState
from emovox.cli.live.strokes import ranked
from emovox.runtime.listener import Listener, TimedEvent
from emovox.schema.events import EmotionUpdated, SpeechEnded, SpeechStarted, rounded_event
from emovox.schema.formats import adapted_text, verdict
from emovox.schema.result import NOT_SPEECH
from emovox.schema.text import json_line, printable

FRAME_SECONDS = 0.2
"""Seconds between two updates of the screen: smooth enough for the level, at about 1 % of a core."""

SILENT_SECONDS = 3.0
"""Seconds of zeros after which the screen asks whether the input is muted: longer than a pause in speech."""


class Screen:
    """Shows a `LiveState` on a terminal. A context manager: at its end the terminal is as before.

    Args:
        state: what to show; `show` updates it.
        console: the console of the terminal.
    """

    def __init__(self, state: LiveState, *, console: Console) -> None:
        self._state, self._console = state, console
        self._painter = Painter(state.labels)
        self._size = (0, 0)
        self._drawn: list[Text] = []
        self._next = 0.0

    def show(self, events: Sequence[TimedEvent], listener: Listener) -> float:
        """Take the latest events, and draw if the next update is due.

        Returns:
            Seconds until the next update.
        """
        for event in events:
            self._state.feed(event)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + FRAME_SECONDS
            self._update(listener)
            self._draw()
        return self._next - now

    def __enter__(self) -> Screen:
        with suppress(OSError):  # the terminal is gone: the first drawing reports it
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
            if size != self._size:  # the terminal has wrapped the old lines: erase them
                self._size, self._drawn = size, []
                self._console.control(Control.clear())
            for row, line in enumerate(lines):
                line.pad_right(size.width - line.cell_len)
                if row >= len(self._drawn) or line != self._drawn[row]:
                    self._console.control(Control.move_to(0, row))
                    self._console.print(line, end="", soft_wrap=True, highlight=False)
        self._drawn = lines


WAIT_SECONDS = 0.5
"""Seconds to wait for events, at most, before checking whether the session has ended."""


class Lines:
    """Prints one line per event.

    Args:
        json: one JSON document per line, as the service's WebSocket sends them; otherwise text to read.
        channels: number of channels; lines name the channel if there are several.
    """

    def __init__(self, *, json: bool, channels: int = 1) -> None:
        self._json, self._several = json, channels > 1

    def show(self, events: Sequence[TimedEvent], listener: Listener) -> float:  # noqa: ARG002
        """Print the latest events.

        Returns:
            Seconds until the next call, at most.
        """
        for timed in events:
            say(json_line(rounded_event(timed.event)) if self._json else self._line(timed), safe=self._json)
        return WAIT_SECONDS

    def _line(self, timed: TimedEvent) -> str:
        event = timed.event
        channel = f"channel {event.channel}  " if self._several else ""
        match event:
            case SpeechStarted():
                return f"{event.start:9.2f} s  {channel}speech"
            case EmotionUpdated():
                late = "" if timed.latency is None else f"  {1000 * timed.latency:.0f} ms"
                return f"{event.end:9.2f} s  {channel}  {_verdict(event)}{late}"
            case SpeechEnded():
                adapted = "" if event.adapted is None else f"  {printable(adapted_text(event.adapted))}"
                return f"{event.end:9.2f} s  {channel}{event.start:.2f}-{event.end:.2f} s: {_verdict(event)}{adapted}"


def _verdict(event: EmotionUpdated | SpeechEnded) -> str:
    if event.code == NOT_SPEECH:
        return verdict(event)
    others = [item for item in ranked(event.scores) if item[0] != event.label][:2]
    return f"{verdict(event)} {event.confidence:.2f}  ({', '.join(f'{n} {s:.2f}' for n, s in others)})"
