"""Text messages of the WebSocket: JSON with a `type`, checked when received, rounded when sent."""

from __future__ import annotations

import contextlib
from typing import Annotated

import msgspec
from msgspec import Meta

from emovox.audio.types import Encoding
from emovox.schema.events import Event, rounded_event
from emovox.schema.expected import expected
from emovox.schema.result import ModelInfo
from emovox.serving.errors import MessageError

SampleRate = Annotated[int, Meta(ge=8000, le=48000)]
Channels = Annotated[int, Meta(ge=1, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Hop = Annotated[float, Meta(gt=0, le=10)]


class SessionStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="session.start", tag_field="type"):
    """The first message of a client: the form of its binary frames.

    `sample_rate` is in Hz, `hop` in seconds, a multiple of 0.02. The defaults of `threshold` and `hop` are the model's.
    With `coverage`, in percent, events have a set of labels that holds the true one with this probability.
    With `adapt`, each channel learns the voice that it hears, utterance by utterance. `speaker` is the name of one that
    the key has taught; the scores are adapted to that voice, or `adapt` starts from it.
    """

    sample_rate: SampleRate
    encoding: Encoding = "s16le"
    channels: Channels = 1
    key: str | None = None
    threshold: Probability | None = None
    coverage: int | None = None
    hop: Hop | None = None
    adapt: bool = False
    speaker: str | None = None


class SessionEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="session.end", tag_field="type"):
    """The last message of a client: the audio has ended, the last events follow."""


class SessionStarted(msgspec.Struct, frozen=True, tag="session.started", tag_field="type"):
    """The answer to `session.start`: the settings in force; `hop` and `window` in seconds."""

    model: ModelInfo
    labels: tuple[str, ...]
    encoding: Encoding
    sample_rate: int
    channels: int
    hop: float
    window: float
    threshold: float
    adapt: bool
    speaker: str | None


class SessionEnded(msgspec.Struct, frozen=True, tag="session.ended", tag_field="type"):
    """The last message of the service: seconds of audio received, and previews dropped under overload."""

    seconds: float
    previews_dropped: int


class ErrorMessage(msgspec.Struct, frozen=True, tag="error", tag_field="type"):
    """An error, by code and message; the connection is closed after it."""

    code: str
    message: str


Reply = SessionStarted | SessionEnded | ErrorMessage | Event

_START = msgspec.json.Decoder(SessionStart)
_CONTROL = msgspec.json.Decoder(SessionEnd)
_ENCODER = msgspec.json.Encoder()


def decode_start(text: str) -> SessionStart:
    """Return a client's first message.

    Raises:
        MessageError: not JSON, not a `session.start`, an unknown key, or a value out of range.
    """
    try:
        return _START.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageError(f"the first message is no session.start: {error}{_places(text, error)}") from error


def decode_end(text: str) -> SessionEnd:
    """Return a later text message, which can only be `session.end`.

    Raises:
        MessageError: any other message.
    """
    try:
        return _CONTROL.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageError(
            f'got a text message that is not {{"type": "session.end"}} ({error}); send audio as binary frames'
        ) from error


def encode(reply: Reply) -> str:
    """Return a message as JSON; scores are rounded as in all text output.

    >>> encode(SessionEnded(1.5, 0))
    '{"type":"session.ended","seconds":1.5,"previews_dropped":0}'
    """
    return _ENCODER.encode(rounded_event(reply) if isinstance(reply, Event) else reply).decode()


def type_of(event: Event) -> str:
    """Return an event's `type`.

    >>> from emovox.schema.events import SpeechStarted
    >>> type_of(SpeechStarted(0, 0, 0.5))
    'speech.started'
    """
    return str(event.__struct_config__.tag)


def _places(text: str, error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        with contextlib.suppress(msgspec.DecodeError, RecursionError):  # the text after the wrong value may be no JSON
            return expected(str(error), msgspec.json.decode(text), SessionStart)
    return '; expected {"type": "session.start", "sample_rate": 16000, "encoding": "s16le", "channels": 1}'
