"""Results as text: JSON, CSV, WebVTT and Praat TextGrid, row by row, so that memory stays bounded."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from emovox.schema.result import Failure, ModelInfo, Result, ResultRow, Segment, rounded
from emovox.schema.text import json_document, shown_line

UNCERTAIN = "uncertain"
"""Text in captions and tables for a score below the abstention threshold."""


def json_text(rows: Iterable[ResultRow], *, model: ModelInfo) -> Iterator[str]:
    """Yield the JSON document of `emovox predict --format json` in pieces, one per row.

    The joined pieces equal `Report.to_json`. An error inside `rows` leaves the document incomplete.
    """
    yield f'{{\n  "model": {_indented(json_document(model), 2)},\n  "results": ['
    separator = "\n"
    for row in rows:
        yield f"{separator}    {_indented(json_document(rounded(row)), 4)}"
        separator = ",\n"
    yield "]\n}\n" if separator == "\n" else "\n  ]\n}\n"


def csv_text(rows: Iterable[ResultRow], *, labels: Sequence[str]) -> Iterator[str]:
    """Yield CSV, one piece per recording: a line for the file, then one per segment; or a line for its error.

    Columns: file, row (file | segment | error), start, end [s], channel, label, confidence, one score per label,
    warnings (codes, separated by a space), error ("code: message"). Control characters in text are escaped, and text
    that a spreadsheet would take for a formula has a ' before it.
    """
    columns = ["file", "row", "start", "end", "channel", "label", "confidence", *labels, "warnings", "error"]
    yield shown_line(columns)
    for row in rows:
        yield "".join(shown_line(cells) for cells in _csv_rows(rounded(row), labels))


def vtt(result: Result) -> str:
    """Render the segments of one recording as WebVTT captions.

    >>> print(vtt(Result("a.wav", 1.0, None, None, None, {}, (), (Segment(0.2, 0.9, 0, "sad", 0.75, {"sad": 0.75}),))))
    WEBVTT
    <BLANKLINE>
    00:00:00.200 --> 00:00:00.900
    sad 0.75
    <BLANKLINE>
    """
    several = len({segment.channel for segment in result.segments}) > 1
    cues = []
    for segment in result.segments:
        voice = f"<v channel {segment.channel}>" if several else ""
        span = f"{_clock(segment.start)} --> {_clock(segment.end)}"
        cues.append(f"{span}\n{voice}{_escaped(_caption(segment))}\n")
    return "\n".join(["WEBVTT\n", *cues])


def textgrid(result: Result) -> str:
    """Render the segments of one recording as a Praat TextGrid: one tier per channel, gaps as empty intervals."""
    channels = sorted({segment.channel for segment in result.segments}) or [0]
    end = max([result.duration, *(segment.end for segment in result.segments)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = 0\nxmax = {end}", "tiers? <exists>"]
    lines += [f"size = {len(channels)}", "item []:"]
    for number, channel in enumerate(channels, 1):
        intervals = _intervals([s for s in result.segments if s.channel == channel], end)
        name = "emotion" if len(channels) == 1 else f"emotion channel {channel}"
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(intervals)}"]
        for index, (low, high, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{index}]:", f"            xmin = {low}", f"            xmax = {high}"]
            lines += [f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


SINGLE: Mapping[str, Callable[[Result], str]] = {"vtt": vtt, "textgrid": textgrid}
"""Formats with one document per recording."""

SUFFIXES: Mapping[str, str] = {"vtt": ".vtt", "textgrid": ".TextGrid"}
"""The file suffix of each format in `SINGLE`."""


def _indented(block: str, width: int) -> str:
    return textwrap.indent(block, " " * width).strip()


def _csv_rows(row: ResultRow, labels: Sequence[str]) -> Iterator[list[object]]:
    blank = [""] * len(labels)
    if isinstance(row, Failure):
        yield [row.file, "error", "", "", "", "", "", *blank, "", f"{row.error.code}: {row.error.message}"]
        return
    scores = blank if row.scores is None else [row.scores[label] for label in labels]
    codes = " ".join(notice.code for notice in row.warnings)
    yield [row.file, "file", 0.0, row.duration, "", row.label, row.confidence, *scores, codes, ""]
    for segment in row.segments:
        values = [segment.scores[label] for label in labels]
        place = [segment.start, segment.end, segment.channel]
        yield [row.file, "segment", *place, segment.label, segment.confidence, *values, "", ""]


def _caption(segment: Segment) -> str:
    return f"{segment.label or UNCERTAIN} {segment.confidence:.2f}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _intervals(segments: Sequence[Segment], end: float) -> list[tuple[float, float, str]]:
    intervals = []
    position = 0.0
    for segment in sorted(segments, key=lambda segment: segment.start):
        if segment.start > position:
            intervals.append((position, segment.start, ""))
        intervals.append((max(position, segment.start), segment.end, _caption(segment)))
        position = segment.end
    if position < end or not intervals:
        intervals.append((position, end, ""))
    return intervals
