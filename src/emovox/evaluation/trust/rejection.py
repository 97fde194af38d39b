"""Rejection: sounds that are no speech stay without a label, and speech does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from emovox.evaluation.trust.draws import interval_of, mean_interval
from emovox.evaluation.trust.hearing import Heard, Key, Stimulus, troubles
from emovox.evaluation.trust.material import Material
from emovox.evaluation.trust.outcome import ALL, TrustTest, Where, failed, judged, not_testable
from emovox.evaluation.trust.sounds import NoSoundsError, sounds
from emovox.evaluation.trust.suite import Check
from emovox.evaluation.trust.system import SystemAnswer
from emovox.schema.figure import TILE
from emovox.schema.labels import EMOTIONS
from emovox.schema.progress import Progress

NEUTRAL = EMOTIONS[0]


def rejection_tests(
    checks: Sequence[Check], material: Material, noise: Path | None, progress: Progress
) -> Iterator[TrustTest]:
    """Yield the tests of rejection; `noise` is the folder of noises."""
    for check in checks:
        if check.per == "corpus":
            yield from _lost(check, material)
            continue
        found: dict[str, list[Stimulus] | str] = {}
        for kind in check.over:
            try:
                found[kind] = sounds(kind, most=material.sizes.sounds, seed=material.seed, noise=noise)
            except NoSoundsError as error:
                found[kind] = str(error)
        every = [item for items in found.values() if not isinstance(items, str) for item in items]
        heard = material.hearing.hear(every, [TILE], progress)
        for kind, items in found.items():
            yield _of_kind(check, Where(ALL, kind), items, heard, material)


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


def _lost(check: Check, material: Material) -> Iterator[TrustTest]:
    """Yield the share of clips of speech without an answer, for each corpus."""
    for number, corpus in enumerate(material.corpora):
        if corpus.predictions is None or corpus.why:
            yield corpus.refuse(check)
            continue
        found, rng = corpus.predictions, material.rng(10, number)
        interval = interval_of(found, lambda part: float((~part.answered).mean()), rng)
        yield judged(check, Where(corpus.name), float((~found.answered).mean()), n=len(found), interval=interval)
