"""Figures of an evaluation as text for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from emovox.cli.console import columns
from emovox.evaluation.figures.comparison import Comparison, Measured, as_data
from emovox.evaluation.figures.metrics import top_confusions
from emovox.evaluation.report.document import Table
from emovox.evaluation.report.page import Facts, costs
from emovox.evaluation.report.sections import (
    Latency,
    calibration_sentences,
    comparison_table,
    headline_table,
    percent,
    title_of,
)
from emovox.schema.result import Failure
from emovox.schema.text import json_document, printable

MISTAKES = 5
"""Most frequent mistakes of each set of predictions that are shown, at most."""


def as_table(
    measured: Sequence[Measured], comparisons: Sequence[Comparison], facts: Facts, *, notes: bool = True
) -> str:
    """Return all figures as text: one table, the most frequent mistakes, abstention, differences and latency.

    Without `notes`, mistakes and abstention are left out: with several runs side by side they would hide the table.
    """
    parts = ["all figures in %, 95 % intervals in brackets\n", _text(headline_table(measured, costs=costs(facts)))]
    parts += [f"{text}\n" for text in calibration_sentences(measured)]
    parts += [_notes(each) for each in measured if each.detailed and notes]
    if comparisons:
        parts += ["differences on the same clips\n" + _text(comparison_table(comparisons))]
        parts += [
            printable(f"{each.second} on {each.corpus}: {each.reason}") + "\n" for each in comparisons if each.reason
        ]
    if facts.latency is not None:
        parts.append(_latency(facts.latency))
    return "\n".join(parts)


def as_json(
    measured: Sequence[Measured], comparisons: Sequence[Comparison], facts: Facts, failures: Sequence[Failure]
) -> str:
    """Return all figures as JSON: shares in [0, 1], times in milliseconds."""
    data: dict[str, Any] = as_data(measured, comparisons)
    if facts.model:
        data["model"] = {
            "name": facts.model,
            "parameters": facts.parameters.get(facts.model),
            "trained_on_these_speakers": list(facts.trained_on),
        }
        data["latency"] = None if facts.latency is None else _latency_data(facts.latency)
        data["notes"] = list(facts.notes)
        data["failures"] = msgspec.to_builtins(list(failures))
    return json_document(data)


def _latency_data(latency: Latency) -> dict[str, Any]:
    return {
        "recordings": latency.count,
        "median_seconds_of_audio": latency.audio,
        "real_time_factor": latency.real_time_factor,
        "milliseconds": {name: spread._asdict() for name, spread in latency.parts.items()},
    }


def _text(table: Table) -> str:
    return columns([list(table.head), *(list(row) for row in table.rows)])


def _notes(each: Measured) -> str:
    pairs = [
        f"{pair.label} → {pair.predicted} {pair.clips} ({percent(pair.share)} %)"
        for pair in top_confusions(each.predictions, MISTAKES)
    ]
    recalls = ", ".join(f"{name} {percent(value)}" for name, value in each.summary.recalls.items())
    rows = [["  recall", recalls], ["  mistakes", ", ".join(pairs) or "none"]]
    if (abstention := each.abstention) is not None:
        text = f"threshold {abstention.threshold:.3f} labels {percent(abstention.share)} % of the clips"
        rows.append(["  abstention", f"{text}, {percent(abstention.accuracy)} % of them right"])
    if each.summary.unanswered:
        rows.append(["  no speech", f"{each.summary.unanswered} of {each.summary.clips} clips, counted as wrong"])
    return f"{printable(title_of(each))}, intervals over {each.summary.resampled}\n{columns(rows)}"


def _latency(latency: Latency) -> str:
    rows = [["  " + name, f"{s.median:.2f}", f"{s.p95:.2f}"] for name, s in latency.parts.items()]
    head = f"latency of {latency.count} recordings of about {latency.audio:.2f} s"
    tail = f"real-time factor {latency.real_time_factor:.4f}\n"
    return f"{head}\n{columns([['  part', 'median ms', 'p95 ms'], *rows])}{tail}"
