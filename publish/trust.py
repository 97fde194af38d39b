"""The table of docs/trust.md: results of the trust suite, read from results/trust/<model>.json."""

from __future__ import annotations

from pathlib import Path

import msgspec

from emovox.evaluation.trust.outcome import OutcomeCounts, TrustResult, by_topic, tally
from emovox.evaluation.trust.suite import TOPICS
from publish.tables import NOTHING, percent, table


def trust_table(folder: Path) -> str:
    """One row a result: tests passed of those that are testable, by topic, and the command."""
    found = [msgspec.json.decode(path.read_bytes(), type=TrustResult) for path in sorted(folder.glob("*.json"))]
    rows = [_row(result) for result in sorted(found, key=lambda result: -tally(result.tests).share)]
    return table(("model", "corpora", "all", "%", *TOPICS, "command"), rows)


def _row(result: TrustResult) -> tuple[str, ...]:
    topics, every = by_topic(result.tests), tally(result.tests)
    cells = [_cell(topics[topic]) if topic in topics else NOTHING for topic in TOPICS]
    corpora = ", ".join(f"{name} ({how.split(':')[0]})" for name, how in result.corpora.items())
    return (f"`{result.model}`", corpora, _cell(every), percent(every.share), *cells, f"`{result.command}`")


def _cell(found: OutcomeCounts) -> str:
    return f"{found.passed} / {found.testable}" if found.testable else NOTHING
