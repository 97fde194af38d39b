"""The transcript that a command is given."""

from __future__ import annotations

from pathlib import Path

from emovox.cli.console import complain
from emovox.fusion.transcript import Transcript, check_transcript, read_transcript
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Notice, Result


def given_transcript(path: Path | None) -> Transcript | None:
    """Read a transcript. One that cannot be used becomes a notice: the voice is analysed all the same.

    Raises:
        TranscriptError: there is no such file, or its suffix is that of no transcript.
    """
    if path is None:
        return None
    check_transcript(path)
    try:
        return read_transcript(path)
    except TranscriptError as error:
        return Transcript(None, (Notice(error.code, str(error)),))


def complain_of_transcript(result: Result) -> None:
    """Say what is odd about a transcript on standard error, for outputs that have no place for warnings."""
    for notice in result.warnings:
        if notice.code == TranscriptError.code:
            complain(f"warning: {notice.message}")
