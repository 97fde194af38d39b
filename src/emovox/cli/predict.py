"""`emovox predict`: from recordings to timelines of emotions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emovox.audio.child import start_helper
from emovox.audio.files import audio_files, needs_ffmpeg
from emovox.cli.choices import channel_choice, reading_choice, speakers_choice
from emovox.cli.console import (
    Bar,
    ChannelsOption,
    CoverageOption,
    HeadOption,
    InputFiles,
    ModelOption,
    RawOption,
    SourceOption,
    SpeakerOption,
    SpeakersOption,
    ThresholdOption,
    TrackOption,
    coloured,
    complain,
    make_folder,
    say_limits,
    spare_other_kind,
    writing,
)
from emovox.cli.predict_job import STDIN, AdaptTo, PredictJob, failure
from emovox.cli.predict_modalities import modalities_choice, words_choice
from emovox.cli.table import table_text
from emovox.cli.transcripts import complain_of_transcript
from emovox.fusion.modalities import TEXT
from emovox.fusion.text.emotion import TextEmotion
from emovox.runtime.adapted import adapted_predictor
from emovox.runtime.envelope import Envelope
from emovox.runtime.predictor import load
from emovox.schema.errors import ConfigError, EmovoxError
from emovox.schema.extras import require
from emovox.schema.formats import SINGLE, SUFFIXES, csv_text, json_text
from emovox.schema.label_sets import sets_of
from emovox.schema.result import Failure, ModelInfo, Result
from emovox.schema.text import name_key


class Format(StrEnum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    SRT = "srt"
    VTT = "vtt"
    TEXTGRID = "textgrid"


_SUFFIX = {
    Format.TABLE: ".txt",
    Format.JSON: ".json",
    Format.CSV: ".csv",
    Format.SRT: SUFFIXES[Format.SRT],
    Format.VTT: SUFFIXES[Format.VTT],
    Format.TEXTGRID: SUFFIXES[Format.TEXTGRID],
}
_HEADS = {
    Format.TABLE: None,
    Format.JSON: b'{\n  "model"',
    Format.CSV: b"file,row,start",
    Format.SRT: b"1\n00:",
    Format.VTT: b"WEBVTT",
    Format.TEXTGRID: b'File type = "ooTextFile"',
}
"""Suffix and first bytes of each format; a table begins with any text."""


def predict(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Recordings, directories of recordings, or - for standard input."),
    ],
    model: ModelOption = None,
    head: HeadOption = None,
    format: Annotated[
        Format | None, typer.Option(help="Format of the output. Default: by the suffix of --output, else table.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write; a directory for several srt, vtt or textgrid. Default: standard output."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG file for a picture of the timeline of one recording.")] = None,
    channels: ChannelsOption = "mix",
    threshold: ThresholdOption = None,
    coverage: CoverageOption = None,
    track: TrackOption = None,
    raw: RawOption = None,
    speakers: SpeakersOption = None,
    speaker: SpeakerOption = None,
    source: SourceOption = None,
    adapt: Annotated[
        AdaptTo,
        typer.Option(
            help="Adapt the scores to the voice of each recording, of each channel, of each of the --speakers, or of "
            "all recordings of a folder; the plain scores stay beside them in JSON."
        ),
    ] = AdaptTo.OFF,
    transcript: Annotated[
        Path | None,
        typer.Option(
            metavar="<file>",
            help="Transcript of the recording: json of Whisper or FunASR, srt, vtt, TextGrid, ctm. Each line gets the "
            "emotion of the speech at its time.",
        ),
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            metavar="<model>",
            help="Make the transcript by faster-whisper, in place of --transcript: a folder, a size such as small, "
            "or a name on the Hugging Face hub.",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="<code>", help="Language for --asr, such as en. Default: found by Whisper.")
    ] = None,
    modalities: Annotated[
        str,
        typer.Option(
            metavar="<voice[,face][,text]>",
            help="What the scores come from. face (experimental): the face in videos, see docs/face.md; text: the "
            "words of --transcript or --asr, English only, see docs/text.md.",
        ),
    ] = "voice",
) -> None:
    """Predict the emotions in recordings, as a timeline.

    A recording that cannot be analysed becomes a row with an error, the others are still analysed, and the exit status
    is 1.
    """
    if plot is not None:
        require("matplotlib", need="--plot", extra="plot")
    choice = channel_choice(channels)
    reading, count = reading_choice(track, raw), speakers_choice(speakers)
    sources = list(_expanded(files))
    format = _format_of(output, format)
    _check_single(sources, format=format, output=output, plot=plot, transcript=transcript)
    words = words_choice(transcript, asr, language, sources)
    wanted = modalities_choice(modalities, sources, coverage=coverage, words=words is not None)
    names = [source for source in sources if isinstance(source, str)]
    inputs = InputFiles([*names, *([] if transcript is None else [transcript])])
    inputs.spare(output, plot)
    spare_other_kind(output, suffix=_SUFFIX[format], head=_HEADS[format])
    spare_other_kind(plot, suffix=".png", head=b"\x89PNG")
    if any(needs_ffmpeg(name) or name.lower().endswith(".mp3") for name in names):
        start_helper(media=any(map(needs_ffmpeg, names)))  # it starts while the model is loaded
    if adapt is not AdaptTo.OFF and speaker is not None:
        raise typer.BadParameter("it goes without --speaker, whose voice is known already", param_hint="--adapt")
    if adapt is AdaptTo.SPEAKER and count is None:
        raise typer.BadParameter("speaker needs --speakers N or --speakers auto", param_hint="--adapt")
    predictor = adapted_predictor(load(model, head=head), speaker, source, adapt=adapt is not AdaptTo.OFF)
    say_limits(predictor.card)
    sets = None if coverage is None else sets_of(predictor.card, coverage)
    with Bar(len(sources)) as bar:
        job = PredictJob(
            predictor,
            sources,
            choice=choice,
            threshold=threshold,
            reading=reading,
            adapt=adapt,
            speakers=count,
            bar=bar,
            plotted=plot is not None,
            words=words,
            emotion=TextEmotion.load() if TEXT in wanted else None,
            sets=sets,
            modalities=wanted,
        )
        if format in SINGLE:
            _write_each(job, format, output, inputs)
        else:
            with writing(output) as write:
                for text in _rendered(job, format, colour=output is None and coloured(sys.stdout)):
                    bar.clear()
                    write(text)
    if plot is not None and job.picture is not None:
        _draw(*job.picture, plot)
    if job.failed:
        complain(f"{job.failed} of {len(sources)} could not be analysed")
        raise typer.Exit(1)


def _rendered(job: PredictJob, format: Format, *, colour: bool) -> Iterator[str]:
    card = job.predictor.card
    if format is Format.JSON:
        return json_text(job.rows(), model=ModelInfo(card.name, card.version))
    if format is Format.CSV:
        return csv_text(
            job.rows(),
            labels=card.labels,
            speakers=job.speakers is not None,
            lines=job.words is not None,
            sets=job.sets is not None,
        )
    return table_text(job.rows(), labels=card.labels, colour=colour)


def _write_each(job: PredictJob, format: Format, output: Path | None, inputs: InputFiles) -> None:
    """Write one document per recording, into the directory `output`; a single one to a file or to standard output."""
    taken: set[str] = set()
    if output is not None and job.several:
        make_folder(output)
    for row in job.rows():
        if isinstance(row, Failure):
            complain(f"error: {row.error.message}")
            continue
        target = output
        if output is not None and output.is_dir():
            target = _free_name(output, Path(row.file).stem, SUFFIXES[format], taken)
        try:
            inputs.spare(target)
            with writing(target) as write:
                write(SINGLE[format](row))
            complain_of_transcript(row)
        except ConfigError as error:  # a name that is too long with its suffix: the others are still written
            job.failed += 1
            complain(f"error: {error}")


def _free_name(folder: Path, stem: str, suffix: str, taken: set[str]) -> Path:
    """Return a name that no other recording of this call has: call.vtt, call-2.vtt, … in the order of recordings."""
    name, number = f"{stem}{suffix}", 1
    while name_key(name) in taken:  # some file systems take Call.vtt for call.vtt
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name_key(name))
    return folder / name


def _format_of(output: Path | None, given: Format | None) -> Format:
    """Return the format: the one that is given, which the suffix must not contradict, or that of the suffix.

    Raises:
        typer.BadParameter: the suffix is that of another format, or none is given and that of a new file is unknown.
    """
    suffix = "" if output is None or output.is_dir() else output.suffix
    named = next((format for format, known in _SUFFIX.items() if known.lower() == suffix.lower()), None)
    if given is None and suffix and named is None and not (output and output.exists()):
        raise typer.BadParameter(
            f"got '{output}', expected a name that ends in {', '.join(_SUFFIX.values())}, or --format",
            param_hint="--output",
        )
    if given is not None and named not in (None, given):
        raise typer.BadParameter(
            f"got '{output}' with --format {given}, expected a name that ends in {_SUFFIX[given]}",
            param_hint="--output",
        )
    return given or named or Format.TABLE


def _expanded(files: Sequence[str]) -> Iterator[str | Failure]:
    for name in files:
        if name == STDIN or not os.path.isdir(name):  # os.path, since pathlib raises if a name is too long
            yield name
            continue
        try:
            yield from (str(path) for path in audio_files(Path(name)))
        except EmovoxError as error:
            yield failure(name, error)


def _check_single(
    sources: Sequence[str | Failure], *, format: Format, output: Path | None, plot: Path | None, transcript: Path | None
) -> None:
    if len(sources) == 1:
        return
    if transcript is not None:
        raise typer.BadParameter(
            f"got {len(sources)} recordings, expected the one that it is the transcript of", param_hint="--transcript"
        )
    if plot is not None:
        raise typer.BadParameter(
            f"got {len(sources)} recordings, expected one; plot them one by one", param_hint="--plot"
        )
    if format in SINGLE and (output is None or (output.exists() and not output.is_dir())):
        raise typer.BadParameter(
            f"got {len(sources)} recordings, but {format} has one per document; give --output DIRECTORY",
            param_hint="--format",
        )


def _draw(result: Result, envelope: Envelope, plot: Path) -> None:
    from emovox.evaluation.report.timeline import write_timeline  # here, since matplotlib takes a second

    time, low, high = envelope.outline()
    write_timeline(plot, result, time=time, low=low, high=high)
