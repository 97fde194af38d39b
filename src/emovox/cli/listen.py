"""`emovox listen`: emotions in live speech."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emovox.cli.console import (
    ChannelsOption,
    HeadOption,
    ModelOption,
    SourceOption,
    SpeakerOption,
    ThresholdOption,
    TrackOption,
    say,
)


class Display(StrEnum):
    """What to show while listening: a screen, or one line of text or JSON per event."""

    SCREEN = "screen"
    LINES = "lines"
    JSON = "json"


def listen(
    device: Annotated[
        str | None, typer.Option(help="Number of an input device, or part of its name. Default: that of the system.")
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="List the input devices and exit.")] = False,
    input: Annotated[
        str | None,
        typer.Option(metavar="<file>", help="Listen to a recording, not to a microphone; - reads standard input."),
    ] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the recording at the speed of speech.")] = False,
    track: TrackOption = None,
    raw: Annotated[
        str | None,
        typer.Option(
            metavar="<[encoding,]rate>",
            help="Read bare samples of one channel from the --input: s16le (if it is left out), f32le, mulaw or alaw, "
            "and Hz.",
        ),
    ] = None,
    model: ModelOption = None,
    head: HeadOption = None,
    channels: ChannelsOption = "mix",
    threshold: ThresholdOption = None,
    hop: Annotated[
        float | None,
        typer.Option(help="Seconds between two updates, a multiple of 0.02. Default: that of the model, 0.5."),
    ] = None,
    speaker: SpeakerOption = None,
    source: SourceOption = None,
    adapt: Annotated[
        bool,
        typer.Option("--adapt", help="Learn the voice of each channel while it speaks, and adapt the scores to it."),
    ] = False,
    save: Annotated[Path | None, typer.Option(help="Save the audio in this .flac or .wav file.")] = None,
    json: Annotated[Path | None, typer.Option(help="Save the result in this file, as predict --format json.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files of --save and --json.")
    ] = False,
    format: Annotated[
        Display, typer.Option(help="What to show. Without a terminal, screen shows lines.")
    ] = Display.SCREEN,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Stop after this many seconds of audio. Default: no limit.")
    ] = None,
) -> None:
    """Predict the emotions in live speech from a microphone.

    Ctrl-C ends the session and shows a summary. Nothing is stored unless --save or --json asks for it.
    """
    # numpy, the model runtime and rich take a third of a second: --help does not load them
    from emovox.cli.choices import channel_choice, reading_choice
    from emovox.cli.live.opening import SourceOptions
    from emovox.cli.live.session import LiveSession, OutputOptions, VoiceOptions
    from emovox.runtime.registry import named_with_head

    if list_devices:
        _list_devices()
        return
    listened = SourceOptions(device, input, realtime, reading_choice(track, raw), seconds)
    listened.check()
    output = OutputOptions(save, json, overwrite)
    named, choice = named_with_head(model, head), channel_choice(channels)
    voice = VoiceOptions(speaker, source, adapt)
    session = LiveSession(listened, output, model=named, channels=choice, threshold=threshold, hop=hop, voice=voice)
    status = session.run(json=format is Display.JSON, screen=format is Display.SCREEN and _can_draw())
    raise typer.Exit(status)


def _can_draw() -> bool:
    """Return whether standard output is a terminal that can show the screen."""
    if not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    try:
        "█━·…".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _list_devices() -> None:
    from emovox.audio.devices import input_devices
    from emovox.cli.console import columns

    devices = input_devices()
    if not devices:
        say("no input device")
        return
    rows = [["", "number", "name", "system", "channels", "rate"]]
    for device in devices:
        figures = [str(device.number), device.name, device.system, str(device.channels)]
        rows.append(["*" if device.is_default else "", *figures, f"{device.rate} Hz"])
    say(columns(rows), nl=False)
