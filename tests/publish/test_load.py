"""The load generator against a real service, small: nothing is lost, and an open stream costs little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOAD = Path(__file__).parents[2] / "publish" / "load.py"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def load(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(LOAD), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_few_streams_lose_nothing() -> None:
    found = load("--streams", "8", "--seconds", "6")
    assert (found["sessions"], found["marks_lost"], found["closed_otherwise"]) == (8, 0, 0)
    assert found["updates"] + found["updates_dropped"] == found["updates_expected"] > 0


@pytest.mark.slow
def test_what_an_open_stream_costs() -> None:
    found = load("--streams", "60", "--seconds", "5", "--silent")
    assert (found["marks_lost"], found["updates"]) == (0, 0)
    assert found["kb_per_stream"] <= 300
    assert found["server_ms_per_stream_second"] <= 4.0  # 2 on a machine with nothing else to do


@pytest.mark.slow
def test_a_soak() -> None:
    found = load("--streams", "10", "--seconds", "3", "--soak", "0.25", "--settle", "6")
    assert found["sessions"] >= 30
    assert (found["marks_lost"], found["closed_otherwise"]) == (0, 0)
    assert found["memory_range_percent"] <= 5
