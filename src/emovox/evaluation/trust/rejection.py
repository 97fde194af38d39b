"""Rejection: sounds that are not speech stay without a label, and speech does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emovox.evaluation.trust.draws import interval_of, mean_interval
from emovox.evaluation.trust.hearing import Heard, Key, Stimulus, troubles
from emovox.evaluation.trust.material import CorpusUnderTest, Material, heard_corpus
from emovox.evaluation.trust.outcome import ALL, TrustTest, Where, failed, judged, not_testable
from emovox.evaluation.trust.sample import sample_clips
from emovox.evaluation.trust.sounds import NoSoundsError, sounds
from emovox.evaluation.trust.suite import Check
from emovox.evaluation.trust.system import ANY, System, SystemAnswer
from emovox.schema.figure import TILE
from emovox.schema.labels import NEUTRAL
from emovox.schema.progress import Progress


def rejection_tests(
    checks: Sequence[Check], material: Material, noise: Path | None, progress: Progress
) -> Iterator[TrustTest]:
    """Yield the tests of rejection; `noise` is the folder of noises."""
    for check in checks:
        if check.per == "corpus":
            yield from _lost(check, material, progress)
            continue
        found: dict[str, list[Stimulus] | str] = {}
        for kind in check.over:
            try:
                made = sounds(kind, most=material.sizes.sounds, seed=material.seed, noise=noise)
                found[kind] = _by_fold(made, material.system)
            except NoSoundsError as error:
                found[kind] = str(error)
        every = [item for items in found.values() if not isinstance(items, str) for item in items]
        heard = material.hearing.hear(every, [TILE], progress)
        for kind, items in found.items():
            yield _of_kind(check, Where(ALL, kind), items, heard, material)


def _by_fold(items: list[Stimulus], system: System) -> list[Stimulus] | str:
    """Return the sounds with folds whose models did not learn from such sounds; a sentence if there is none."""
    folds = [system.kinds.get(item.kind, ANY) for item in items]
    if None in folds:
        return f"seen: {system.name} learnt from such sounds in all folds"
    return [replace(item, fold=fold or ANY) for item, fold in zip(items, folds, strict=True)]


def _of_kind(check: Check, where: Where, items: list[Stimulus] | str, heard: Heard, material: Material) -> TrustTest:
    if isinstance(items, str):
        return not_testable(check, where, items)
    keys = [Key(TILE, item.corpus, item.id) for item in items]
    if trouble := troubles(heard, keys):
        return failed(check, where, trouble, n=len(items))
    answers = [answer for key in keys if isinstance(answer := heard[key], SystemAnswer)]
    if check.name == "calm":
        if NEUTRAL not in material.system.labels:
            return not_testable(check, where, f"the system has no label {NEUTRAL}")
        values = np.array([float(answer.seconds == 0 or answer.label == NEUTRAL) for answer in answers])
        weights = np.ones(len(values))
    else:
        weights = np.array([_seconds(item) for item in items])
        values = 1 - np.array([answer.seconds for answer in answers]) / weights
    shares = np.clip(values, 0, 1)
    value = float(np.average(shares, weights=weights))
    return judged(check, where, value, n=len(items), interval=mean_interval(shares, material.rng(9)))


def _seconds(item: Stimulus) -> float:
    samples, rate = item.load()
    return len(samples) / rate


def _lost(check: Check, material: Material, progress: Progress) -> Iterator[TrustTest]:
    """Yield the share of clips of speech without an answer, for each corpus."""
    for number, corpus in enumerate(material.corpora):
        found = _scored_by_predict(corpus, material, progress)
        if found.predictions is None or found.why:
            yield found.refuse(check)
            continue
        made, rng = found.predictions, material.rng(10, number)
        interval = interval_of(made, lambda part: float((~part.answered).mean()), rng)
        yield judged(check, Where(corpus.name), float((~made.answered).mean()), n=len(made), interval=interval)


def _scored_by_predict(corpus: CorpusUnderTest, material: Material, progress: Progress) -> CorpusUnderTest:
    """Return a corpus with predictions in which the output `speech` counts; in a cross-validation it does not."""
    system = material.system
    if corpus.name not in system.out_of_fold or not system.tells_speech or corpus.why:
        return corpus
    if not corpus.clips:
        return replace(corpus, why="there are no recordings, which the output speech needs")
    clips = sample_clips(corpus.clips, material.sizes.heard, seed=material.seed)
    return heard_corpus(system, material.hearing, corpus.name, clips, progress)
