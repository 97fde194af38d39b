"""Events of a stream. Segments and `SpeechEnded` come from tiles and from nothing else (docs/streaming.md)."""

from __future__ import annotations

import msgspec

from emovox.schema.result import SCORE_DIGITS, Segment, rounded_scores, rounded_segment


class SpeechStarted(msgspec.Struct, frozen=True, tag="speech.started", tag_field="type"):
    """A speech region has begun `start` seconds into the stream."""

    utterance: int
    channel: int
    start: float


class EmotionUpdated(msgspec.Struct, frozen=True, tag="emotion.updated", tag_field="type"):
    """A look at a region that goes on: smoothed scores of the audio from `start` to `end` (seconds), which is now.

    A preview: no segment and no verdict is made of it. `label` is None when the highest score stays below the
    abstention threshold.
    """

    utterance: int
    channel: int
    start: float
    end: float
    label: str | None
    confidence: float
    scores: dict[str, float]


class SpeechEnded(msgspec.Struct, frozen=True, tag="speech.ended", tag_field="type"):
    """A speech region is over: the verdict on the whole of it and the segments it was cut into (times in seconds)."""

    utterance: int
    channel: int
    start: float
    end: float
    label: str | None
    confidence: float
    scores: dict[str, float]
    segments: tuple[Segment, ...]


Event = SpeechStarted | EmotionUpdated | SpeechEnded


def rounded_event(event: Event) -> Event:
    """Copy an event with scores and confidences rounded to `SCORE_DIGITS` decimals, as all text output is."""
    if isinstance(event, SpeechStarted):
        return event
    scores, confidence = rounded_scores(event.scores), round(event.confidence, SCORE_DIGITS)
    if isinstance(event, EmotionUpdated):
        return msgspec.structs.replace(event, scores=scores, confidence=confidence)
    segments = tuple(rounded_segment(segment) for segment in event.segments)
    return msgspec.structs.replace(event, scores=scores, confidence=confidence, segments=segments)
