"""The estimate of how many streams a machine carries, and the memory that they will need."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from emovox.runtime.model import Model
from emovox.runtime.pipeline import LARGEST_BATCH
from emovox.runtime.predictor import Predictor
from emovox.schema.card import longest_tile
from emovox.schema.processes import usable_cores
from emovox.serving.capacity import measure_streams, reserve_memory
from tests.serving.running import PATIENCE
from tests.toy_models import RATE


def test_it_takes_a_moment_and_a_slow_model_carries_less(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.thread_time()
    quick = measure_streams(Predictor(toy), cores=2)
    assert time.thread_time() - begun < 0.5
    before = toy.run

    def slow(batch: Any) -> Any:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        return before(batch)

    monkeypatch.setattr(toy, "run", slow)
    assert 4 <= measure_streams(Predictor(toy), cores=2) < quick
    assert usable_cores() >= 1


def test_memory_is_reserved_for_the_largest_work_of_all_threads_at_once(
    toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes, together, before = [], threading.Barrier(3, timeout=PATIENCE), toy.run

    def watched(batch: Any) -> Any:
        together.wait()
        shapes.append(batch.shape)
        return before(batch)

    monkeypatch.setattr(toy, "run", watched)
    reserve_memory(Predictor(toy), threads=3)
    assert shapes == [(LARGEST_BATCH, round(longest_tile(toy.card.window) * RATE))] * 3
