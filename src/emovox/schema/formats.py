"""Results as text: JSON, CSV, WebVTT and Praat TextGrid, row by row, so that memory stays bounded."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from emovox.schema.result import Adapted, Failure, ModelInfo, Result, ResultRow, Segment, rounded
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


def csv_text(rows: Iterable[ResultRow], *, labels: Sequence[str], speakers: bool = False) -> Iterator[str]:
    """Yield CSV, one piece per recording: a line for the file, then one per segment; or a line for its error.

    Columns: file, row (file | segment | error), start, end [s], channel, speaker (if `speakers`), label, confidence,
    one score per label, warnings (codes, separated by a space), error ("code: message"). Control characters in text
    are escaped, and text that a spreadsheet would take for a formula has a ' before it.
    """
    place = ["start", "end", "channel", *["speaker"] * speakers]
    yield shown_line(["file", "row", *place, "label", "confidence", *labels, "warnings", "error"])
    for row in rows:
        yield "".join(shown_line(cells) for cells in _csv_rows(rounded(row), labels, speakers=speakers))


def vtt(result: Result) -> str:
    """Render the segments of one recording as WebVTT captions.

    >>> print(vtt(Result("a.wav", 1.0, None, None, None, {}, (), (Segment(0.2, 0.9, 0, "sad", 0.75, {"sad": 0.75}),))))
    WEBVTT
    <BLANKLINE>
    00:00:00.200 --> 00:00:00.900
    sad 0.75
    <BLANKLINE>
    """
    several = has_channels(result.segments)
    cues = []
    for segment in result.segments:
        name = voice_name(segment, several=several)
        voice = f"<v {name}>" if name else ""
        span = f"{_clock(segment.start)} --> {_clock(segment.end)}"
        cues.append(f"{span}\n{voice}{_escaped(_caption(segment))}\n")
    return "\n".join(["WEBVTT\n", *cues])


def textgrid(result: Result) -> str:
    """Render the segments of one recording as a Praat TextGrid: one tier per voice, gaps as empty intervals."""
    several, tiers = has_channels(result.segments), voices_of(result.segments) or {(0, None): []}
    end = max([result.duration, *(segment.end for segment in result.segments)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = 0\nxmax = {end}", "tiers? <exists>"]
    lines += [f"size = {len(tiers)}", "item []:"]
    for number, segments in enumerate(tiers.values(), 1):
        intervals = _intervals(segments, end)
        name = f"emotion {voice_name(segments[0], several=several)}".strip() if segments else "emotion"
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(intervals)}"]
        for index, (low, high, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{index}]:", f"            xmin = {low}", f"            xmax = {high}"]
            lines += [f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


def has_channels(segments: Iterable[Segment]) -> bool:
    """Return whether segments are of several channels, which are then named."""
    return len({segment.channel for segment in segments}) > 1


def voice_name(segment: Segment, *, several: bool) -> str:
    """Return what names the voice of a segment for people: its channel, from 0, and its speaker, from 1; or "".

    Args:
        segment: a segment of a recording.
        several: whether the recording has several channels.

    >>> voice_name(Segment(0.0, 1.0, 1, None, 0.5, {}, speaker=0), several=True)
    'channel 1, speaker 1'
    """
    channel = [f"channel {segment.channel}"] if several else []
    return ", ".join([*channel, *([] if segment.speaker is None else [f"speaker {segment.speaker + 1}"])])


def voices_of(segments: Iterable[Segment]) -> dict[tuple[int, int | None], list[Segment]]:
    """Return the segments of each voice, by channel and speaker, in that order."""
    found: dict[tuple[int, int | None], list[Segment]] = {}
    for segment in sorted(segments, key=lambda segment: (segment.channel, segment.speaker or 0)):
        found.setdefault((segment.channel, segment.speaker), []).append(segment)
    return found


SINGLE: Mapping[str, Callable[[Result], str]] = {"vtt": vtt, "textgrid": textgrid}
"""Formats with one document per recording."""

SUFFIXES: Mapping[str, str] = {"vtt": ".vtt", "textgrid": ".TextGrid"}
"""The file suffix of each format in `SINGLE`."""


def adapted_text(adapted: Adapted) -> str:
    """Return what scores are adapted to, in words.

    >>> adapted_text(Adapted("stream", 7, 21.3)), adapted_text(Adapted("speaker ana", 1, 3.0))
    ('adapted to 7 tiles, 21 s', 'adapted to speaker ana, 1 tile, 3 s')
    """
    if not adapted.clips:
        return "adapted to the source" if adapted.source == "source" else "adapted to nothing yet"
    name = "" if adapted.source == "stream" else f"{adapted.source}, "
    tiles = "tile" if adapted.clips == 1 else "tiles"
    return f"adapted to {name}{adapted.clips} {tiles}, {adapted.seconds:.0f} s"


def _indented(block: str, width: int) -> str:
    return textwrap.indent(block, " " * width).strip()


def _csv_rows(row: ResultRow, labels: Sequence[str], *, speakers: bool) -> Iterator[list[object]]:
    blank, nobody = [""] * len(labels), [""] * speakers
    if isinstance(row, Failure):
        message = f"{row.error.code}: {row.error.message}"
        yield [row.file, "error", "", "", "", *nobody, "", "", *blank, "", message]
        return
    scores = blank if row.scores is None else [row.scores[label] for label in labels]
    codes = " ".join(notice.code for notice in row.warnings)
    yield [row.file, "file", 0.0, row.duration, "", *nobody, row.label, row.confidence, *scores, codes, ""]
    for segment in row.segments:
        values = [segment.scores[label] for label in labels]
        place = [segment.start, segment.end, segment.channel, *([segment.speaker] if speakers else [])]
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
