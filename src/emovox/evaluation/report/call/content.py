"""What the report of a call says: parties, shares, moments to listen to, lines of the transcript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from emovox.fusion.alignment import spoken_lines
from emovox.fusion.transcript import Line
from emovox.runtime.timeline import label_of, mean_scores, speech_shares, spoken
from emovox.schema.result import Result, Segment, SpokenLine

Floats: TypeAlias = npt.NDArray[np.float64]

PLAIN_LABELS = frozenset({"neutral", "calm"})
"""Labels that are no moment to listen to."""

MOST_MOMENTS = 8
"""Moments that a report names, at most: what a person hears again in a few minutes."""

MOST_OF_ONE = 3
"""Moments of one label, at most, so that a frequent label does not hide the others."""

LONGEST_GAP = 2.0
"""Seconds between two segments of one label that still make one moment."""

LEAST_SHARE = 0.3
"""Share of a line that must be speech of a party, in [0, 1]; recognisers include pauses in their lines."""


@dataclass(frozen=True)
class CallMoment:
    """Segments of one label, one after the other. Times in seconds; `confidence` is the highest of them."""

    start: float
    end: float
    channel: int
    label: str
    confidence: float


@dataclass(frozen=True)
class CallParty:
    """One channel of a call.

    Attributes:
        channel: its number, from 0.
        segments: of its speech, at least one, by time.
        label: of all its speech; None below the threshold.
        best: the label with the highest score, and `confidence`: that score.
        shares: share of its speech in which each label scores highest, the largest first; they sum to 1.
        seconds: of its speech.
        labelled: share of its speech in segments with a label, in [0, 1].
        expected: mean confidence of these segments, weighted by their lengths; None if there is none.
    """

    channel: int
    segments: tuple[Segment, ...]
    label: str | None
    best: str
    confidence: float
    shares: dict[str, float]
    seconds: float
    labelled: float
    expected: float | None


@dataclass(frozen=True)
class CallLine:
    """A line of the transcript, and the channel whose speech it is; None: of a party that is not analysed."""

    line: SpokenLine
    channel: int | None


def call_parties(segments: Iterable[Segment], *, threshold: float) -> tuple[CallParty, ...]:
    """Return the parties that speak, by channel, without what is not speech; `threshold` of confidence in [0, 1]."""
    found: dict[int, list[Segment]] = {}
    for segment in sorted(spoken(list(segments)), key=lambda segment: (segment.channel, segment.start)):
        found.setdefault(segment.channel, []).append(segment)
    return tuple(_party(channel, own, threshold) for channel, own in found.items())


def _party(channel: int, segments: Sequence[Segment], threshold: float) -> CallParty:
    scores = mean_scores(segments)
    best = max(scores, key=scores.__getitem__)
    seconds = np.array([segment.end - segment.start for segment in segments])
    sure = np.array([segment.label is not None for segment in segments])
    confidences = np.array([segment.confidence for segment in segments])
    labelled = float(seconds[sure].sum())
    return CallParty(
        channel=channel,
        segments=tuple(segments),
        label=label_of(scores, threshold=threshold),
        best=best,
        confidence=scores[best],
        shares=speech_shares(segments),
        seconds=float(seconds.sum()),
        labelled=labelled / float(seconds.sum()),
        expected=float(seconds[sure] @ confidences[sure]) / labelled if labelled else None,
    )


def moments(segments: Iterable[Segment], *, most: int = MOST_MOMENTS) -> tuple[CallMoment, ...]:
    """Return the stretches whose label is not plain and whose confidence is highest, in the order of time.

    Args:
        segments: of all channels that are analysed.
        most: how many at most, of them `MOST_OF_ONE` of each label.
    """
    found: list[CallMoment] = []
    for own in _runs(sorted(segments, key=lambda segment: (segment.channel, segment.start))):
        first, label = own[0], own[0].label
        if label is not None and label not in PLAIN_LABELS:
            sure = max(segment.confidence for segment in own)
            found.append(CallMoment(first.start, own[-1].end, first.channel, label, sure))
    surest = sorted(found, key=lambda moment: -moment.confidence)
    few = [one for i, one in enumerate(surest) if sum(o.label == one.label for o in surest[:i]) < MOST_OF_ONE]
    return tuple(sorted(few[:most], key=lambda moment: (moment.start, moment.channel)))


def _runs(segments: Sequence[Segment]) -> Iterable[Sequence[Segment]]:
    """Split segments where the channel or the label changes, or a pause is long."""
    cuts = [
        index
        for index, (a, b) in enumerate(pairwise(segments), 1)
        if (a.channel, a.label) != (b.channel, b.label) or b.start - a.end > LONGEST_GAP
    ]
    return (segments[first:last] for first, last in pairwise([0, *cuts, len(segments)])) if segments else ()


def call_lines(result: Result, lines: Sequence[Line], *, threshold: float) -> tuple[CallLine, ...]:
    """Return each line of a transcript with its party, and the emotion of that party's speech at its time.

    A line belongs to the channel that shares most time with it, if that is at least `LEAST_SHARE` of the line. If the
    transcript names speakers, all lines of one name belong to one channel by the same rule.

    Args:
        result: of the call, with segments of the channels that are analysed.
        lines: of the transcript.
        threshold: abstention threshold in [0, 1].

    Raises:
        TranscriptError: the transcript is longer than the recording.
    """
    found = {party: [s for s in spoken(result.segments) if s.channel == party] for party in _channels(result)}
    heard = {
        channel: spoken_lines(replace(result, segments=tuple(own)), lines, threshold=threshold)
        for channel, own in found.items()
    }
    owners = _owners(lines, {channel: _shared(lines, own) for channel, own in found.items()})
    unheard = spoken_lines(replace(result, segments=()), lines, threshold=threshold)
    return tuple(
        CallLine(unheard[index] if owner is None else heard[owner][index], owner) for index, owner in enumerate(owners)
    )


def _channels(result: Result) -> list[int]:
    return sorted({segment.channel for segment in spoken(result.segments)})


def _shared(lines: Sequence[Line], segments: Sequence[Segment]) -> Floats:
    """Return the seconds that each line shares with segments, [lines]."""
    starts, ends = np.array([(segment.start, segment.end) for segment in segments]).T
    return np.array([np.clip(np.minimum(ends, a.end) - np.maximum(starts, a.start), 0, None).sum() for a in lines])


def _owners(lines: Sequence[Line], shared: Mapping[int, Floats]) -> list[int | None]:
    """Return the channel of each line; `shared` has the seconds of each channel with each line, [lines]."""
    groups: dict[object, list[int]] = {}
    for index, line in enumerate(lines):
        groups.setdefault(index if line.speaker is None else line.speaker, []).append(index)
    owners: list[int | None] = [None] * len(lines)
    for own in groups.values():
        seconds = {channel: float(values[own].sum()) for channel, values in shared.items()}
        best = max(seconds, key=seconds.__getitem__, default=None)
        least = LEAST_SHARE * sum(lines[index].end - lines[index].start for index in own)
        if best is not None and seconds[best] > 0 and seconds[best] >= least:
            for index in own:
                owners[index] = best
    return owners
