"""`emovox report`: one page about the customer of a call, to read, to print and to pass on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from emovox.audio.reader import AudioReader, open_audio
from emovox.audio.types import ChannelChoice, Reading, Samples
from emovox.cli.choices import reading_choice
from emovox.cli.console import (
    Bar,
    HeadOption,
    InputFiles,
    ModelOption,
    RawOption,
    ThresholdOption,
    TrackOption,
    clock,
    complain,
    say_limits,
    spare_other_kind,
    writing,
)
from emovox.cli.transcripts import given_transcript
from emovox.fusion.transcript import Transcript
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.timeline import spoken
from emovox.schema.errors import TranscriptError
from emovox.schema.extras import require
from emovox.schema.result import Notice, Result

if TYPE_CHECKING:
    from emovox.evaluation.report.call.content import CallLine


class Language(StrEnum):
    """Languages of the page."""

    EN = "en"
    ZH = "zh"


class PageFormat(StrEnum):
    """Forms of the report."""

    HTML = "html"


def report(
    call: Annotated[str, typer.Argument(metavar="CALL", help="Recording of a call, with one party per channel.")],
    customer: Annotated[
        int | None,
        typer.Option(min=0, metavar="<n>", help="Channel of the customer, from 0. The others are not analysed."),
    ] = None,
    both: Annotated[
        bool,
        typer.Option("--both", help="Analyse all channels. The EU prohibits that if one of them is of an employee."),
    ] = False,
    transcript: Annotated[
        Path | None,
        typer.Option(metavar="<file>", help="Transcript of the call: json, srt, vtt, TextGrid or ctm."),
    ] = None,
    language: Annotated[Language, typer.Option(help="Language of the page.")] = Language.EN,
    format: Annotated[PageFormat, typer.Option(help="Format of the report.")] = PageFormat.HTML,  # noqa: ARG001
    output: Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")] = None,
    model: ModelOption = None,
    head: HeadOption = None,
    threshold: ThresholdOption = None,
    track: TrackOption = None,
    raw: RawOption = None,
) -> None:
    """Write a report of a call as one page: how the customer sounded, and how sure that is.

    The page has the timeline, shares, moments to listen to, the transcript with emotions, the model's card, and what
    the result must not be used for. It loads nothing from anywhere.
    """
    require("jinja2", need="emovox report", extra="report")
    from emovox.evaluation.report.call.page import CallReport, call_page

    if both and customer is not None:
        raise typer.BadParameter("got --customer, too, expected one of them", param_hint="--both")
    InputFiles([call, *([] if transcript is None else [transcript])]).spare(output)
    spare_other_kind(output, suffix=".html", head=b"<!doctype html>")
    said = None if transcript is None else given_transcript(transcript)
    reading = reading_choice(track, raw)
    channels = _channels(call, reading, customer=customer, both=both)
    predictor = load(model, head=head)
    say_limits(predictor.card)
    result = _predicted(predictor, call, customer, threshold=threshold, reading=reading)
    limit = predictor.card.threshold if threshold is None else threshold
    result, lines = _with_lines(result, said, limit)
    made = CallReport(result, predictor.card, limit, channels=channels, customer=customer, lines=lines)
    with writing(output) as write:
        write(call_page(made, language=language))
    for notice in result.warnings:
        complain(f"warning: {notice.message}")


def _channels(call: str, reading: Reading, *, customer: int | None, both: bool) -> int:
    """Return the number of channels of a call; with several of them, one or all must be asked for."""
    with open_audio(call, reading=reading) as reader:
        count = reader.native_channels
    if count > 1 and customer is None and not both:
        raise typer.BadParameter(
            f"got {count} channels, expected the channel of the customer, 0 to {count - 1}; the EU prohibits "
            "inferring the emotions of the other party, who works there (AI Act, Article 5(1)(f))",
            param_hint="--customer",
        )
    if count == 1 and both:
        raise typer.BadParameter("got a recording of one channel, expected several", param_hint="--both")
    return count


def _predicted(
    predictor: Predictor, call: str, customer: int | None, *, threshold: float | None, reading: Reading
) -> Result:
    choice: ChannelChoice = "split" if customer is None else customer
    with Bar(1) as bar:

        def observe(_: Samples, reader: AudioReader) -> None:
            bar.update(reader.progress, f"{clock(reader.seconds)}  {reader.name}")

        found = predictor.predict(call, channels=choice, threshold=threshold, observer=observe, reading=reading)
        return replace(found, segments=tuple(spoken(found.segments)))  # the page shows speech alone


def _with_lines(
    result: Result, said: Transcript | None, threshold: float
) -> tuple[Result, tuple[CallLine, ...] | None]:
    """Return the lines of the transcript; what is odd about it becomes a warning, and the voice stays."""
    from emovox.evaluation.report.call.content import call_lines

    if said is None:
        return result, None
    result = replace(result, warnings=(*result.warnings, *said.notices))
    if said.lines is None:
        return result, None
    try:
        return result, call_lines(result, said.lines, threshold=threshold)
    except TranscriptError as error:
        return replace(result, warnings=(*result.warnings, Notice(error.code, str(error)))), None
