"""Values of options that several commands share, as the types of the package."""

from __future__ import annotations

import typer

from emovox.audio.types import ChannelChoice, Reading, parse_channels, parse_raw
from emovox.runtime.speakers import SpeakerCount, speaker_count
from emovox.schema.errors import ConfigError


def channel_choice(text: str) -> ChannelChoice:
    """Return the value of --channels as a choice of channels.

    Raises:
        typer.BadParameter: `text` is not mix, split or a channel number.
    """
    try:
        return parse_channels(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--channels") from error


def speakers_choice(text: str | None) -> SpeakerCount | None:
    """Return the value of --speakers as a number of speakers.

    Raises:
        typer.BadParameter: `text` is neither a number of speakers that can be told apart nor auto.
    """
    try:
        return None if text is None else speaker_count(text) or "auto"
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--speakers") from error


def reading_choice(track: int | None, raw: str | None) -> Reading:
    """Return the values of --track and --raw as a way of reading.

    Raises:
        typer.BadParameter: `raw` is not an encoding and a rate.
    """
    try:
        return Reading(track=track, raw=None if raw is None else parse_raw(raw))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--raw") from error
