"""The tables of docs/trust.md: results of the trust suite, of maps of speech, and what cards promise."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

import msgspec

from emovox.evaluation.trust.outcome import OutcomeCounts, TrustResult, by_topic, tally
from emovox.evaluation.trust.suite import TOPICS
from emovox.schema.card import ModelCard
from emovox.training.speech import SpeechFigures
from publish.tables import NOTHING, percent, table

LEAST_REFUSED = 0.95
"""Share of the time without a label below which a kind of sound is named."""


def trust_table(folder: Path) -> str:
    """One row a result: tests passed of those that are testable, by topic, and the command."""
    found = [msgspec.json.decode(path.read_bytes(), type=TrustResult) for path in sorted(folder.glob("*.json"))]
    rows = [_row(result) for result in sorted(found, key=lambda result: -tally(result.tests).share)]
    return table(("model", "corpora", "all", "%", *TOPICS, "command"), rows)


def sets_table(cards: Iterable[ModelCard]) -> str:
    """One row for each promise of each card: the bound, and what was measured on speakers that did not calibrate it."""
    head = (
        "model",
        "promise, %",
        "lowest score",
        "measured, %",
        "a tenth of the speakers below, %",
        "labels",
        "speakers",
    )
    rows = [
        (card.name, str(one.coverage), f"{one.least:.3f}", f"{one.mean:.1f}", f"{one.worst:.1f}", f"{one.size:.2f}",
         str(one.speakers))
        for card in cards
        for one in (() if card.trust is None else card.trust.sets)
    ]  # fmt: skip
    return table(head, rows)


def speech_table(folder: Path) -> str:
    """One row a model: speech that is kept and other sounds that get no label, on what its maps had not heard."""
    head = (
        "model",
        "speech kept, %",
        "in rooms, noise, telephones, %",
        "other sounds without a label, %",
        "by the detector alone, %",
        "kinds below 95 %",
    )
    rows = []
    for path in sorted(folder.glob("*.json")):
        found = msgspec.json.decode(path.read_bytes(), type=SpeechFigures)
        low = [f"{kind} {100 * share:.0f}" for kind, share in found.refused.items() if share < LEAST_REFUSED]
        shares = (found.kept, found.kept_changed, found.mean_refused, fmean(found.undetected.values()))
        rows.append((f"`{path.stem}`", *(f"{100 * share:.1f}" for share in shares), ", ".join(low) or NOTHING))
    return table(head, rows)


def calibration_table(cards: Iterable[ModelCard]) -> str:
    """One row for each card: its errors of calibration, and what is right at its threshold."""
    head = ("model", "ECE, mean", "ECE, worst", "threshold", "labelled, %", "of these right, %", "right of all, %")
    known = [(card, card.trust.calibration) for card in cards if card.trust is not None and card.trust.calibration]
    rows = [
        (card.name, f"{one.error:.1f}", f"{one.worst:.1f} ({one.corpus})", f"{card.threshold:.2f}",
         f"{one.labelled:.1f}", f"{one.right:.1f}", f"{one.right_of_all:.1f}")
        for card, one in known
    ]  # fmt: skip
    return table(head, rows)


def _row(result: TrustResult) -> tuple[str, ...]:
    topics, every = by_topic(result.tests), tally(result.tests)
    cells = [_cell(topics[topic]) if topic in topics else NOTHING for topic in TOPICS]
    corpora = ", ".join(f"{name} ({how.split(':')[0]})" for name, how in result.corpora.items())
    return (f"`{result.model}`", corpora, _cell(every), percent(every.share), *cells, f"`{result.command}`")


def _cell(found: OutcomeCounts) -> str:
    return f"{found.passed} / {found.testable}" if found.testable else NOTHING
