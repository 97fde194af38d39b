"""Turn scored tiles into segments, and segments into the result of a recording."""

from __future__ import annotations

from collections.abc import Sequence

from emovox.audio.types import Samples
from emovox.schema.result import NOT_SPEECH, Adapted, Notice, Result, Segment

TIME_DIGITS = 3
"""Decimal digits of times in seconds: milliseconds."""

DISTANCE_DIGITS = 2
"""Decimal digits of the unfamiliarity of a recording."""

UNFAMILIAR, VERY_UNFAMILIAR = "unfamiliar", 1.5
"""Code of the warning, and the distance from which it says "very"; above 1 there is a warning."""

SHORT_SECONDS = 0.3
"""Length in seconds below which a recording gets a warning: it holds no whole syllable."""


def label_of(scores: dict[str, float], *, threshold: float) -> str | None:
    """Return the label with the highest score, or None if that score is below `threshold`.

    >>> label_of({"sad": 0.4, "happy": 0.6}, threshold=0.5), label_of({"sad": 0.4, "happy": 0.6}, threshold=0.7)
    ('happy', None)
    """
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= threshold else None


def make_segment(
    scores: Samples,
    *,
    labels: Sequence[str],
    start: float,
    end: float,
    channel: int,
    threshold: float,
    plain: Samples | None = None,
    code: str | None = None,
) -> Segment:
    """Return the segment of a tile.

    Args:
        scores: [labels] float32.
        labels: the names of the scores.
        start: of the tile, in seconds.
        end: of the tile, in seconds.
        channel: number of the channel.
        threshold: abstention threshold in [0, 1].
        plain: [labels] float32, the scores without adaptation; None if `scores` are not adapted.
        code: why the segment has no label whatever its scores; None: it may have one.
    """
    named = dict(zip(labels, scores.tolist(), strict=True))
    return Segment(
        start=round(start, TIME_DIGITS),
        end=round(end, TIME_DIGITS),
        channel=channel,
        label=None if code else label_of(named, threshold=threshold),
        confidence=max(named.values()),
        scores=named,
        plain_scores=None if plain is None else dict(zip(labels, plain.tolist(), strict=True)),
        code=code,
    )


def spoken(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments that count in a result: those that are speech."""
    return [segment for segment in segments if segment.code != NOT_SPEECH]


def mean_scores(segments: Sequence[Segment]) -> dict[str, float]:
    """Return the mean of the segments' scores, weighted by their lengths in seconds.

    Args:
        segments: at least one; the sum of their lengths is above 0.

    >>> long, short = Segment(0, 3, 0, "a", 1.0, {"a": 1.0, "b": 0.0}), Segment(3, 4, 0, "b", 1.0, {"a": 0.0, "b": 1.0})
    >>> mean_scores([long, short])
    {'a': 0.75, 'b': 0.25}
    """
    return _mean(segments, [segment.scores for segment in segments])


def mean_plain_scores(segments: Sequence[Segment]) -> dict[str, float] | None:
    """Return the mean of the scores without adaptation, as `mean_scores`; None if the scores are not adapted."""
    plain = [segment.plain_scores for segment in segments if segment.plain_scores is not None]
    return _mean(segments, plain) if plain else None


def speech_shares(segments: Sequence[Segment]) -> dict[str, float]:
    """Return the share of the seconds of speech in which each label scores highest, the largest share first.

    Abstention is ignored, so the shares sum to 1 and are parts of the speech. Labels that never score highest are left
    out.

    >>> sure, unsure = {"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}
    >>> speech_shares([Segment(0, 3, 0, "a", 0.9, sure), Segment(3, 4, 0, None, 0.6, unsure)])
    {'a': 0.75, 'b': 0.25}
    """
    seconds: dict[str, float] = {}
    for segment in segments:
        best = max(segment.scores, key=segment.scores.__getitem__)
        seconds[best] = seconds.get(best, 0.0) + segment.end - segment.start
    total = _seconds(segments)
    return {label: value / total for label, value in sorted(seconds.items(), key=lambda item: -item[1])}


def summarise(
    file: str,
    *,
    duration: float,
    segments: Sequence[Segment],
    notices: Sequence[Notice] = (),
    threshold: float,
    adapted: Adapted | None = None,
    unfamiliarity: float | None = None,
) -> Result:
    """Return the result of one recording.

    Args:
        file: name of the recording.
        duration: length of the recording in seconds.
        segments: segments in any order; the result has them by time, then channel.
        notices: warnings of decoding.
        threshold: abstention threshold in [0, 1].
        adapted: what the segments' scores are adapted to; None: nothing.
        unfamiliarity: distance of the speech from the recordings in training; None: unknown.

    Returns:
        Label, scores and shares of the whole, with the warnings `too_short`, `no_speech`, `not_speech`, `unfamiliar`
        and `uncertain` if they apply.
    """
    warnings = list(notices)
    if duration < SHORT_SECONDS:
        warnings.append(Notice("too_short", f"lasts {duration:.3f} s, expected at least {SHORT_SECONDS} s of speech"))
    if not segments:
        if duration >= SHORT_SECONDS:
            warnings.append(Notice("no_speech", f"no speech found in {duration:.1f} s; nothing was scored"))
        return Result(file, round(duration, TIME_DIGITS), None, None, None, {}, tuple(warnings), (), adapted)
    heard, ordered = spoken(segments), tuple(sorted(segments, key=in_time))
    if len(heard) < len(segments):
        warnings.append(Notice(NOT_SPEECH, _refusal(_seconds(segments) - _seconds(heard), _seconds(segments))))
    if not heard:
        return Result(file, round(duration, TIME_DIGITS), None, None, None, {}, tuple(warnings), ordered, adapted)
    if unfamiliarity is not None and unfamiliarity > 1:
        warnings.append(Notice(UNFAMILIAR, _strangeness(unfamiliarity, is_adapted=adapted is not None)))
    scores = mean_scores(heard)
    best = max(scores, key=scores.__getitem__)
    label = label_of(scores, threshold=threshold)
    if label is None:
        message = f"the highest score, {scores[best]:.2f} for '{best}', is below the threshold {threshold:.2f}"
        warnings.append(Notice("uncertain", f"{message}; no label is given"))
    return Result(
        file=file,
        duration=round(duration, TIME_DIGITS),
        label=label,
        confidence=scores[best],
        scores=scores,
        shares=speech_shares(heard),
        warnings=tuple(warnings),
        segments=ordered,
        adapted=adapted,
        plain_scores=mean_plain_scores(heard),
        unfamiliarity=unfamiliarity,
    )


def _strangeness(distance: float, *, is_adapted: bool) -> str:
    how = "very" if distance >= VERY_UNFAMILIAR else "somewhat"
    remedy = "the scores are adapted" if is_adapted else "confidence is lowered; --adapt recording may help"
    return f"{how} unlike the recordings in training (distance {distance:.2f}, limit 1): {remedy}"


def in_time(segment: Segment) -> tuple[float, int]:
    """Return the place of a segment in the order of a result: by time, then channel."""
    return segment.start, segment.channel


def _mean(segments: Sequence[Segment], scores: Sequence[dict[str, float]]) -> dict[str, float]:
    lengths = [segment.end - segment.start for segment in segments]
    weighted = list(zip(lengths, scores, strict=True))
    return {label: sum(length * one[label] for length, one in weighted) / sum(lengths) for label in scores[0]}


def _refusal(refused: float, total: float) -> str:
    return f"{refused:.1f} of {total:.1f} s that seemed to be speech are other sounds; they get no label"


def _seconds(segments: Sequence[Segment]) -> float:
    return sum(segment.end - segment.start for segment in segments)
