"""Figures of several sets of predictions, corpus by corpus, and their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emovox.evaluation.figures.bootstrap import DRAWS, Difference, paired_difference
from emovox.evaluation.figures.calibration import Kept, abstention_threshold, kept
from emovox.evaluation.figures.metrics import Summary, chance, summary, top_confusions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.errors import PredictionsError, ProtocolError
from emovox.schema.figure import SEVEN, TILE, FigureKey

COMPARED = ("uar", "accuracy")


@dataclass(frozen=True, eq=False)
class Entry:
    """Predictions with their name in tables.

    Attributes:
        name: in tables.
        predictions: of one or more corpora.
        protocol: in words; "" if unknown.
        detailed: whether the report has a section on them, beside the rows in its tables.
        key: identity of the figure; None if unknown.
    """

    name: str
    predictions: Predictions
    protocol: str = ""
    detailed: bool = True
    key: FigureKey | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """One entry on one corpus: its rows, with only the classes that occur, and their figures."""

    name: str
    corpus: str
    protocol: str
    predictions: Predictions
    summary: Summary
    detailed: bool = True
    key: FigureKey | None = None

    @property
    def merged(self) -> bool:
        """Return whether the labels are those of the shipped model, without a mask."""
        return self.key is not None and self.key.labels == SEVEN

    @property
    def condition(self) -> str:
        """Return the test condition; `tile`, the path of `predict`, if it is unknown."""
        return TILE if self.key is None else self.key.condition

    @property
    def abstention(self) -> Kept | None:
        """Return the threshold that keeps 90 % labelled, and the accuracy of these; None if no clip has scores."""
        if not self.predictions.answered.any():
            return None
        return kept(self.predictions, abstention_threshold(self.predictions.scores))


@dataclass(frozen=True)
class Comparison:
    """Two entries on the same clips of a corpus: differences by metric, or the reason why there is none."""

    corpus: str
    first: str
    second: str
    differences: Mapping[str, Difference]
    reason: str = ""


def check_independent(entry: Entry) -> None:
    """Check that predictions can be speaker-independent.

    Raises:
        ProtocolError: a clip has no speaker, or a speaker is tested in several folds and so was in training.
    """
    made = entry.predictions
    unknown = made.utterance[made.speaker == ""]
    if unknown.size:
        raise ProtocolError(
            f"{entry.name}: {unknown.size} of {len(made)} clips have no speaker ({unknown[0]} is the first), expected "
            "one for each in a speaker-independent evaluation; add the speakers, or call the protocol sd"
        )
    folds: dict[tuple[str, str], str] = {}
    for key, fold in zip(
        zip(made.corpus.tolist(), made.speaker.tolist(), strict=True), made.fold.tolist(), strict=True
    ):
        first = folds.setdefault(key, fold)
        if first != fold:
            raise ProtocolError(
                f"{entry.name}: speaker {key[1]} of {key[0]} is tested in folds {first} and {fold}, expected one fold, "
                "as other clips of this speaker were in training; call the protocol sd"
            )


def measure(entries: Sequence[Entry], *, seed: int = 0, draws: int = DRAWS) -> tuple[Measured, ...]:
    """Compute the figures of each entry on each of its corpora, ordered by corpus, then as given."""
    found = []
    for entry in entries:
        for corpus in entry.predictions.corpora:
            part = entry.predictions.of_corpus(corpus)
            figures = summary(part, rng=seed, draws=draws)
            found.append(Measured(entry.name, corpus, entry.protocol, part, figures, entry.detailed, entry.key))
    order = list(dict.fromkeys(each.corpus for each in found))
    return tuple(sorted(found, key=lambda each: order.index(each.corpus)))


def compare(
    measured: Sequence[Measured], *, by_condition: bool = False, seed: int = 0, draws: int = DRAWS
) -> tuple[Comparison, ...]:
    """Compare the entries of each corpus with its first one by a paired bootstrap over the same clips.

    The seven-class view has other labels and clips, so it is compared only with other seven-class views.

    Args:
        measured: ordered by corpus.
        by_condition: compare each entry with the first one under the same test condition; for several runs.
        seed: of the bootstrap.
        draws: of speakers.
    """
    groups: dict[tuple[str, bool, str], list[Measured]] = {}
    for each in measured:
        group = (each.corpus, each.merged, each.condition if by_condition else "")
        groups.setdefault(group, []).append(each)
    return tuple(
        _compare(first, other, seed=seed, draws=draws) for first, *others in groups.values() for other in others
    )


def mean_calibration_errors(measured: Sequence[Measured]) -> dict[str, float]:
    """Return the ECE of each entry with several corpora, which weigh equally (docs/protocols.md, rule 10)."""
    by_name: dict[str, list[float]] = {}
    for each in measured:
        by_name.setdefault(each.name, []).append(each.summary.estimates["ece"].value)
    return {name: float(np.mean(values)) for name, values in by_name.items() if len(values) > 1}


def as_data(measured: Sequence[Measured], comparisons: Sequence[Comparison] = ()) -> dict[str, Any]:
    """Return figures as plain data for JSON, all as shares in [0, 1]; NaN becomes null when encoded."""
    return {
        "results": [_measured_data(each) for each in measured],
        "ece_corpora_weighted_equally": mean_calibration_errors(measured),
        "comparisons": [
            {
                "corpus": each.corpus,
                "first": each.first,
                "second": each.second,
                "differences": {
                    name: value._asdict() | {"detectable": value.detectable} for name, value in each.differences.items()
                },
                "reason": each.reason or None,
            }
            for each in comparisons
        ],
    }


def _compare(first: Measured, second: Measured, *, seed: int, draws: int) -> Comparison:
    try:
        differences = {
            metric: paired_difference(
                first.predictions, second.predictions, rng=np.random.default_rng(seed), metric=metric, draws=draws
            )
            for metric in COMPARED
        }
    except PredictionsError as error:
        return Comparison(first.corpus, first.name, second.name, {}, str(error))
    return Comparison(first.corpus, first.name, second.name, differences)


def _measured_data(each: Measured) -> dict[str, Any]:
    found = each.summary
    abstention = each.abstention
    return {
        "name": each.name,
        "corpus": each.corpus,
        "protocol": each.protocol or None,
        "clips": found.clips,
        "without_speech": found.unanswered,
        "speakers": found.speakers or None,
        "folds": found.folds,
        "interval_over": found.resampled,
        "classes": list(found.classes),
        "metrics": {name: value._asdict() for name, value in found.estimates.items()},
        "chance": chance(each.predictions),
        "recalls": {
            name: {"value": value, "low": found.recall_intervals[name].low, "high": found.recall_intervals[name].high}
            for name, value in found.recalls.items()
        },
        "confusion": found.confusion.tolist(),
        "confusions": [pair._asdict() for pair in top_confusions(each.predictions)],
        "abstention": None
        if abstention is None
        else {"threshold": abstention.threshold, "share": abstention.share, "accuracy": abstention.accuracy},
    }
