"""What a prediction returns; the attributes are the keys of the JSON of `predict --format json` (docs/predict.md)."""

from __future__ import annotations

import msgspec

from emovox.schema.text import json_document

SCORE_DIGITS = 4
"""Decimals of scores in text output: what is beyond differs between machines and batch sizes."""


class Notice(msgspec.Struct, frozen=True):
    """A warning or an error: a stable `code` for programs, a `message` for people."""

    code: str
    message: str


class Segment(msgspec.Struct, frozen=True):
    """One tile of speech, 0.3 to about 4.5 s, with its scores.

    `start` and `end` are seconds from the beginning of the recording, `channel` counts from 0. `label` is None when the
    highest score stays below the abstention threshold.
    """

    start: float
    end: float
    channel: int
    label: str | None
    confidence: float
    scores: dict[str, float]


class Result(msgspec.Struct, frozen=True):
    """The answer for one recording.

    `duration` is in seconds. `scores` is the duration-weighted mean of the segments' scores; `shares` the share of
    speech time in which each label scores highest, the largest first (they add up to 1, abstention or not). Below the
    abstention threshold `label` is None. Without speech `label`, `confidence` and `scores` are None, and a warning says
    so.
    """

    file: str
    duration: float
    label: str | None
    confidence: float | None
    scores: dict[str, float] | None
    shares: dict[str, float]
    warnings: tuple[Notice, ...]
    segments: tuple[Segment, ...]


class Failure(msgspec.Struct, frozen=True):
    """A recording that could not be analysed; the others of the same call are still done."""

    file: str
    error: Notice


ResultRow = Result | Failure
"""What a call over several recordings gives for each of them."""


class ModelInfo(msgspec.Struct, frozen=True):
    """Which model answered."""

    name: str
    version: str


class Report(msgspec.Struct, frozen=True):
    """The one JSON document that `emovox predict --format json` prints."""

    model: ModelInfo
    results: tuple[ResultRow, ...]

    def to_json(self) -> str:
        """Render as JSON text (names in UTF-8, times in seconds, scores with `SCORE_DIGITS` decimals)."""
        return json_document(Report(self.model, tuple(rounded(row) for row in self.results)))


def rounded(row: ResultRow) -> ResultRow:
    """Copy a row with scores, confidences and shares rounded to `SCORE_DIGITS` decimals, as all text output is."""
    if isinstance(row, Failure):
        return row
    return msgspec.structs.replace(
        row,
        confidence=None if row.confidence is None else round(row.confidence, SCORE_DIGITS),
        scores=None if row.scores is None else rounded_scores(row.scores),
        shares=rounded_scores(row.shares),
        segments=tuple(rounded_segment(segment) for segment in row.segments),
    )


def rounded_segment(segment: Segment) -> Segment:
    """Copy a segment, rounded as `rounded` does."""
    return msgspec.structs.replace(
        segment, confidence=round(segment.confidence, SCORE_DIGITS), scores=rounded_scores(segment.scores)
    )


def rounded_scores(scores: dict[str, float]) -> dict[str, float]:
    """Round scores, keyed by label, to `SCORE_DIGITS` decimals."""
    return {label: round(value, SCORE_DIGITS) for label, value in scores.items()}
