"""What a prediction returns; the attributes are the keys of the JSON (DESIGN: `predict --format json`)."""

from __future__ import annotations

import msgspec


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
    speech time of each label. Without speech `label`, `confidence` and `scores` are None, and a warning says so.
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


class ModelInfo(msgspec.Struct, frozen=True):
    """Which model answered."""

    name: str
    version: str


class Report(msgspec.Struct, frozen=True):
    """The one JSON document that `emovox predict --format json` prints."""

    model: ModelInfo
    results: tuple[Result | Failure, ...]

    def to_json(self, *, indent: int = 2) -> str:
        """Render as JSON text (UTF-8 names kept, times in seconds)."""
        return msgspec.json.format(msgspec.json.encode(self), indent=indent).decode()
