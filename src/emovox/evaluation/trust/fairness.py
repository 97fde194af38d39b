"""Fairness: differences between women and men, low and high voices, languages, and accents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from emovox.evaluation.figures import bootstrap, counts
from emovox.evaluation.figures.predictions import Floats, Predictions, join
from emovox.evaluation.trust.draws import DRAWS, per_unit, precision
from emovox.evaluation.trust.groups import Groups, by_pitch, by_sex, differences, group_index, simulated_limits
from emovox.evaluation.trust.labelled import bias
from emovox.evaluation.trust.material import CorpusUnderTest, Material
from emovox.evaluation.trust.outcome import ALL, TrustTest, Where, judged, not_testable
from emovox.evaluation.trust.suite import FEWEST_CLIPS, Check


@dataclass(frozen=True, eq=False)
class Compared:
    """A corpus divided into groups.

    Attributes:
        predictions: of the corpus.
        groups: of its speakers.
        tables: [groups, classes, classes + 1] confusion counts.
        draws: [draws, groups, classes, classes + 1], speakers of each group drawn again.
        limits: simulated ones.
    """

    predictions: Predictions
    groups: Groups
    tables: Floats
    draws: Floats
    limits: Mapping[str, Floats]


def fairness_tests(checks: Sequence[Check], material: Material) -> Iterator[TrustTest]:
    """Yield the tests of fairness."""
    known: dict[tuple[str, str], Compared | str] = {}
    for check in checks:
        by, figure = check.name.split("-")
        if check.per == "all labels":
            yield from _shares(check, material, by)
            continue
        for number, corpus in enumerate(material.corpora):
            if corpus.predictions is None or corpus.why:
                yield corpus.refuse(check)
                continue
            key = (by, corpus.name)
            if key not in known:
                known[key] = _compare(corpus, corpus.predictions, by, material, number)
            yield from _of_corpus(check, corpus.name, figure, known[key])


def _compare(
    corpus: CorpusUnderTest, predictions: Predictions, by: str, material: Material, number: int
) -> Compared | str:
    """Return the confusions of each group of speakers, or why the groups cannot be compared."""
    if "" in predictions.speaker.tolist():
        return "the speakers of some clips are unknown"
    if by == "sex":
        groups = by_sex(corpus, predictions)
    else:
        groups = by_pitch(corpus, predictions, most=material.sizes.pitched, seed=material.seed)
    if groups.why:
        return groups.why
    members = group_index(predictions, groups)
    names, unit = np.unique(predictions.speaker, return_inverse=True)
    stratum = np.array([members[unit == place][0] for place in range(len(names))])
    in_group = stratum[:, None] == np.arange(len(groups.names))
    by_group = in_group[:, :, None] * per_unit(predictions, unit, len(names))[:, None]  # [speakers, groups, cells]
    rows = by_group.reshape(len(names), -1)
    every = bootstrap.draw(rows, stratum, rng=material.rng(2, number), draws=DRAWS)
    table = (len(groups.names), len(predictions.classes), len(predictions.classes) + 1)
    limits = simulated_limits(predictions, groups, seed=material.seed)
    return Compared(predictions, groups, rows.sum(axis=0).reshape(table), every.reshape(-1, *table), limits)


def _of_corpus(check: Check, corpus: str, figure: str, found: Compared | str) -> Iterator[TrustTest]:
    if isinstance(found, str):
        yield not_testable(check, Where(corpus), found)
    elif figure == "uar":
        yield _uar_difference(check, Where(corpus), found)
    else:
        yield from _label_differences(check, corpus, figure, found)


def _uar_difference(check: Check, where: Where, found: Compared) -> TrustTest:
    value, draws = differences(found.tables)["uar"], differences(found.draws)["uar"]
    parts = dict(zip(found.groups.names, counts.uar(found.tables).tolist(), strict=True))
    n, interval, limit = len(found.predictions), bootstrap.interval(draws), max(check.limit, float(found.limits["uar"]))
    return judged(check, where, float(value), n=n, interval=interval, limit=limit, parts=parts)


def _label_differences(check: Check, corpus: str, figure: str, found: Compared) -> Iterator[TrustTest]:
    names, tables = found.groups.names, found.tables
    values, draws = differences(tables)[figure], differences(found.draws)[figure]
    shown = counts.recall(tables) if figure == "recall" else precision(tables)
    sizes = tables.sum(axis=-1) if figure == "recall" else tables.sum(axis=-2)[:, :-1]
    for label in found.predictions.present:
        number, where = found.predictions.classes.index(label), Where(corpus, label)
        n = int(sizes[:, number].min())
        if n < FEWEST_CLIPS:
            what = "clips" if figure == "recall" else "answers"
            yield not_testable(
                check, where, f"{n} {what} in the smallest group, at least {FEWEST_CLIPS} are needed", n=n
            )
            continue
        parts = dict(zip(names, shown[:, number].tolist(), strict=True))
        limit = max(check.limit, float(found.limits[figure][number]))
        interval = bootstrap.interval(draws[:, number])
        yield judged(check, where, float(values[number]), n=n, interval=interval, limit=limit, parts=parts)


def _shares(check: Check, material: Material, by: str) -> Iterator[TrustTest]:
    """Yield the tests of languages or accents: how far their biases towards a label differ."""
    parts = _parts(material, by)
    if len(parts) < 2:
        known = f"only {', '.join(parts)}" if parts else "none"
        yield not_testable(check, Where(ALL), f"two {by}s or more are needed, {known} is known here")
        return
    labels = {
        label: [name for name, part in parts.items() if label in part.present] for label in material.system.labels
    }
    for number, (label, names) in enumerate(labels.items()):
        if len(names) < 2:
            yield not_testable(check, Where(ALL, label), f"clips of this label in two {by}s or more are needed")
            continue
        found = [_bias(parts[name], label, material.rng(3, number, place)) for place, name in enumerate(names)]
        values, draws = np.array([value for value, _ in found]), np.stack([drawn for _, drawn in found], axis=1)
        yield judged(
            check,
            Where(ALL, label),
            float(_unlike(values)),
            n=sum(len(parts[name]) for name in names),
            interval=bootstrap.interval(_unlike(draws)),
            parts=dict(zip(names, values.tolist(), strict=True)),
        )


def _unlike(biases: Floats) -> Floats:
    """Return the largest distance of a bias [..., groups] from their mean, [...]."""
    return np.asarray(np.abs(biases - biases.mean(axis=-1, keepdims=True)).max(axis=-1))


def _bias(part: Predictions, label: str, rng: np.random.Generator) -> tuple[float, Floats]:
    drawn = bootstrap.units(part)
    rows = per_unit(part, drawn.index, len(drawn.stratum))
    shape = (-1, len(part.classes), len(part.classes) + 1)
    number = part.classes.index(label)
    draws = bootstrap.draw(rows, drawn.stratum, rng=rng, draws=DRAWS).reshape(shape)
    return float(bias(rows.sum(axis=0).reshape(shape)[0])[number]), bias(draws)[:, number]


def _parts(material: Material, by: str) -> dict[str, Predictions]:
    """Return the predictions of each language or accent, where the clips name one."""
    found: dict[str, list[Predictions]] = {}
    for corpus, predictions in material.labelled:
        names = {clip.id: _named(clip.language, clip.extra, by) for clip in corpus.clips}
        each = np.array([names.get(utterance, "") for utterance in predictions.utterance.tolist()])
        for name in sorted(set(each.tolist()) - {""}):
            found.setdefault(name, []).append(predictions.select(each == name))
    return {name: join(parts) for name, parts in found.items()}


def _named(language: str | None, extra: dict[str, str] | msgspec.UnsetType, by: str) -> str:
    if by == "language":
        return language or ""
    return "" if isinstance(extra, msgspec.UnsetType) else extra.get(by, "")
