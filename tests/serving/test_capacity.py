"""The estimate of the number of streams that a machine carries."""

from __future__ import annotations

import time
from typing import Any

import pytest

from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.schema.processes import usable_cores
from emovox.serving.capacity import measure_streams


def test_it_takes_a_moment_and_a_slow_model_carries_less(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.thread_time()
    quick = measure_streams(Predictor(toy), cores=2)
    assert time.thread_time() - begun < 0.5
    before = toy.run

    def slow(batch: Any, *_: Any) -> Any:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        return before(batch)

    monkeypatch.setattr(toy, "run", slow)
    assert 4 <= measure_streams(Predictor(toy), cores=2) < quick
    assert usable_cores() >= 1
