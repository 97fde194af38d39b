"""Robustness: the same clips, unchanged and under each condition; labels and UAR are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emovox.corpora.manifest import Clip
from emovox.evaluation.figures import bootstrap, counts
from emovox.evaluation.figures.predictions import Floats, Integers
from emovox.evaluation.trust.draws import DRAWS
from emovox.evaluation.trust.hearing import Heard, Key, clip_stimulus, troubles, unavailable
from emovox.evaluation.trust.material import Material, label_of
from emovox.evaluation.trust.outcome import ALL, TrustTest, Where, failed, judged, not_testable
from emovox.evaluation.trust.sample import sample_clips
from emovox.evaluation.trust.suite import CORRUPTIONS, FEWEST_CLIPS, Check, conditions_of
from emovox.evaluation.trust.system import SystemAnswer
from emovox.schema.figure import TILE
from emovox.schema.progress import Progress

LEAST_SKILL = 0.1
"""UAR above chance of the unchanged clips, below which nothing is there to be kept."""

NO_LABEL = -1
"""Index of an answer without a label, and of a clip whose label the system does not have."""


class Sample(NamedTuple):
    """The clips of a corpus that are heard under all conditions, with their true labels as indices."""

    corpus: str
    clips: list[Clip]
    labels: Integers


@dataclass(frozen=True, eq=False)
class Robustness:
    """The samples, the answers, and the conditions that are missing."""

    material: Material
    samples: list[Sample]
    heard: Heard
    missing: Mapping[str, str]

    @classmethod
    def measured(cls, checks: Sequence[Check], material: Material, progress: Progress) -> Robustness:
        """Ask the system about a sample of each corpus under all conditions of the checks."""
        with_clips = [corpus for corpus in material.corpora if corpus.clips]
        most = material.sizes.changed // max(1, len(with_clips))
        samples = []
        for corpus in with_clips:
            clips = sample_clips(corpus.clips, most, seed=material.seed + 1)
            samples.append(Sample(corpus.name, clips, _labels(clips, material.system.labels)))
        names = conditions_of(checks)
        missing = unavailable(material.hearing.changes, names, material.system.noise)
        items = [clip_stimulus(clip, material.system) for sample in samples for clip in sample.clips]
        wanted = [TILE, *(name for name in names if name not in missing)]
        return cls(material, samples, material.hearing.hear(items, wanted, progress), missing)

    def answers(self, sample: Sample, condition: str) -> Integers:
        """Return the index of the label of each clip under a condition."""
        labels = self.material.system.labels
        given = [self.heard[Key(condition, clip.corpus, clip.id)] for clip in sample.clips]
        named = [answer.label if isinstance(answer, SystemAnswer) else None for answer in given]
        return np.array([NO_LABEL if name is None else labels.index(name) for name in named], np.int64)

    def trouble(self, conditions: Sequence[str]) -> str:
        """Return a sentence about failures of the system under some conditions; "" without any."""
        return troubles(
            self.heard,
            [Key(name, clip.corpus, clip.id) for name in conditions for one in self.samples for clip in one.clips],
        )


def robustness_tests(checks: Sequence[Check], material: Material, progress: Progress) -> Iterator[TrustTest]:
    """Yield the tests of robustness."""
    if not any(corpus.clips for corpus in material.corpora):
        for check in checks:
            for name in check.over:
                yield not_testable(check, Where(ALL, name), "there are no recordings of a corpus that counts")
        return
    found = Robustness.measured(checks, material, progress)
    for check in checks:
        for number, name in enumerate(check.over):
            levels = CORRUPTIONS[name] if check.per == "corruption" else (name,)
            where, rng = Where(ALL, name), material.rng(8, number)
            reasons = [found.missing[level] for level in levels if level in found.missing]
            if reasons:
                yield not_testable(check, where, reasons[0])
            elif trouble := found.trouble([TILE, *levels]):
                yield failed(check, where, trouble)
            elif check.name == "unchanged":
                yield _unchanged(check, where, found, rng)
            else:
                yield _by_uar(check, where, found, levels)


def _unchanged(check: Check, where: Where, found: Robustness, rng: np.random.Generator) -> TrustTest:
    """Return the test of the share of clips that keep their label, of those that have one."""
    parts, same, units = {}, [], []
    for sample in found.samples:
        before, after = found.answers(sample, TILE), found.answers(sample, where.what)
        kept = (before == after)[before != NO_LABEL]
        if kept.size:
            parts[sample.corpus] = float(kept.mean())
            same.append(kept)
            units += [
                f"{clip.corpus}/{clip.speaker or clip.id}"
                for clip, label in zip(sample.clips, before, strict=True)
                if label != NO_LABEL
            ]
    every = np.concatenate([*same, np.empty(0, bool)]).astype(np.float64)
    if len(every) < FEWEST_CLIPS:
        why = f"{len(every)} clips have a label, at least {FEWEST_CLIPS} are needed"
        return not_testable(check, where, why, n=len(every))
    drawn = _mean_draws(every, np.unique(units, return_inverse=True)[1], rng)
    return judged(check, where, float(every.mean()), n=len(every), interval=bootstrap.interval(drawn), parts=parts)


def _mean_draws(values: Floats, unit: Integers, rng: np.random.Generator) -> Floats:
    sums = np.stack([np.bincount(unit, weights=values), np.bincount(unit)], axis=1).astype(np.float64)
    stratum = np.zeros(len(sums), np.int64)
    drawn = bootstrap.draw(sums, stratum, rng=rng, draws=DRAWS)
    return np.asarray(drawn[:, 0] / drawn[:, 1])


def _by_uar(check: Check, where: Where, found: Robustness, levels: Sequence[str]) -> TrustTest:
    """Return the test of the change of UAR, or of the skill that is kept; corpora weigh equally."""
    parts, draws, n = {}, [], 0
    for sample in found.samples:
        labelled = sample.labels != NO_LABEL
        if labelled.sum() < FEWEST_CLIPS or len(np.unique(sample.labels[labelled])) < 2:
            continue
        before, before_draws = _uars(found, sample, TILE)
        pairs = [_uars(found, sample, level) for level in levels]
        if check.name == "kept":
            chance = 1 / len(np.unique(sample.labels[labelled]))
            if before - chance < LEAST_SKILL:
                continue
            value = float(np.mean([max(0.0, after - chance) / (before - chance) for after, _ in pairs]))
            drawn = np.mean([np.maximum(0, late - chance) / (before - chance) for _, late in pairs], axis=0)
        else:
            value, drawn = pairs[0][0] - before, pairs[0][1] - before_draws
        parts[sample.corpus] = value
        draws.append(drawn)
        n += int(labelled.sum())
    if not parts:
        return not_testable(check, where, _NOTHING_KEPT if check.name == "kept" else _NO_LABELS)
    interval = bootstrap.interval(np.mean(draws, axis=0))
    return judged(check, where, float(np.mean(list(parts.values()))), n=n, interval=interval, parts=parts)


_NO_LABELS = f"no corpus has {FEWEST_CLIPS} clips with labels of the system in the sample"
_NOTHING_KEPT = f"{_NO_LABELS}, and a UAR of {100 * LEAST_SKILL:.0f} points above chance"


def _uars(found: Robustness, sample: Sample, condition: str) -> tuple[float, Floats]:
    """Return the UAR of a sample under a condition, and those of draws; the draws are the same for every condition."""
    n = len(found.material.system.labels)
    rows = np.flatnonzero(sample.labels != NO_LABEL)
    names = [sample.clips[row].speaker or sample.clips[row].id for row in rows]
    unit = np.unique(names, return_inverse=True)[1]
    table = np.zeros((unit.max() + 1, n * (n + 1)))
    given = found.answers(sample, condition)[rows]
    np.add.at(table, (unit, sample.labels[rows] * (n + 1) + given % (n + 1)), 1.0)
    same = np.random.default_rng([found.material.seed, len(sample.clips)])
    drawn = bootstrap.draw(table, np.zeros(len(table), np.int64), rng=same, draws=DRAWS)
    return float(counts.uar(table.sum(axis=0).reshape(n, n + 1))), counts.uar(drawn.reshape(-1, n, n + 1))


def _labels(clips: Sequence[Clip], labels: Sequence[str]) -> Integers:
    named = [label_of(clip, labels) for clip in clips]
    return np.array([NO_LABEL if name is None else list(labels).index(name) for name in named], np.int64)
