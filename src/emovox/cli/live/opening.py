"""What the options of `emovox listen` open: a microphone, a recording, a pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO, NamedTuple, cast

import typer

from emovox.audio.decode import open_decoder
from emovox.audio.devices import find_device
from emovox.audio.live import LiveSource, Playback, RawPipe
from emovox.audio.microphone import Microphone
from emovox.audio.source import name_of, rereadable
from emovox.audio.types import AudioInput, ChannelChoice
from emovox.schema.errors import UnreadableError

STDIN = "-"


class SourceOptions(NamedTuple):
    """What to listen to, as it was typed."""

    device: str | None
    input: str | None
    realtime: bool
    raw: int | None
    seconds: float | None

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            typer.BadParameter: they do.
        """
        if self.device is not None and self.input is not None:
            raise typer.BadParameter(
                "got a device and an input, expected one of them; leave one out", param_hint="--device"
            )
        if self.realtime and self.input is None:
            raise typer.BadParameter("expected an --input; a microphone is real time anyway", param_hint="--realtime")
        if self.raw is not None and self.input != STDIN:
            raise typer.BadParameter("expected the samples on standard input; add --input -", param_hint="--raw")


class OpenedSource(NamedTuple):
    """A source, its name for the result, and what to call it on the screen."""

    source: LiveSource
    name: str
    title: str


def open_source(options: SourceOptions, *, rate: int, channels: ChannelChoice) -> OpenedSource:
    """Open what is options; nothing is heard yet.

    Args:
        options: what.
        rate: the model's sample rate in Hz, for devices that can have several.
        channels: what will be made of it.

    Raises:
        EmovoxError: it cannot be opened.
    """
    if options.input is None:
        device = find_device(options.device)
        microphone = Microphone(device, rate=rate, channels=channels, seconds=options.seconds)
        return OpenedSource(microphone, "<microphone>", f"microphone: {device.name}")
    if options.input != STDIN:
        return _played(options, options.input, name_of(options.input))
    if options.raw is None:
        return _played(options, _stdin(), "<stdin>")
    return OpenedSource(
        RawPipe(_unbuffered(_stdin()), rate=options.raw, seconds=options.seconds), "<stdin>", "standard input"
    )


def _played(options: SourceOptions, given: AudioInput, name: str) -> OpenedSource:
    decoder = open_decoder(rereadable(given), name=name)
    return OpenedSource(Playback(decoder, realtime=options.realtime, seconds=options.seconds), name, name)


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise UnreadableError("<stdin>: got no standard input, expected sound; pipe some in")
    return sys.stdin.buffer


def _unbuffered(stdin: BinaryIO) -> BinaryIO:
    """The pipe without Python's buffer, whose lock a thread that waits for audio would take into the grave."""
    try:
        return cast(BinaryIO, os.fdopen(os.dup(stdin.fileno()), "rb", buffering=0))
    except (OSError, io.UnsupportedOperation, AttributeError):  # no file: a test, or a program that calls this one
        return stdin
