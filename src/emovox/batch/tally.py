"""Counts over an archive, that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from emovox.batch.job import Answer
from emovox.schema.formats import UNCERTAIN


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an archive, or in a part of it; two of them can be added.

    `seconds` of audio decoded; `errors`: code → files; `labels`: label → seconds of speech with it ("uncertain" below
    the threshold), the sum of which is the speech.
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
        """Files that are rows with an error."""
        return sum(self.errors.values())


def tally_of(answers: Iterable[Answer]) -> Tally:
    """Count what answers hold."""
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
                label = segment.label or UNCERTAIN
                labels[label] = labels.get(label, 0.0) + segment.end - segment.start
    return Tally(files=len(counted), seconds=seconds, segments=segments, errors=dict(errors), labels=labels)


def _added(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {label: first.get(label, 0.0) + second.get(label, 0.0) for label in {**first, **second}}
