"""Correctness, distribution and speakers: labels against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import spearmanr

from emovox.evaluation.figures import bootstrap, counts
from emovox.evaluation.figures.metrics import by
from emovox.evaluation.figures.predictions import Floats, Integers, Predictions
from emovox.evaluation.trust.draws import confusions, mean_interval, precision
from emovox.evaluation.trust.material import CorpusUnderTest, Material
from emovox.evaluation.trust.outcome import TrustTest, Where, judged, not_testable
from emovox.evaluation.trust.suite import FEWEST_CLIPS, FEWEST_SPEAKERS, Check

FEWEST_OF_SPEAKER = 10
"""Clips of a speaker below which the shares of the labels say nothing (ser-tests)."""

ROUNDS, CASELOAD = 40, 40
"""Rounds of the ranking, and clips of each speaker in a round."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Predictions of a corpus, and their confusions in draws."""

    predictions: Predictions
    rng: np.random.Generator

    @cached_property
    def tables(self) -> tuple[Floats, Floats]:
        """Return the confusion counts [classes, classes + 1], and those of draws."""
        return confusions(self.predictions, self.rng)


def labelled_tests(checks: Sequence[Check], material: Material) -> Iterator[TrustTest]:
    """Yield the tests of these topics."""
    known = {
        corpus.name: Labelled(found, material.rng(number)) for number, (corpus, found) in enumerate(material.labelled)
    }
    for check in checks:
        for corpus in material.corpora:
            if corpus.name not in known:
                yield corpus.refuse(check)
            elif check.topic == "speakers":
                yield _of_speakers(check, corpus, known[corpus.name].predictions, material.rng(1))
            elif check.name == "uar":
                yield _uar(check, corpus, known[corpus.name])
            else:
                yield from _of_labels(check, corpus, known[corpus.name])


def _uar(check: Check, corpus: CorpusUnderTest, found: Labelled) -> TrustTest:
    table, drawn = found.tables
    return judged(
        check,
        Where(corpus.name),
        float(counts.uar(table)),
        n=len(found.predictions),
        interval=bootstrap.interval(counts.uar(drawn)),
    )


def _of_labels(check: Check, corpus: CorpusUnderTest, found: Labelled) -> Iterator[TrustTest]:
    table, drawn = found.tables
    values, draws = _values(check.name, table), _values(check.name, drawn)
    predictions = found.predictions
    for label in predictions.present:
        number, where = predictions.classes.index(label), Where(corpus.name, label)
        clips = int(table[number].sum())
        n = {"recall": clips, "precision": int(table[:, number].sum())}.get(check.name, len(predictions))
        if clips < FEWEST_CLIPS:
            yield not_testable(check, where, f"{clips} clips, at least {FEWEST_CLIPS} are needed", n=clips)
        else:  # a label that is never given has no precision, and fails
            value = float(np.nan_to_num(values[number]))
            yield judged(check, where, value, n=n, interval=bootstrap.interval(draws[:, number]))


def _values(name: str, table: Floats) -> Floats:
    """Return recall, precision or distance of shares for each label, [..., classes]."""
    if name == "recall":
        return counts.recall(table)
    return precision(table) if name == "precision" else np.abs(bias(table))


def bias(table: Floats) -> Floats:
    """Return by how much the share of each label among all answers exceeds the true share, [..., classes]."""
    total = table.sum(axis=(-1, -2), keepdims=True)[..., 0]
    return np.asarray((table.sum(axis=-2)[..., :-1] - table.sum(axis=-1)) / np.maximum(total, 1))


def _of_speakers(
    check: Check, corpus: CorpusUnderTest, predictions: Predictions, rng: np.random.Generator
) -> TrustTest:
    parts = {name: part for name, part in by(predictions, "speaker").items() if len(part) >= FEWEST_OF_SPEAKER and name}
    where = Where(corpus.name)
    fewest = 2 if check.name == "share" else FEWEST_SPEAKERS
    if len(parts) < fewest:
        return not_testable(
            check, where, f"{len(parts)} speakers with {FEWEST_OF_SPEAKER} clips or more, at least {fewest} are needed"
        )
    n = sum(map(len, parts.values()))
    if check.name == "share":
        errors = {name: _share_error(part) for name, part in parts.items()}
        values = np.array(list(errors.values()))
        return judged(check, where, float(values.mean()), n=n, interval=mean_interval(values, rng), parts=errors)
    every = list(parts.values())
    value = float(np.nanmean([_ranking(every, rng) for _ in range(ROUNDS)]))
    drawn = [[every[int(i)] for i in rng.integers(0, len(every), len(every))] for _ in range(ROUNDS)]
    return judged(check, where, value, n=n, interval=bootstrap.interval(np.array([_ranking(s, rng) for s in drawn])))


def _share_error(part: Predictions) -> float:
    """Return the mean distance of the shares of the labels of one speaker from the truth, over the true labels."""
    true, given = (_shares(index, len(part.classes)) for index in (part.label_index, part.predicted_index))
    return float(np.abs(given - true)[np.unique(part.label_index)].mean())


def _shares(index: Integers, n_classes: int) -> Floats:
    """Return the share of each label among all clips, those without an answer (-1) included, [classes]."""
    return np.asarray(np.bincount(index[index >= 0], minlength=n_classes) / max(len(index), 1))


def _ranking(speakers: Sequence[Predictions], rng: np.random.Generator) -> float:
    """Return the rank correlation of true and given shares over speakers, mean over labels.

    Actors speak every label equally often, so each speaker gets a random caseload: clips drawn by random shares.
    """
    pairs = [_caseload(part, rng) for part in speakers]
    true, given = (np.stack([pair[side] for pair in pairs]) for side in (0, 1))
    moving = [n for n in range(true.shape[1]) if len(np.unique(true[:, n])) > 1]
    return float(np.mean([_correlation(true[:, n], given[:, n]) for n in moving])) if moving else float("nan")


def _correlation(true: Floats, given: Floats) -> float:
    return float(spearmanr(true, given).statistic) if len(np.unique(given)) > 1 else 0.0


def _caseload(part: Predictions, rng: np.random.Generator) -> tuple[Floats, Floats]:
    labels = np.unique(part.label_index)
    counts_of = rng.multinomial(CASELOAD, rng.dirichlet(np.ones(len(labels))))
    every = [np.flatnonzero(part.label_index == label) for label in labels]
    rows = np.concatenate([rng.choice(own, count) for own, count in zip(every, counts_of, strict=True)])
    true, given = (_shares(index[rows], len(part.classes)) for index in (part.label_index, part.predicted_index))
    return true, given
