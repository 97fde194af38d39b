"""Results of a prediction; the attributes are the JSON keys of `predict --format json` (docs/predict.md)."""

from __future__ import annotations

import msgspec

from emovox.schema.text import json_document

SCORE_DIGITS = 4
"""Decimals of scores in text output. Further digits differ between machines and batch sizes."""


NOT_SPEECH = "not_speech"
"""Code of a tile that voice activity detection took for speech, and in which the model hears none."""


class Notice(msgspec.Struct, frozen=True):
    """A warning or an error: a stable `code` for programs, a `message` for people."""

    code: str
    message: str


class Adapted(msgspec.Struct, frozen=True):
    """What scores were adapted to.

    `source` is "recording", "channel", "folder", "stream" or "speaker NAME". `clips` is the number of tiles whose
    statistics were used, `seconds` is their length.
    """

    source: str
    clips: int
    seconds: float


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One tile of speech, 0.3 to about 4.5 s, with its scores.

    `start` and `end` are in seconds from the beginning of the recording, `channel` counts from 0. `label` is None when
    the highest score is below the abstention threshold, or if `code` says why: "not_speech". Such a segment does not
    count in the result; its scores say nothing and are not adapted. If `scores` are adapted, `plain_scores` are those
    without adaptation; else None, and absent in JSON. `speaker` counts from 0 in the order of first appearance; it is
    None, and absent in JSON, unless speakers were asked for. So is `label_set`, unless sets of labels were, or with a
    code: it holds the true label with the probability of `Result.coverage`, the likeliest label first. `modalities` has
    the scores of each modality that the segment has ("voice", "face", …), if others than the voice were asked for;
    `scores` are then those of all together.
    """

    start: float
    end: float
    channel: int
    label: str | None
    confidence: float
    scores: dict[str, float]
    plain_scores: dict[str, float] | None = None
    speaker: int | None = None
    label_set: tuple[str, ...] | None = None
    modalities: dict[str, dict[str, float]] | None = None
    code: str | None = None


class SpokenLine(msgspec.Struct, frozen=True):
    """A line of a transcript with the emotion of the speech at its time.

    `start` and `end` are in seconds. `label` is None below the abstention threshold; outside all speech, `confidence`
    and `scores` are None, too. `speaker` is what the transcript calls the speaker, or None.
    """

    start: float
    end: float
    text: str
    label: str | None
    confidence: float | None
    scores: dict[str, float] | None
    speaker: str | None = None


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result for one recording.

    `duration` is in seconds. `scores` is the duration-weighted mean of the segments' scores. `shares` is the share of
    speech time in which each label scores highest, the largest first; the shares add up to 1, abstention or not.
    Segments with the code "not_speech" count in none of them. `label` is None below the abstention threshold. Without
    speech, `label`, `confidence` and `scores` are None, and
    `warnings` has the reason. `adapted` and `plain_scores` are there if the scores are adapted, as in `Segment`.
    `lines` are those of a transcript, if one was given. `coverage`, in percent, and `label_set` are there if sets of
    labels were asked for. `modalities` has the duration-weighted mean of each modality over the segments that have it,
    if others than the voice were asked for. `unfamiliarity` is the distance of the speech from the recordings that the
    model learnt from; above 1 there is a warning. It is absent if the model cannot tell.
    """

    file: str
    duration: float
    label: str | None
    confidence: float | None
    scores: dict[str, float] | None
    shares: dict[str, float]
    warnings: tuple[Notice, ...]
    segments: tuple[Segment, ...]
    adapted: Adapted | None = None
    plain_scores: dict[str, float] | None = None
    lines: tuple[SpokenLine, ...] | None = None
    coverage: int | None = None
    label_set: tuple[str, ...] | None = None
    modalities: dict[str, dict[str, float]] | None = None
    unfamiliarity: float | None = None


class Failure(msgspec.Struct, frozen=True):
    """A recording that could not be analysed; the other recordings of the same call are not affected."""

    file: str
    error: Notice


ResultRow = Result | Failure
"""The outcome for one of several recordings."""


class ModelInfo(msgspec.Struct, frozen=True):
    """Name and version of the model that computed the results."""

    name: str
    version: str


class Report(msgspec.Struct, frozen=True):
    """The JSON document that `emovox predict --format json` prints."""

    model: ModelInfo
    results: tuple[ResultRow, ...]

    def to_json(self) -> str:
        """Render as JSON text (names in UTF-8, times in seconds, scores with `SCORE_DIGITS` decimals)."""
        return json_document(Report(self.model, tuple(rounded(row) for row in self.results)))


def rounded(row: ResultRow) -> ResultRow:
    """Return a copy with scores, confidences and shares rounded to `SCORE_DIGITS` decimals, as in all text output."""
    if isinstance(row, Failure):
        return row
    return msgspec.structs.replace(
        row,
        confidence=None if row.confidence is None else round(row.confidence, SCORE_DIGITS),
        scores=None if row.scores is None else rounded_scores(row.scores),
        plain_scores=None if row.plain_scores is None else rounded_scores(row.plain_scores),
        modalities=_rounded_modalities(row.modalities),
        shares=rounded_scores(row.shares),
        segments=tuple(rounded_segment(segment) for segment in row.segments),
        lines=None if row.lines is None else tuple(_rounded_line(line) for line in row.lines),
    )


def _rounded_line(line: SpokenLine) -> SpokenLine:
    return msgspec.structs.replace(
        line,
        confidence=None if line.confidence is None else round(line.confidence, SCORE_DIGITS),
        scores=None if line.scores is None else rounded_scores(line.scores),
    )


def rounded_segment(segment: Segment) -> Segment:
    """Return a copy of a segment with scores and confidence rounded to `SCORE_DIGITS` decimals."""
    plain = None if segment.plain_scores is None else rounded_scores(segment.plain_scores)
    return msgspec.structs.replace(
        segment,
        confidence=round(segment.confidence, SCORE_DIGITS),
        scores=rounded_scores(segment.scores),
        plain_scores=plain,
        modalities=_rounded_modalities(segment.modalities),
    )


def rounded_scores(scores: dict[str, float]) -> dict[str, float]:
    """Return scores, keyed by label, rounded to `SCORE_DIGITS` decimals."""
    return {label: round(value, SCORE_DIGITS) for label, value in scores.items()}


def _rounded_modalities(modalities: dict[str, dict[str, float]] | None) -> dict[str, dict[str, float]] | None:
    return None if modalities is None else {name: rounded_scores(scores) for name, scores in modalities.items()}
