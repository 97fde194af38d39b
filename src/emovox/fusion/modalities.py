"""One decision from the voice and what a recording holds besides it: the face, the words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from emovox.runtime.timeline import label_of, mean_scores, summarise
from emovox.schema.errors import ConfigError
from emovox.schema.result import NOT_SPEECH, Notice, Result, Segment

VOICE, FACE, TEXT = "voice", "face", "text"
"""Names of modalities, the keys of `Segment.modalities`."""

MODALITIES: tuple[str, ...] = (VOICE, FACE, TEXT)
"""All modalities, in the order of results."""

VOICE_ALONE: Mapping[str, float | None] = MappingProxyType({VOICE: None})
"""What `parse_modalities` returns for the voice alone."""

_LEAST = 1e-6  # a score of 0 has no logarithm

_SHOWN = 80
"""Letters of a list from a client that a message repeats."""

_SUMMED_UP = ("too_short", "no_speech", NOT_SPEECH, "uncertain")
"""Warnings that `summarise` gives anew."""


class OtherModality(NamedTuple):
    """A modality beside the voice.

    Attributes:
        name: key in the results.
        weight: of the logarithm of its scores; that of the voice is 1.
        scores: gives the scores of a segment by label, or None where the segment lacks this modality.
        notices: warnings for the result.
    """

    name: str
    weight: float
    scores: Callable[[Segment], Mapping[str, float] | None]
    notices: tuple[Notice, ...] = ()

    def weighing(self, weight: float | None) -> OtherModality:
        """Return the modality with another weight; None keeps its own."""
        return self if weight is None else self._replace(weight=weight)


def parse_modalities(text: str) -> dict[str, float | None]:
    """Return the modalities of a list such as "voice,face,text=0.8", in the order of `MODALITIES`.

    Returns:
        The weight of each, from 0; None: the default.

    Raises:
        ConfigError: a name is unknown, the voice is missing or has a weight, or a weight is not a number from 0.
    """
    parts = dict(part.strip().partition("=")[::2] for part in text.split(","))
    weights = {name: _weight(parts[name]) for name in MODALITIES if name in parts}
    wrong = any(weight is not None and not 0 <= weight < math.inf for weight in weights.values())
    if weights.get(VOICE, 1.0) is not None or not set(parts) <= set(MODALITIES) or wrong:
        raise ConfigError(
            f"got the modalities '{text[:_SHOWN]}', expected voice, or voice and some of {', '.join(MODALITIES[1:])}, "
            "each alone or with its weight: text=0.5"
        )
    return weights


def _weight(text: str) -> float | None:
    """Return the number; NaN for what is none, None for no text."""
    try:
        return float(text) if text else None
    except ValueError:
        return math.nan


def fused(result: Result, others: Sequence[OtherModality], *, threshold: float) -> Result:
    """Return a result whose scores are those of the voice and of other modalities together.

    log score = log voice + Σ weight · log other, normalised. A segment that lacks the others keeps the scores of the
    voice, bit for bit.

    Args:
        result: of the voice.
        others: the other modalities.
        threshold: abstention threshold in [0, 1].

    Returns:
        The result with `modalities` in each segment and in the whole, and the warnings of the others.

    Raises:
        ConfigError: the voice has a label that another modality does not know.
    """
    segments = [_fused_segment(segment, others, threshold) for segment in result.segments]
    kept = [notice for notice in result.warnings if notice.code not in _SUMMED_UP]
    again = summarise(
        result.file,
        duration=result.duration,
        segments=segments,
        notices=(*kept, *(notice for other in others for notice in other.notices)),
        threshold=threshold,
        adapted=result.adapted,
        unfamiliarity=result.unfamiliarity,
    )
    return replace(again, modalities=mean_modalities(segments) or None)


def _fused_segment(segment: Segment, others: Sequence[OtherModality], threshold: float) -> Segment:
    if segment.code == NOT_SPEECH:
        return segment
    labels = tuple(segment.scores)
    known = {other.name: _restricted(other, segment, labels) for other in others}
    logs = _logs(segment.scores)
    for other in others:
        if (scores := known[other.name]) is not None:
            logs = logs + other.weight * _logs(scores)
    found = {name: scores for name, scores in known.items() if scores is not None}
    modalities = {VOICE: segment.scores, **found}
    if not found:
        return replace(segment, modalities=modalities)
    values = np.exp(logs - logs.max())
    together = dict(zip(labels, (values / values.sum()).tolist(), strict=True))
    label = label_of(together, threshold=threshold)
    return replace(segment, label=label, confidence=max(together.values()), scores=together, modalities=modalities)


def _restricted(other: OtherModality, segment: Segment, labels: Sequence[str]) -> dict[str, float] | None:
    """Return the scores of a modality over the labels of the voice; they add up to 1."""
    scores = other.scores(segment)
    if scores is None:
        return None
    if unknown := [label for label in labels if label not in scores]:
        raise ConfigError(
            f"the {other.name} knows the labels {', '.join(scores)}, the model also has {', '.join(unknown)}; take "
            "another model, or the voice alone"
        )
    total = sum(scores[label] for label in labels)
    return {label: scores[label] / total for label in labels}


def _logs(scores: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.log(np.maximum(list(scores.values()), _LEAST))


def mean_modalities(segments: Sequence[Segment]) -> dict[str, dict[str, float]]:
    """Return the mean scores of each modality over the segments that have it, weighted by their lengths."""
    means: dict[str, dict[str, float]] = {}
    for name in MODALITIES:
        has = [segment for segment in segments if name in (segment.modalities or {})]
        if has:
            means[name] = mean_scores([replace(segment, scores=(segment.modalities or {})[name]) for segment in has])
    return means
