"""Lines of a transcript on the timeline of a recording: each gets the emotion of the speech that it overlaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from emovox.fusion.transcript import Line, Transcript
from emovox.runtime.timeline import spoken
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Notice, Result, Segment, SpokenLine

LATEST_END = 2.0
"""Seconds by which a transcript may end after its recording: recognisers round, and add silence to the last window."""

LEAST_OVERLAP = 0.1
"""Seconds of a line that must lie in speech, or all of a line that is shorter: less says nothing."""

MOST_SILENT = 0.8
"""Share of the lines outside all speech from which a transcript is doubtful; of one party of two it is about half."""

LATER_SPEECH = 0.5
"""Share of the speech after the last line from which a transcript is doubtful."""


def with_transcript(result: Result, transcript: Transcript, *, threshold: float) -> Result:
    """Return a result with the lines of its transcript, and what is odd about it as warnings `transcript`.

    A transcript of another recording, or one that could not be read, adds a warning alone: the voice stays.

    Args:
        result: of the recording.
        transcript: of the same recording.
        threshold: as in `spoken_lines`.
    """
    notices = list(transcript.notices)
    lines = None
    if transcript.lines is not None:
        try:
            lines = spoken_lines(result, transcript.lines, threshold=threshold)
            notices += (Notice(TranscriptError.code, doubt) for doubt in _doubts(result, lines))
        except TranscriptError as error:
            notices.append(Notice(error.code, str(error)))
    return replace(result, lines=lines, warnings=(*result.warnings, *notices))


def fitting_lines(result: Result, transcript: Transcript | None) -> tuple[Line, ...]:
    """Return the lines of a transcript; none if there is no transcript, or it is that of another recording."""
    if transcript is None or transcript.lines is None:
        return ()
    try:
        check_length(result, transcript.lines)
    except TranscriptError:
        return ()
    return transcript.lines


def _doubts(result: Result, lines: Sequence[SpokenLine]) -> Iterator[str]:
    """Yield what speaks against a transcript of this recording."""
    check = "check that it is the transcript of this recording"
    segments = spoken(result.segments)
    silent = sum(line.scores is None for line in lines)
    if segments and silent > MOST_SILENT * len(lines):
        yield f"{silent} of {len(lines)} lines of the transcript are outside the speech; {check}"
    last = max(line.end for line in lines)
    speech = sum(segment.end - segment.start for segment in segments)
    later = sum(segment.end - max(segment.start, last) for segment in segments if segment.end > last)
    if later > LATER_SPEECH * speech:
        share = 100 * later / speech
        yield f"the transcript ends at {last:.1f} s, and {share:.0f} % of the speech is later; {check}, and whole"


def spoken_lines(result: Result, lines: Sequence[Line], *, threshold: float) -> tuple[SpokenLine, ...]:
    """Return each line with the scores of its time: the mean over the segments, weighted by the overlap in seconds.

    Args:
        result: of the recording. Segments of all channels count, if they are speech.
        lines: of its transcript.
        threshold: abstention threshold in [0, 1]: below it a line has no label, but its scores.

    Returns:
        The lines in their order. One outside all speech has neither label nor scores.

    Raises:
        TranscriptError: the transcript is longer than the recording, so it is that of another one.
    """
    check_length(result, lines)
    return tuple(_on_timeline(lines, spoken(result.segments), threshold))


def check_length(result: Result, lines: Sequence[Line]) -> None:
    """Check that lines may be those of a recording.

    Raises:
        TranscriptError: they are longer, so they are those of another one.
    """
    last = max((line.end for line in lines), default=0.0)
    if last > result.duration + LATEST_END:
        raise TranscriptError(
            f"the transcript ends at {last:.1f} s, the recording {result.file} at {result.duration:.1f} s; give the "
            "transcript of this recording"
        )


def _on_timeline(lines: Sequence[Line], segments: Sequence[Segment], threshold: float) -> Iterator[SpokenLine]:
    labels = list(segments[0].scores) if segments else []
    starts, ends = (np.array([getattr(segment, side) for segment in segments]) for side in ("start", "end"))
    table = np.array([[segment.scores[label] for label in labels] for segment in segments])
    for line in lines:
        overlaps = np.maximum(0.0, np.minimum(line.end, ends) - np.maximum(line.start, starts))
        if overlaps.sum() < min(LEAST_OVERLAP, line.end - line.start) or not overlaps.any():
            yield SpokenLine(line.start, line.end, line.text, None, None, None, line.speaker)
            continue
        mean = np.average(table, axis=0, weights=overlaps)
        scores = dict(zip(labels, map(float, mean), strict=True))
        label = max(scores, key=scores.__getitem__)
        sure = scores[label]
        known = label if sure >= threshold else None
        yield SpokenLine(line.start, line.end, line.text, known, sure, scores, line.speaker)
