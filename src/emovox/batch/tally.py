"""Counts over an archive or a part of it, which can be added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from emovox.batch.job import Answer
from emovox.schema.formats import verdict


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over an archive, or over a part of it. The sum of two is that of both parts.

    Attributes:
        files: number of recordings.
        seconds: seconds of decoded audio.
        segments: number of segments.
        errors: code → number of files.
        labels: label → seconds, with "uncertain" below the threshold and "not speech" for other sounds. Their sum is
            that of all segments.
    """

    files: int = 0
    seconds: float = 0.0
    segments: int = 0
    errors: dict[str, int] = {}
    labels: dict[str, float] = {}

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            files=self.files + other.files,
            seconds=self.seconds + other.seconds,
            segments=self.segments + other.segments,
            errors=dict(Counter(self.errors) + Counter(other.errors)),
            labels=_added(self.labels, other.labels),
        )

    @property
    def failed(self) -> int:
        """Number of files with an error."""
        return sum(self.errors.values())


def tally_of(answers: Iterable[Answer]) -> Tally:
    """Return the counts over some answers."""
    counted = list(answers)
    seconds, segments = 0.0, 0
    errors: Counter[str] = Counter()
    labels: dict[str, float] = {}
    for answer in counted:
        if answer.error is not None:
            errors[answer.error.code] += 1
        if answer.result is not None:
            seconds += answer.result.duration
            segments += len(answer.result.segments)
            for segment in answer.result.segments:
                label = verdict(segment)
                labels[label] = labels.get(label, 0.0) + segment.end - segment.start
    return Tally(files=len(counted), seconds=seconds, segments=segments, errors=dict(errors), labels=labels)


def _added(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {label: first.get(label, 0.0) + second.get(label, 0.0) for label in {**first, **second}}
