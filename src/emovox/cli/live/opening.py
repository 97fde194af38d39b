"""Sources of `emovox listen`: a microphone, a recording or a pipe, as the options name them."""

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
from emovox.audio.types import AudioInput, ChannelChoice, Reading
from emovox.schema.errors import UnreadableError

STDIN = "-"
"""Stands for standard input on the command line."""


class SourceOptions(NamedTuple):
    """The options of `emovox listen` that say what to listen to; `seconds` of audio."""

    device: str | None
    input: str | None
    realtime: bool
    reading: Reading
    seconds: float | None

    def check(self) -> None:
        """Check that the options do not contradict each other.

        Raises:
            typer.BadParameter: two options contradict each other.
        """
        if self.device is not None and self.input is not None:
            raise typer.BadParameter(
                "got a device and an input, expected one of them; leave one out", param_hint="--device"
            )
        if self.realtime and self.input is None:
            raise typer.BadParameter("expected an --input; a microphone is real time anyway", param_hint="--realtime")
        if self.reading.raw is not None and self.input is None:
            raise typer.BadParameter(
                "expected the samples in a file or on standard input; add --input - or --input FILE", param_hint="--raw"
            )


class OpenedSource(NamedTuple):
    """An open source, its name in the result, and its title on the screen."""

    source: LiveSource
    name: str
    title: str


def open_source(options: SourceOptions, *, rate: int, channels: ChannelChoice) -> OpenedSource:
    """Open the source that the options name. It gives no audio before it is started.

    Args:
        options: which source.
        rate: the model's sample rate in Hz; a device that supports it is opened at this rate.
        channels: which channels will be analysed.

    Raises:
        EmovoxError: the source cannot be opened.
    """
    if options.input is None:
        device = find_device(options.device)
        microphone = Microphone(device, rate=rate, channels=channels, seconds=options.seconds)
        return OpenedSource(microphone, "<microphone>", f"microphone: {device.name}")
    if options.input != STDIN:
        return _played(options, options.input, name_of(options.input))
    raw = options.reading.raw
    if raw is None:
        return _played(options, _stdin(), "<stdin>")
    return OpenedSource(RawPipe(_unbuffered(_stdin()), raw, seconds=options.seconds), "<stdin>", "standard input")


def _played(options: SourceOptions, given: AudioInput, name: str) -> OpenedSource:
    decoder = open_decoder(rereadable(given), name=name, reading=options.reading)
    return OpenedSource(Playback(decoder, realtime=options.realtime, seconds=options.seconds), name, name)


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise UnreadableError("<stdin>: got no standard input, expected sound; pipe some in")
    return sys.stdin.buffer


def _unbuffered(stdin: BinaryIO) -> BinaryIO:
    """Return the pipe without Python's buffer: a thread that waits for audio would hold the buffer's lock at exit."""
    try:
        return cast(BinaryIO, os.fdopen(os.dup(stdin.fileno()), "rb", buffering=0))
    except (OSError, io.UnsupportedOperation, AttributeError):  # not a file, as in tests
        return stdin
