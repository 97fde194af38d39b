"""Results as a table to read: one line per recording, with its timeline if it has several segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import typer

from emovox.cli.console import COLOURS, clock, columns
from emovox.schema.formats import (
    UNCERTAIN,
    adapted_text,
    has_channels,
    line_caption,
    modalities_text,
    set_text,
    verdict,
    voice_name,
)
from emovox.schema.result import NOT_SPEECH, Failure, Result, ResultRow, Segment, SpokenLine
from emovox.schema.text import printable

RUNNERS_UP = 2
"""Labels shown after the best one, at most."""


def table_text(rows: Iterable[ResultRow], *, labels: Sequence[str], colour: bool) -> Iterator[str]:
    """Yield the table, one piece per recording.

    Args:
        rows: results and failures.
        labels: the model's labels; their order determines the colours.
        colour: whether to use terminal colours.
    """
    colours = {label: COLOURS[index % len(COLOURS)] for index, label in enumerate(labels)} if colour else {}
    for row in rows:
        if isinstance(row, Failure):
            painted = typer.style("error", fg="red") if colour else "error"
            message = row.error.message.removeprefix(f"{row.file}: ")
            yield f"{printable(row.file)}  {painted}  {printable(message)}\n"
        else:
            yield _recording(row, colours)


def _recording(result: Result, colours: Mapping[str, str]) -> str:
    if result.scores is None:
        shown = "no label"
    else:
        shown = f"{_painted(result.label or UNCERTAIN, colours)} {result.confidence:.2f}"
    length = f"{result.duration:.2f} s" if result.duration < 60 else clock(result.duration)
    lines = [f"{printable(result.file)}  {length}  {shown}{_others(result.scores, result.label)}\n"]
    if result.adapted is not None:
        lines.append(f"  {printable(adapted_text(result.adapted))}\n")
    if result.modalities is not None:
        lines.append(f"  {modalities_text(result.modalities)}\n")
    if result.label_set is not None:
        lines.append(f"  {result.coverage} %: {set_text(result.label_set)}\n")
    lines += [f"  warning: {printable(notice.message)}\n" for notice in result.warnings]
    if result.lines is not None:
        lines.append(_spoken(result.lines, colours))
    elif len(result.segments) > 1:
        lines.append(_timeline(result.segments, colours, coverage=result.coverage))
    return "".join(lines)


def _timeline(segments: Sequence[Segment], colours: Mapping[str, str], *, coverage: int | None) -> str:
    several = has_channels(segments)
    cells = []
    for segment in segments:
        name = voice_name(segment, several=several)
        voice = [name] if name else []
        shown, others = _painted(verdict(segment), colours), ""
        if segment.code != NOT_SPEECH:
            shown, others = f"{shown} {segment.confidence:.2f}", _others(segment.scores, segment.label).strip()
        if segment.label_set is not None:
            others = f"{coverage} %: {set_text(segment.label_set)}"
        if segment.modalities is not None:
            others = modalities_text(segment.modalities)
        cells.append(["", f"{segment.start:.2f}", "–", f"{segment.end:.2f} s", *voice, shown, others])
    return columns(cells, styled=True)


def _spoken(lines: Sequence[SpokenLine], colours: Mapping[str, str]) -> str:
    cells = []
    for line in lines:
        word = line_caption(line).split(" ")[0]
        shown = line_caption(line).replace(word, _painted(word, colours), 1)
        said = f"{line.speaker}: {line.text}" if line.speaker else line.text
        cells.append(["", f"{line.start:.2f}", "–", f"{line.end:.2f} s", shown, printable(said)])
    return columns(cells, styled=True)


def _others(scores: Mapping[str, float] | None, label: str | None) -> str:
    if scores is None:
        return ""
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    ranked = [item for item in ranked if item[0] != label][:RUNNERS_UP]
    return "  (" + ", ".join(f"{name} {value:.2f}" for name, value in ranked) + ")"


def _painted(text: str, colours: Mapping[str, str]) -> str:
    return typer.style(text, fg=colours[text]) if text in colours else text
