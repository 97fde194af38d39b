"""Options of `emovox predict` for what a recording holds besides the voice: the face, the words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import typer

from emovox.cli.predict_job import STDIN
from emovox.cli.transcripts import given_transcript, recognised
from emovox.fusion.asr import Transcriber
from emovox.fusion.face.modality import check_face
from emovox.fusion.modalities import FACE, TEXT, VOICE, parse_modalities
from emovox.fusion.transcript import Transcript
from emovox.schema.errors import ConfigError
from emovox.schema.result import Failure

Words = Callable[[str], Transcript]
"""Gives what is said in a recording, by its path."""


def words_choice(
    transcript: Path | None, asr: str | None, language: str | None, sources: Sequence[str | Failure]
) -> Words | None:
    """Return what --transcript or --asr gives, or None if neither is there.

    Raises:
        typer.BadParameter: the options do not go with each other or with the sources.
        TranscriptError: there is no such transcript, or its suffix is that of none.
        MissingExtraError: faster-whisper is not installed.
        WeightsError: the model of --asr cannot be loaded.
    """
    if language is not None and asr is None:
        raise typer.BadParameter("it needs --asr", param_hint="--language")
    if transcript is not None:
        if asr is not None:
            raise typer.BadParameter("it goes without --transcript, which says what is said", param_hint="--asr")
        said = given_transcript(transcript)
        return lambda _: said
    if asr is None:
        return None
    if STDIN in sources:
        raise typer.BadParameter("the speech recogniser needs a file, got standard input", param_hint="--asr")
    transcriber = Transcriber(asr, language=language)
    return lambda source: recognised(transcriber, source)


def modalities_choice(
    text: str, sources: Sequence[str | Failure], *, coverage: int | None, words: bool
) -> Mapping[str, float | None]:
    """Return the value of --modalities and their weights, after a check that all of them can be read here.

    Raises:
        typer.BadParameter: a name is unknown, or the others do not go with the rest of the call.
        MissingExtraError: PyAV is not installed.
        ModelError: the networks of the face are not here.
    """
    try:
        wanted = parse_modalities(text)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--modalities") from error
    if set(wanted) != {VOICE} and coverage is not None:
        raise typer.BadParameter("sets of labels are those of the voice alone", param_hint="--coverage")
    if TEXT in wanted and not words:
        raise typer.BadParameter("text needs --transcript FILE or --asr MODEL", param_hint="--modalities")
    if FACE in wanted:
        if STDIN in sources:
            raise typer.BadParameter("the face needs a file, got standard input", param_hint="--modalities")
        check_face()
    return wanted
