"""The estimate of the number of streams that a machine carries."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import onnx
import pytest

from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor, load
from emovox.schema.errors import ModelError
from emovox.schema.processes import usable_cores
from emovox.serving import capacity
from emovox.serving.capacity import measure_streams
from emovox.testing import write_toy
from tests.graphs import endless, replace_graph


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


def test_a_model_that_never_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "_LONGEST_SECONDS", 0.2)
    path = write_toy(tmp_path)
    replace_graph(path, endless(onnx.load(path.with_suffix(".onnx"))).SerializeToString())
    with pytest.raises(ModelError, match="did not end within"):
        capacity.measure_streams(load(str(path)))
