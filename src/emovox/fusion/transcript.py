"""Transcripts of recordings: read from the forms that recognisers and annotation tools write.

JSON of Whisper, faster-whisper, WhisperX and FunASR; SubRip (srt), WebVTT (vtt), Praat TextGrid, NIST CTM.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import msgspec

from emovox.fusion.text_encoding import decoded
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Notice

LARGEST_FILE = 50_000_000
"""Bytes of the largest transcript: a day of speech with times of words has about a tenth of this."""

LONGEST_PAUSE = 0.8
"""Seconds between two words of a CTM file that begin a new line."""

LARGEST_OVERLAP = 0.5
"""Seconds by which a line may reach into the next one of its speaker: recognisers round."""

_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, msgspec.DecodeError)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
# A tag holds no "<" and a name begins with no space, so a search takes linear time, whatever the text is.
_TAG = re.compile(r"<[^<>]*>")
_VOICE = re.compile(r"<v(?:\.[^ <>]*)?[ \t]+([^<>\s][^<>]*)>")
_LONG_INTERVAL = re.compile(
    r"xmin\s*=\s*(?P<low>[\d.eE+-]+)\s*xmax\s*=\s*(?P<high>[\d.eE+-]+)\s*text\s*=\s*\"(?P<text>(?:[^\"]|\"\")*)\""
)
_TIER = re.compile(r"class\s*=\s*\"IntervalTier\"\s*name\s*=\s*\"((?:[^\"]|\"\")*)\"")


class Line(msgspec.Struct, frozen=True):
    """A line of a transcript: `start` and `end` in seconds, its text, and who speaks, if the transcript says so."""

    start: float
    end: float
    text: str
    speaker: str | None = None


class Transcript(msgspec.Struct, frozen=True):
    """The lines of a transcript, in the order of their starts, and `notices` on what is odd in it.

    `lines` is None if the transcript cannot be used; then a notice says why.
    """

    lines: tuple[Line, ...] | None
    notices: tuple[Notice, ...] = ()


def check_suffix(name: str) -> None:
    """Check that a file's name ends in the suffix of a transcript.

    Raises:
        TranscriptError: it does not.
    """
    if _suffix(name) not in _READERS:
        raise TranscriptError(f"{name}: got the suffix '{_suffix(name)}', expected {', '.join(_READERS)}")


def check_transcript(path: Path) -> None:
    """Check that there is a file whose suffix is that of a transcript; it is not read.

    Raises:
        TranscriptError: there is none, or the suffix is another one.
    """
    check_suffix(str(path))
    if not path.is_file():
        raise TranscriptError(f"{path}: cannot be read (no such file), expected a transcript")


def read_transcript(path: Path) -> Transcript:
    """Read a transcript. Lines without text are left out.

    Returns:
        Its lines. Notices say if the encoding was guessed (`emovox.fusion.text_encoding.decoded`), or if lines of one
        speaker overlap by more than `LARGEST_OVERLAP`.

    Raises:
        TranscriptError: the file cannot be read, has another form than its suffix says, no line with text, or times
            that are negative, not finite or reversed.
    """
    check_transcript(path)
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be read ({error.strerror})") from error
    if data is None:
        raise TranscriptError(f"{path}: is larger than {LARGEST_FILE // 1_000_000} MB, expected a transcript")
    return parse_transcript(data, name=str(path))


def parse_transcript(data: bytes, *, name: str) -> Transcript:
    """Return the transcript in the bytes of a file; its name ends in the suffix of its form. Raises as the file's."""
    text, guess = decoded(data)
    if "\0" in text:
        raise TranscriptError(f"{name}: got binary data, expected a transcript in text")
    lines = _checked(name, text.replace("\r\n", "\n").replace("\r", "\n"))
    return Transcript(lines, tuple(Notice(TranscriptError.code, odd) for odd in _oddities(name, lines, guess)))


def _oddities(path: str, lines: Sequence[Line], guess: str | None) -> Iterator[str]:
    if guess is not None:
        yield f"{path}: is not UTF-8 and was read as {guess}; save it as UTF-8 if its words look wrong"
    latest: dict[str | None, float] = {}
    overlapping: list[Line] = []
    for line in lines:
        if line.start < latest.get(line.speaker, 0.0) - LARGEST_OVERLAP:
            overlapping.append(line)
        latest[line.speaker] = max(line.end, latest.get(line.speaker, 0.0))
    if overlapping:
        yield (
            f"{path}: {len(overlapping)} of {len(lines)} lines begin before the one before has ended, the first at "
            f"{overlapping[0].start:.1f} s; each has the emotion of all speech at its time"
        )


def _checked(path: str, text: str) -> tuple[Line, ...]:
    reader = _READERS[_suffix(path)]
    try:
        lines = [Line(line.start, line.end, " ".join(line.text.split()), line.speaker) for line in reader(text)]
    except _UNREADABLE as error:
        raise TranscriptError(f"{path}: cannot be read as {_suffix(path)} ({error}); export it again") from error
    lines = [line for line in lines if line.text]
    if not lines:
        raise TranscriptError(f"{path}: got no line with text; check that it is the transcript of a recording")
    for line in lines:
        if not (math.isfinite(line.start) and math.isfinite(line.end) and 0 <= line.start <= line.end):
            raise TranscriptError(
                f"{path}: got a line from {line.start} to {line.end} s, expected 0 <= start <= end; correct the times "
                f"of '{line.text:.40}'"
            )
    return tuple(sorted(lines, key=lambda line: (line.start, line.end)))


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _json(text: str) -> Iterator[Line]:
    data = msgspec.json.decode(text)
    for part in data if isinstance(data, list) else [data]:
        if "segments" in part:  # Whisper, faster-whisper, WhisperX
            yield from map(_segment, part["segments"])
        elif "sentence_info" in part:  # FunASR, times in milliseconds
            yield from (
                Line(s["start"] / 1000, s["end"] / 1000, s.get("text") or s["sentence"], _named(s.get("spk")))
                for s in part["sentence_info"]
            )
        elif "timestamp" in part:  # FunASR without sentences: one pair of milliseconds for each word or character
            times = part["timestamp"]
            yield Line(times[0][0] / 1000, times[-1][1] / 1000, part["text"])
        elif {"start", "end", "text"} <= set(part):  # a list of lines
            yield _segment(part)
        else:
            raise ValueError("expected 'segments' (Whisper), 'sentence_info' or 'timestamp' (FunASR)")


def _segment(segment: Mapping[str, Any]) -> Line:
    """Read a segment; its words, if they have times, say better than itself when it begins and ends."""
    words = [word for word in segment.get("words") or () if "start" in word and "end" in word]
    first, last = (words[0], words[-1]) if words else (segment, segment)
    return Line(float(first["start"]), float(last["end"]), str(segment["text"]), _named(segment.get("speaker")))


def _named(speaker: object) -> str | None:
    return None if speaker is None else str(speaker)


def _cues(text: str) -> Iterator[Line]:
    """Read SubRip or WebVTT: blocks of lines, of which one has `-->` and those behind it are the text."""
    for block in re.split(r"\n[ \t]*\n", text):
        rows = block.strip("\n").split("\n")
        at = next((index for index, row in enumerate(rows) if "-->" in row), None)
        if at is None:
            continue  # the head of a WebVTT file, notes, styles
        start, end = (_seconds(part) for part in rows[at].split("-->"))
        said = " ".join(rows[at + 1 :])
        voice = _VOICE.search(said)
        yield Line(start, end, _unescaped(_TAG.sub("", said)), voice[1] if voice else None)


def _seconds(clock: str) -> float:
    found = _CLOCK.match(clock.strip())
    if found is None:
        raise ValueError(f"got the time '{clock.strip():.20}', expected 00:00:01.200")
    hours, minutes, seconds, fraction = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")


def _textgrid(text: str) -> Iterator[Line]:
    """Read the interval tiers of a long TextGrid; several tiers are several speakers, by their names."""
    heads = list(_TIER.finditer(text))
    if not heads:
        raise ValueError("expected interval tiers in Praat's long form (Save as text file)")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        name = head[1].replace('""', '"') if len(heads) > 1 else None
        for found in _LONG_INTERVAL.finditer(text, head.end(), end):
            yield Line(float(found["low"]), float(found["high"]), found["text"].replace('""', '"'), name)


def _ctm(text: str) -> Iterator[Line]:
    """Read words `recording channel start duration word`; a pause or another channel begins a new line."""
    words = [Line(float(p[2]), float(p[2]) + float(p[3]), p[4], p[1]) for p in _fields(text)]
    several = len({word.speaker for word in words}) > 1
    cuts = [i for i, (a, b) in enumerate(pairwise(words), 1) if _breaks(a, b)]
    for first, last in pairwise([0, *cuts, len(words)]) if words else ():
        part = words[first:last]
        said = " ".join(word.text for word in part)
        yield Line(part[0].start, max(word.end for word in part), said, part[0].speaker if several else None)


def _fields(text: str) -> Iterable[list[str]]:
    return (row.split() for row in text.split("\n") if row.strip() and not row.startswith(";;"))


def _breaks(before: Line, after: Line) -> bool:
    return before.speaker != after.speaker or not 0 <= after.start - before.end + 1e-9 <= LONGEST_PAUSE


_READERS: Mapping[str, Callable[[str], Iterator[Line]]] = {
    ".json": _json,
    ".srt": _cues,
    ".vtt": _cues,
    ".textgrid": _textgrid,
    ".ctm": _ctm,
}
