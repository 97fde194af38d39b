"""The transcript that a command is given."""

from __future__ import annotations

from pathlib import Path

from emovox.cli.console import complain
from emovox.fusion.asr import Transcriber
from emovox.fusion.transcript import Transcript, check_transcript, read_transcript
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Notice, Result


def given_transcript(path: Path) -> Transcript:
    """Read a transcript. One that cannot be used becomes a notice: the voice is analysed all the same.

    Raises:
        TranscriptError: there is no such file, or its suffix is that of no transcript.
    """
    check_transcript(path)
    try:
        return read_transcript(path)
    except TranscriptError as error:
        return Transcript(None, (Notice(error.code, str(error)),))


def recognised(transcriber: Transcriber, source: str) -> Transcript:
    """Return what a speech recogniser hears; nothing, or a recording that is too long, becomes a notice."""
    try:
        lines = transcriber.lines(source)
    except TranscriptError as error:
        return Transcript(None, (Notice(error.code, str(error)),))
    if not lines:
        return Transcript(None, (Notice(TranscriptError.code, "the speech recogniser heard no words"),))
    return Transcript(lines)


def complain_of_transcript(result: Result) -> None:
    """Say what is odd about a transcript on standard error, for outputs that have no place for warnings."""
    for notice in result.warnings:
        if notice.code == TranscriptError.code:
            complain(f"warning: {notice.message}")
