"""Events as lines, for pipes, logs and terminals that can do no more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import typer

from emovox.cli.live.strokes import ranked
from emovox.runtime.listener import Listener, TimedEvent
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted, rounded_event
from emovox.schema.formats import UNCERTAIN

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
