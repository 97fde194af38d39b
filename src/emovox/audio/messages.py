"""What a process that decodes a file and the one that asked for it say to each other."""

from __future__ import annotations

import struct

import msgspec

from emovox.schema.result import Notice

HEAD = struct.Struct("<cI")
"""Before each message: its kind and its length in bytes."""

PICTURE = struct.Struct("<ddII")
"""Before the bytes of a picture: its time in seconds, its scale, its height and its width in pixels."""


class OpenedFile(msgspec.Struct):
    """What a child process says of a file that it has opened: attributes of a `Decoder`.

    Attributes:
        rate: native sample rate in Hz.
        channels: native number of channels.
        frames: number of samples per channel according to the file; None if it does not say.
        is_exact: whether fewer samples than `frames` mean that some are missing.
    """

    rate: int
    channels: int
    frames: int | None
    is_exact: bool


class Ended(msgspec.Struct):
    """What a child process says at the end: attributes of a `Decoder`.

    Attributes:
        damage: the reason if samples are missing or damaged, else None.
        notices: what else the user has to know of the file.
    """

    damage: str | None
    notices: tuple[Notice, ...]


class Failed(msgspec.Struct):
    """An error in a child process: its code and its message."""

    code: str
    message: str
    extra: str = ""


class Request(msgspec.Struct):
    """What a child process is asked to open; the file itself goes with it.

    Attributes:
        name: name of the recording in messages.
        track: number of the audio track, from 0; None takes the default one.
        raw: encoding and rate in Hz of bare samples; None recognises the form by content.
        niceness: priority of the process, -20 to 19; the child takes over a value above 0.
        media: whether ffmpeg will probably be needed.
        pictures: None asks for the sound; a number for so many pictures a second of a video.
    """

    name: str
    track: int | None
    raw: tuple[str, int] | None
    niceness: int
    media: bool
    pictures: float | None = None
