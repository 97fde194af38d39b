"""Calibration and selective prediction: what the scores of a system are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from emovox.evaluation.figures import bootstrap
from emovox.evaluation.figures.bootstrap import Interval
from emovox.evaluation.figures.metrics import by, expected_calibration_error
from emovox.evaluation.figures.predictions import Floats, Predictions, join
from emovox.evaluation.trust.conformal import Sets, conformal_sets
from emovox.evaluation.trust.draws import DRAWS, interval_of, mean_interval
from emovox.evaluation.trust.material import OUT_OF_FOLD, UNHEARD, CorpusUnderTest, Material
from emovox.evaluation.trust.outcome import ALL, TrustTest, Where, judged, not_testable
from emovox.evaluation.trust.suite import (
    COVERAGE,
    FEWEST_CALIBRATING,
    FEWEST_CLIPS,
    FEWEST_SPEAKERS,
    UNHEARD_ECE,
    Check,
)

SURE = 0.8
"""Share of the clips that are kept for the risk, the surest first."""

MANY_SPEAKERS, LOW_PERCENTILE = 10, 10
"""Number of speakers from which a percentile stands for the worst of them, and the percentile."""


def confidence_tests(checks: Sequence[Check], material: Material) -> Iterator[TrustTest]:
    """Yield the tests of these topics."""
    sets = _sets(material) if material.scored else {}
    for number, check in enumerate(checks):
        if check.per == "all":
            yield _of_all(check, material, sets)
            continue
        for corpus in material.corpora:
            where = Where(corpus.name)
            if corpus.predictions is None or corpus.why:
                yield corpus.refuse(check)
            elif not material.scored:
                yield not_testable(check, where, "the system gives labels without scores")
            elif check.name in ("coverage", "worst", "size"):
                yield _conformal(check, corpus, corpus.predictions, sets, material.rng(4, number))
            else:
                yield _of_corpus(check, corpus, corpus.predictions, material.rng(5, number))


def _of_corpus(check: Check, corpus: CorpusUnderTest, found: Predictions, rng: np.random.Generator) -> TrustTest:
    where = Where(corpus.name)
    if check.name == "speaker":
        return _worst_speaker(check, where, found)
    measure = {"ece": _error, "risk": risk_ratio, "aurc": aurc_ratio}[check.name]
    interval = interval_of(found, measure, rng)
    limit = UNHEARD_ECE if check.name == "ece" and corpus.how == UNHEARD else None
    return judged(check, where, measure(found), n=len(found), interval=interval, limit=limit)


def _error(found: Predictions) -> float:
    return expected_calibration_error(found.scores, found.label_index)


def _worst_speaker(check: Check, where: Where, found: Predictions) -> TrustTest:
    parts = {name: part for name, part in by(found, "speaker").items() if name and len(part) >= FEWEST_CLIPS}
    if len(parts) < 2:
        why = f"{len(parts)} speakers with {FEWEST_CLIPS} clips or more, at least 2 are needed"
        return not_testable(check, where, why)
    gaps = {name: _gap(part) for name, part in parts.items()}
    worst = max(gaps, key=lambda name: abs(gaps[name]))
    return judged(check, where, abs(gaps[worst]), n=len(parts[worst]), parts=gaps)


def _gap(part: Predictions) -> float:
    """Return mean confidence minus accuracy, over clips with an answer."""
    answered = part.select(part.answered)
    if not len(answered):
        return 0.0
    right = answered.predicted_index == answered.label_index
    return float(answered.scores.max(axis=1).mean() - right.mean())


def errors_by_confidence(found: Predictions) -> Floats:
    """Return 1 for a wrong clip and 0 for a right one, [n], the surest first; clips without an answer come last."""
    confidence = np.nan_to_num(found.scores.max(axis=1), nan=-1.0)
    order = np.argsort(-confidence, kind="stable")
    return np.asarray((found.predicted_index != found.label_index)[order], np.float64)


def risk_ratio(found: Predictions) -> float:
    """Return the share of errors among the surest clips, divided by that among all; 0 without errors."""
    errors = errors_by_confidence(found)
    return _ratio(float(errors[: max(1, round(SURE * len(errors)))].mean()), float(errors.mean()))


def aurc_ratio(found: Predictions) -> float:
    """Return the mean, over all coverages, of the errors among the surest clips, divided by that among all.

    A random confidence gives 1, and one that sorts right before wrong about half the share of errors.

    Reference: Geifman, El-Yaniv, "Selective classification for deep neural networks", 2017 (risk and coverage).
    """
    errors = errors_by_confidence(found)
    risks = np.cumsum(errors) / np.arange(1, len(errors) + 1)
    return _ratio(float(risks.mean()), float(errors.mean()))


def _ratio(value: float, of: float) -> float:
    return value / of if of else 0.0


def _of_all(check: Check, material: Material, sets: dict[str, Sets]) -> TrustTest:
    where = Where(ALL)
    if not material.scored:
        return not_testable(check, where, "the system gives labels without scores")
    known = [(corpus, found) for corpus, found in material.labelled if corpus.how == OUT_OF_FOLD]
    used = known or list(material.labelled)
    if not used:
        return not_testable(check, where, "no corpus can be tested with labels")
    n = sum(len(found) for _, found in used)
    if check.name == "coverage-mean":
        return _mean_coverage(check, where, sets, used, material.rng(6))
    errors = {corpus.name: _error(found) for corpus, found in used}
    draws = np.mean([_error_draws(found, material.rng(7)) for _, found in used], axis=0)
    limit = None if known else UNHEARD_ECE
    value = float(np.mean(list(errors.values())))
    return judged(check, where, value, n=n, interval=bootstrap.interval(draws), limit=limit, parts=errors)


def _error_draws(found: Predictions, rng: np.random.Generator) -> Floats:
    drawn = bootstrap.units(found)
    table, layout = bootstrap.sums_by_unit(found, drawn)
    return layout.calibration_error(bootstrap.draw(table, drawn.stratum, rng=rng, draws=DRAWS))


def _sets(material: Material) -> dict[str, Sets]:
    """Return the conformal sets of each corpus; empty if too few speakers can calibrate.

    Speakers of corpora that the system learnt from, out of fold, calibrate; without such corpora, all do.
    """
    used = [(corpus, found) for corpus, found in material.labelled if "" not in found.speaker.tolist()]
    if not used:
        return {}
    every = join([found for _, found in used])
    speakers = np.char.add(np.char.add(every.corpus, "/"), every.speaker)
    known = np.concatenate([np.full(len(found), corpus.how == OUT_OF_FOLD) for corpus, found in used])
    calibrating = known if known.any() else np.ones(len(every), bool)
    if len(np.unique(speakers[calibrating])) <= FEWEST_CALIBRATING:
        return {}
    found = conformal_sets(every.scores, every.label_index, speakers, calibrating.astype(np.int64), coverage=COVERAGE)
    ends = np.cumsum([len(part) for _, part in used])[:-1]
    pairs = zip(np.split(found.covered, ends), np.split(found.size, ends), strict=True)
    return {corpus.name: Sets(*pair) for (corpus, _), pair in zip(used, pairs, strict=True)}


def _conformal(
    check: Check, corpus: CorpusUnderTest, found: Predictions, sets: dict[str, Sets], rng: np.random.Generator
) -> TrustTest:
    where, n = Where(corpus.name), len(found)
    if corpus.name not in sets:
        return not_testable(check, where, _few_calibrating(), n=n)
    own = sets[corpus.name]
    if check.name == "size":
        return judged(check, where, float(own.size.mean()), n=n, interval=mean_interval(own.size, rng))
    by_speaker = coverage_by_speaker(found, own)
    values = np.array(list(by_speaker.values()))
    if check.name == "coverage":
        return judged(check, where, float(values.mean()), n=n, interval=mean_interval(values, rng), parts=by_speaker)
    if len(values) < FEWEST_SPEAKERS:
        return not_testable(check, where, f"{len(values)} speakers, at least {FEWEST_SPEAKERS} are needed", n=n)
    worst = np.percentile(values, LOW_PERCENTILE) if len(values) >= MANY_SPEAKERS else values.min()
    return judged(check, where, float(worst), n=n, parts=by_speaker)


def _few_calibrating() -> str:
    return f"more than {FEWEST_CALIBRATING} speakers of all corpora are needed to calibrate sets, all of them known"


def coverage_by_speaker(found: Predictions, own: Sets) -> dict[str, float]:
    """Return the share of each speaker's clips whose set holds the true label."""
    names = found.speaker.tolist()
    return {name: float(own.covered[found.speaker == name].mean()) for name in sorted(set(names))}


def _mean_coverage(
    check: Check,
    where: Where,
    sets: dict[str, Sets],
    used: Sequence[tuple[CorpusUnderTest, Predictions]],
    rng: np.random.Generator,
) -> TrustTest:
    values = [
        value
        for corpus, found in used
        if corpus.name in sets
        for value in coverage_by_speaker(found, sets[corpus.name]).values()
    ]
    if not values:
        return not_testable(check, where, _few_calibrating())
    low, high = mean_interval(np.array(values), rng)
    mean = float(np.mean(values))
    distances = sorted(abs(end - COVERAGE) for end in (low, high))
    nearest = 0.0 if low <= COVERAGE <= high else distances[0]
    n = sum(len(found) for corpus, found in used if corpus.name in sets)
    return judged(
        check, where, abs(mean - COVERAGE), n=n, interval=Interval(nearest, distances[1]), parts={"mean": mean}
    )
