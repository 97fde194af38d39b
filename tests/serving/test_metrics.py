"""Counters for Prometheus: each count of the pipeline is added once."""

from __future__ import annotations

import pytest

from emovox.runtime.pipeline import Counts
from emovox.serving.metrics import Metrics

NOTHING = Counts(streams=0, waiting=0, tiles=0, previews=0, merged=0, dropped=0, unread=0, batches=0)
EARLY = Counts(streams=1, waiting=9, tiles=10, previews=20, merged=3, dropped=4, unread=5, batches=8)
LATER = Counts(streams=1, waiting=2, tiles=11, previews=25, merged=3, dropped=6, unread=6, batches=9)


def values(metrics: Metrics) -> dict[str, float]:
    """Return the samples by name and labels."""
    lines = [line for line in metrics.text().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.mark.parametrize("steps", [[LATER], [EARLY, LATER], [NOTHING, EARLY, EARLY, LATER, LATER]])
def test_however_often_it_is_looked_the_sums_are_those_of_the_pipeline(steps: list[Counts]) -> None:
    metrics = Metrics()
    for counts in steps:
        metrics.follow(counts)
    counted = values(metrics)
    assert counted["emovox_windows_waiting"] == 2
    assert counted['emovox_windows_total{kind="tile"}'] == 11
    assert counted['emovox_windows_total{kind="preview"}'] == 25
    lost = {how: counted[f'emovox_previews_lost_total{{how="{how}"}}'] for how in ("merged", "dropped", "unread")}
    assert lost == {"merged": 3, "dropped": 6, "unread": 6}


def test_two_services_in_a_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.follow(LATER)
    one.jobs.labels("done").inc()
    assert values(other).get('emovox_jobs_total{outcome="done"}') is None
    assert values(other)["emovox_windows_waiting"] == 0
