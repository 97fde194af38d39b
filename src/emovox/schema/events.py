"""Events of a stream. Segments and `SpeechEnded` are computed from tiles only (docs/streaming.md)."""

from __future__ import annotations

import msgspec

from emovox.schema.result import SCORE_DIGITS, Adapted, Segment, rounded_scores, rounded_segment


class SpeechStarted(msgspec.Struct, frozen=True, tag="speech.started", tag_field="type"):
    """A speech region starts `start` seconds into the stream."""

    utterance: int
    channel: int
    start: float


class EmotionUpdated(msgspec.Struct, frozen=True, omit_defaults=True, tag="emotion.updated", tag_field="type"):
    """A preview of a region that has not ended: smoothed scores of the audio from `start` to `end`, in seconds.

    `end` is the current time of the stream. Segments and final scores do not use previews. `label` is None
    when the highest score is below the abstention threshold. `code` is "not_speech", and `label` None, if the model
    hears no speech in it. `label_set` is there if sets of labels were asked for, except with a code.
    """

    utterance: int
    channel: int
    start: float
    end: float
    label: str | None
    confidence: float
    scores: dict[str, float]
    label_set: tuple[str, ...] | None = None
    code: str | None = None


class SpeechEnded(msgspec.Struct, frozen=True, omit_defaults=True, tag="speech.ended", tag_field="type"):
    """A speech region has ended: the scores of the whole region and its segments (times in seconds).

    If the scores are adapted, `adapted` says to what, with the clips up to the end of the region, and `plain_scores`
    are those without adaptation. Segments that are not speech do not count; if all are, `label` is None, `code` is
    "not_speech", and the scores are the mean of theirs. `label_set` is there if sets of labels were asked for, except
    with a code. `unfamiliarity` is that of the channel so far, as in `Result`.
    """

    utterance: int
    channel: int
    start: float
    end: float
    label: str | None
    confidence: float
    scores: dict[str, float]
    segments: tuple[Segment, ...]
    adapted: Adapted | None = None
    plain_scores: dict[str, float] | None = None
    label_set: tuple[str, ...] | None = None
    code: str | None = None
    unfamiliarity: float | None = None


Event = SpeechStarted | EmotionUpdated | SpeechEnded
"""Any event of a stream."""


def rounded_event(event: Event) -> Event:
    """Return a copy with scores and confidences rounded to `SCORE_DIGITS` decimals, as in all text output."""
    if isinstance(event, SpeechStarted):
        return event
    scores, confidence = rounded_scores(event.scores), round(event.confidence, SCORE_DIGITS)
    if isinstance(event, EmotionUpdated):
        return msgspec.structs.replace(event, scores=scores, confidence=confidence)
    segments = tuple(rounded_segment(segment) for segment in event.segments)
    plain = None if event.plain_scores is None else rounded_scores(event.plain_scores)
    return msgspec.structs.replace(event, scores=scores, confidence=confidence, segments=segments, plain_scores=plain)
