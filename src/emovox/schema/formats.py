"""Results as text: JSON, CSV, SubRip, WebVTT and Praat TextGrid, row by row, so that memory stays bounded."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from emovox.schema.events import EmotionUpdated, SpeechEnded
from emovox.schema.result import (
    NOT_SPEECH,
    Adapted,
    Failure,
    ModelInfo,
    Result,
    ResultRow,
    Segment,
    SpokenLine,
    rounded,
)
from emovox.schema.text import json_document, shown_line

UNCERTAIN = "uncertain"
"""Text in captions and tables for a score below the abstention threshold."""

OTHER_SOUND = "not speech"
"""Text in captions and tables for a segment in which the model hears no speech."""


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


def csv_text(
    rows: Iterable[ResultRow],
    *,
    labels: Sequence[str],
    speakers: bool = False,
    lines: bool = False,
    sets: bool = False,
) -> Iterator[str]:
    """Yield CSV, one piece per recording: a line for the file, then one per segment; or a line for its error.

    Columns: file, row (file | segment | line | error), start, end [s], channel, speaker (if `speakers`), label,
    confidence, one score per label, warnings (codes, separated by a space; a segment has its `code`), error ("code:
    message"), text (if `lines`: that of the transcript's lines, which follow the segments), label_set (if `sets`:
    labels, separated by |). Control characters in text are escaped, and text that a spreadsheet would take for a
    formula has a ' before it.
    """
    place = ["start", "end", "channel", *["speaker"] * speakers]
    more = [*["text"] * lines, *["label_set"] * sets]
    yield shown_line(["file", "row", *place, "label", "confidence", *labels, "warnings", "error", *more])
    for row in rows:
        cells = [[*cells, *[""] * lines] for cells in _csv_rows(rounded(row), labels, speakers=speakers)]
        if sets:
            parts = (None,) if isinstance(row, Failure) else (row.label_set, *(part.label_set for part in row.segments))
            cells = [[*own, "|".join(part or ())] for own, part in zip(cells, parts, strict=True)]
        if lines and isinstance(row, Result):
            cells += [[*own, *[""] * sets] for own in _csv_lines(rounded(row), labels, speakers=speakers)]
        yield "".join(map(shown_line, cells))


def vtt(result: Result) -> str:
    """Render one recording as WebVTT captions: the lines of its transcript, or else its segments.

    >>> print(vtt(Result("a.wav", 1.0, None, None, None, {}, (), (Segment(0.2, 0.9, 0, "sad", 0.75, {"sad": 0.75}),))))
    WEBVTT
    <BLANKLINE>
    00:00:00.200 --> 00:00:00.900
    sad 0.75
    <BLANKLINE>
    """
    cues = []
    for start, end, name, text in _cues(result):
        voice = f"<v {_escaped(name)}>" if name else ""
        cues.append(f"{_clock(start)} --> {_clock(end)}\n{voice}{_escaped(text)}\n")
    return "\n".join(["WEBVTT\n", *cues])


def srt(result: Result) -> str:
    """Render one recording as SubRip subtitles: the lines of its transcript, or else its segments.

    >>> print(srt(Result("a.wav", 1.0, None, None, None, {}, (), (Segment(0.2, 0.9, 0, "sad", 0.75, {"sad": 0.75}),))))
    1
    00:00:00,200 --> 00:00:00,900
    sad 0.75
    <BLANKLINE>
    """
    cues = []
    for number, (start, end, name, text) in enumerate(_cues(result), 1):
        span = f"{_clock(start)} --> {_clock(end)}".replace(".", ",")
        cues.append(f"{number}\n{span}\n{name + ': ' if name else ''}{text}\n")
    return "\n".join(cues)


def _cues(result: Result) -> Iterator[tuple[float, float, str, str]]:
    """Yield start and end in seconds, the name of the voice or "", and the text of each caption."""
    if result.lines is not None:
        for line in result.lines:
            yield line.start, line.end, line.speaker or "", f"{line.text} [{line_caption(line)}]"
        return
    several = has_channels(result.segments)
    for segment in result.segments:
        yield segment.start, segment.end, voice_name(segment, several=several), _caption(segment)


def textgrid(result: Result) -> str:
    """Render one recording as a Praat TextGrid: one tier per voice, gaps as empty intervals.

    The lines of a transcript are two more tiers, words and emotions.
    """
    several, found = has_channels(result.segments), voices_of(result.segments) or {(0, None): []}
    ends = [part.end for part in result.segments] + [line.end for line in result.lines or ()]
    end = max([result.duration, *ends])
    tiers = []
    for segments in found.values():
        name = f"emotion {voice_name(segments[0], several=several)}".strip() if segments else "emotion"
        tiers.append((name, _intervals([(s.start, s.end, _caption(s)) for s in segments], end)))
    if result.lines is not None:
        spans = [(line, line.start, line.end) for line in result.lines]
        tiers.append(("transcript", _intervals([(a, b, line.text) for line, a, b in spans], end)))
        tiers.append(("emotion of lines", _intervals([(a, b, line_caption(line)) for line, a, b in spans], end)))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = 0\nxmax = {end}", "tiers? <exists>"]
    lines += [f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers, 1):
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


SINGLE: Mapping[str, Callable[[Result], str]] = {"srt": srt, "vtt": vtt, "textgrid": textgrid}
"""Formats with one document per recording."""

SUFFIXES: Mapping[str, str] = {"srt": ".srt", "vtt": ".vtt", "textgrid": ".TextGrid"}
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
        yield [row.file, "segment", *place, segment.label, segment.confidence, *values, segment.code or "", ""]


def _csv_lines(result: ResultRow, labels: Sequence[str], *, speakers: bool) -> Iterator[list[object]]:
    for line in (result.lines or ()) if isinstance(result, Result) else ():
        scores = [""] * len(labels) if line.scores is None else [line.scores[label] for label in labels]
        place = [line.start, line.end, "", *["" if line.speaker is None else line.speaker] * speakers]
        yield [result.file, "line", *place, line.label, line.confidence, *scores, "", "", line.text]


def modalities_text(modalities: Mapping[str, Mapping[str, float]]) -> str:
    """Return what each modality says, in words.

    >>> modalities_text({"voice": {"sad": 0.6, "happy": 0.4}, "face": {"sad": 0.2, "happy": 0.8}})
    'voice sad 0.60, face happy 0.80'
    """
    best = {name: max(scores, key=scores.__getitem__) for name, scores in modalities.items()}
    return ", ".join(f"{name} {label} {modalities[name][label]:.2f}" for name, label in best.items())


def line_caption(line: SpokenLine) -> str:
    """Return the emotion of a line of a transcript: label and confidence, or that there is no speech."""
    return "no speech" if line.confidence is None else f"{line.label or UNCERTAIN} {line.confidence:.2f}"


def set_text(labels: Sequence[str]) -> str:
    """Return a set of labels in words.

    >>> set_text(("sad", "neutral", "fear")), set_text(("sad",))
    ('sad, neutral or fear', 'sad')
    """
    return " or ".join([*([", ".join(labels[:-1])] if len(labels) > 1 else []), labels[-1]])


def verdict(heard: Segment | EmotionUpdated | SpeechEnded) -> str:
    """Return the label for people; in its place "uncertain", or "not speech".

    >>> verdict(Segment(0.0, 1.0, 0, None, 0.5, {}, code="not_speech"))
    'not speech'
    """
    return OTHER_SOUND if heard.code == NOT_SPEECH else heard.label or UNCERTAIN


def _caption(segment: Segment) -> str:
    if segment.label_set is not None:
        return set_text(segment.label_set)
    return OTHER_SOUND if segment.code == NOT_SPEECH else f"{verdict(segment)} {segment.confidence:.2f}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _intervals(parts: Iterable[tuple[float, float, str]], end: float) -> list[tuple[float, float, str]]:
    """Return intervals without gaps from 0 to `end`: one that overlaps the one before it begins where that ends."""
    intervals = []
    position = 0.0
    for low, high, text in sorted(parts):
        if low > position:
            intervals.append((position, low, ""))
        if high > position:
            intervals.append((max(position, low), high, text))
            position = high
    if position < end or not intervals:
        intervals.append((position, end, ""))
    return intervals
