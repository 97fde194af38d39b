"""Sets of labels: those that hold the true one with a promised probability, for a new speaker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from emovox.schema.arguments import whole
from emovox.schema.card import ModelCard
from emovox.schema.errors import ConfigError, NoSetsError
from emovox.schema.events import EmotionUpdated, Event, SpeechStarted
from emovox.schema.result import Result, Segment
from emovox.schema.trust import CardSets

LabelSet = tuple[str, ...]
"""Labels by score, the highest first."""


def sets_of(card: ModelCard, coverage: Any) -> CardSets:
    """Return how a model makes its sets of labels.

    Args:
        card: of the model.
        coverage: percent of the cases in which the set is to hold the true label.

    Raises:
        NoSetsError: the model has no sets.
        ConfigError: `coverage` is no number on the card.
    """
    known = {} if card.trust is None else {one.coverage: one for one in card.trust.sets}
    if not known:
        raise NoSetsError(
            f"model '{card.name}' has no sets of labels, expected 'trust.sets' on its card; choose another model, or "
            "train it on 20 speakers or more"
        )
    percent = whole(coverage, "coverage")
    if percent not in known:
        expected = ", ".join(map(str, sorted(known)))
        raise ConfigError(f"coverage is {percent}, expected a percentage on the card of '{card.name}': {expected}")
    return known[percent]


def label_set(scores: Mapping[str, float], least: float) -> LabelSet:
    """Return the labels whose score reaches `least`, and at least the best one.

    >>> label_set({"neutral": 0.3, "sad": 0.6, "angry": 0.1}, 0.2)
    ('sad', 'neutral')
    >>> label_set({"neutral": 0.3, "sad": 0.6, "angry": 0.1}, 0.7)
    ('sad',)
    """
    ranked = sorted(scores, key=lambda label: -scores[label])
    return tuple(label for label in ranked if scores[label] >= least) or (ranked[0],)


def with_sets(result: Result, sets: CardSets) -> Result:
    """Return the result with a set of labels for it and for each segment that is speech."""
    return msgspec.structs.replace(
        result,
        coverage=sets.coverage,
        label_set=None if result.scores is None else label_set(result.scores, sets.least),
        segments=tuple(_segment(segment, sets) for segment in result.segments),
    )


def event_with_sets(event: Event, sets: CardSets) -> Event:
    """Return the event with a set of labels, also in its segments; a beginning of speech has none."""
    if isinstance(event, SpeechStarted):
        return event
    own = None if event.code else label_set(event.scores, sets.least)
    found = msgspec.structs.replace(event, label_set=own)
    if isinstance(found, EmotionUpdated):
        return found
    return msgspec.structs.replace(found, segments=tuple(_segment(segment, sets) for segment in found.segments))


def _segment(segment: Segment, sets: CardSets) -> Segment:
    own = None if segment.code else label_set(segment.scores, sets.least)
    return msgspec.structs.replace(segment, label_set=own)
