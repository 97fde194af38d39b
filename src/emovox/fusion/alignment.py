"""Lines of a transcript on the timeline of a recording: each gets the emotion of the speech that it overlaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emovox.fusion.transcript import Line
from emovox.runtime.timeline import spoken
from emovox.schema.errors import TranscriptError
from emovox.schema.result import Result, Segment, SpokenLine

LATEST_END = 2.0
"""Seconds by which a transcript may end after its recording: recognisers round, and add silence to the last window."""

LEAST_OVERLAP = 0.1
"""Seconds of a line that must lie in speech, or all of a line that is shorter: less says nothing."""


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
    last = max((line.end for line in lines), default=0.0)
    if last > result.duration + LATEST_END:
        raise TranscriptError(
            f"the transcript ends at {last:.1f} s, the recording {result.file} at {result.duration:.1f} s; give the "
            "transcript of this recording"
        )
    return tuple(_spoken(line, spoken(result.segments), threshold) for line in lines)


def _spoken(line: Line, segments: Sequence[Segment], threshold: float) -> SpokenLine:
    overlaps = [max(0.0, min(line.end, s.end) - max(line.start, s.start)) for s in segments]
    if sum(overlaps) < min(LEAST_OVERLAP, line.end - line.start) or not any(overlaps):
        return SpokenLine(line.start, line.end, line.text, None, None, None, line.speaker)
    labels = list(segments[0].scores)
    table = np.array([[segment.scores[label] for label in labels] for segment in segments])
    mean = np.average(table, axis=0, weights=overlaps)
    scores = dict(zip(labels, map(float, mean), strict=True))
    label = max(scores, key=scores.__getitem__)
    sure = scores[label]
    return SpokenLine(line.start, line.end, line.text, label if sure >= threshold else None, sure, scores, line.speaker)
