"""`emovox listen`: emotions while somebody speaks."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Display(StrEnum):
    """What to show meanwhile."""

    SCREEN = "screen"
    LINES = "lines"
    JSON = "json"


def listen(
    device: Annotated[str | None, typer.Option(help="Input device: its number, or a part of its name.")] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="List the input devices and stop.")] = False,
    input: Annotated[
        str | None, typer.Option(metavar="FILE", help="A recording in place of a microphone; - for standard input.")
    ] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the recording as fast as it was spoken.")] = False,
    raw: Annotated[
        int | None,
        typer.Option(metavar="HZ", min=1, help="Standard input is bare 16-bit samples (s16le, mono) at this rate."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of a shipped model, or path of a NAME.onnx.")] = None,
    channels: Annotated[str, typer.Option(help="mix, split, or the number of one channel, from 0.")] = "mix",
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Give no label below this score.")] = None,
    hop: Annotated[float | None, typer.Option(help="Seconds between two looks, a multiple of 0.02.")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the sound in this .flac or .wav.")] = None,
    json: Annotated[Path | None, typer.Option(help="Keep the result in this file, as predict gives it.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over files of --save and --json.")] = False,
    format: Annotated[Display, typer.Option(help="What to show; lines where there is no terminal.")] = Display.SCREEN,
    seconds: Annotated[float | None, typer.Option(min=0.001, help="Stop after so much sound.")] = None,
) -> None:
    """Tell the emotions in a voice while it speaks; Ctrl-C ends, and sums up.

    Nothing is kept unless --save or --json asks for it.
    """
    # numpy, the model runtime and rich take a third of a second, which --help should not
    from emovox.cli.live.opening import SourceOptions
    from emovox.cli.live.session import LiveSession, OutputOptions
    from emovox.cli.predict import channel_choice

    if list_devices:
        _list_devices()
        return
    source = SourceOptions(device, input, realtime, raw, seconds)
    source.check()
    output = OutputOptions(save, json, overwrite)
    session = LiveSession(source, output, model=model, channels=channel_choice(channels), threshold=threshold, hop=hop)
    status = session.run(json=format is Display.JSON, screen=format is Display.SCREEN and _can_draw())
    raise typer.Exit(status)


def _can_draw() -> bool:
    """Whether standard output is a terminal that a picture can be drawn on."""
    if not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return False
    try:
        "█━·…".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _list_devices() -> None:
    from emovox.audio.devices import input_devices
    from emovox.cli.console import columns, printable

    devices = input_devices()
    if not devices:
        typer.echo("no input device")
        return
    rows = [["", "number", "name", "system", "channels", "rate"]]
    for device in devices:
        figures = [str(device.number), printable(device.name), device.system, str(device.channels)]
        rows.append(["*" if device.is_default else "", *figures, f"{device.rate} Hz"])
    typer.echo(columns(rows), nl=False)
