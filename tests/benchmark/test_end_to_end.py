from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper

from emovox.benchmark.end_to_end import (
    TIMED_CLIPS,
    Timing,
    front_end_share,
    latency_of,
    measure_latency,
    share_of_front_end,
    summarise_latency,
)
from emovox.runtime.predictor import load
from emovox.schema.errors import UndecodableError
from emovox.testing import RATE, speech, write_toy


def test_medians_and_percentiles_in_milliseconds() -> None:
    timings = [Timing(0.001 * i, 0.0, 0.002, 0.002 + 0.001 * i, 1.0) for i in range(1, 101)]
    found = summarise_latency(timings)
    assert found.parts["decode"].median == pytest.approx(50.5)
    assert found.parts["decode"].p95 == pytest.approx(95.05)
    assert found.parts["graph"] == pytest.approx((2, 2))
    assert found.real_time_factor == pytest.approx(0.0525)
    assert (found.count, found.audio) == (100, 1.0)
    assert set(found.parts) == {"decode", "speech", "graph", "total"}


def test_front_end_and_network_share_the_time_of_the_graph() -> None:
    found = summarise_latency([Timing(0, 0, 0.008, 0.008, 1.0)], front_end_share=0.25)
    assert found.parts["front end"].median == pytest.approx(2)
    assert found.parts["network"].median == pytest.approx(6)


def test_the_parts_of_a_prediction_add_up(tmp_path: Path) -> None:
    """A clock that ticks once a call: decoding takes one tick, a run of the graph one, predict all that are within."""
    predictor = load(str(write_toy(tmp_path)))
    ticks = itertools.count()
    source = (speech(150.0, seconds=2.0), RATE)
    (found,) = measure_latency(predictor, [source], warm_up=1, clock=lambda: float(next(ticks)))
    runs = found.graph  # one tick each
    assert runs >= 1
    assert found.total == 2 * runs + 1
    assert found.decode == 1
    assert found.speech == found.total - found.decode - found.graph
    assert found.audio == pytest.approx(2.0)


def test_real_times_are_positive_and_the_model_stays_as_it_was(tmp_path: Path) -> None:
    predictor = load(str(write_toy(tmp_path)))
    model = predictor.model
    found = measure_latency(predictor, [(speech(150.0, seconds=1.5), RATE)] * 3)
    assert all(0 < each.graph < each.total for each in found)
    assert predictor.model is model


def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(UndecodableError):
        measure_latency(load(str(write_toy(tmp_path))), [str(tmp_path / "text.wav")])


def test_a_model_is_timed_on_some_of_many_recordings(tmp_path: Path) -> None:
    card = write_toy(tmp_path)
    soundfile.write(tmp_path / "a.wav", speech(200.0, seconds=1.0), RATE)
    found = latency_of(load(str(card)), [str(tmp_path / "a.wav")] * 60, card.with_suffix(".onnx"))
    assert found is not None
    assert found.count == TIMED_CLIPS
    assert "network" not in found.parts, "the toy's nodes have no names"
    assert latency_of(load(str(card)), [], None) is None


def test_a_profile_is_read_by_the_names_of_its_nodes() -> None:
    events: list[dict[str, Any]] = [
        {"cat": "Session", "name": "model_run", "dur": 500},
        {"cat": "Node", "name": "/front_end/Conv_kernel_time", "dur": 30},
        {"cat": "Node", "name": "/front_end/Conv_fence_before", "dur": 99},
        {"cat": "Node", "name": "/network/Gemm_kernel_time", "dur": 10},
    ]
    assert share_of_front_end(events) == 0.75
    inside = [{**event, "name": event["name"].replace("/front_end", "/encoder/front_end")} for event in events]
    assert share_of_front_end(inside) == 0.75
    assert share_of_front_end(events[3:]) is None
    assert share_of_front_end([]) is None


def test_onnx_runtime_tells_the_parts_apart(tmp_path: Path) -> None:
    samples = np.zeros((1, RATE), np.float32)
    assert front_end_share(write_toy(tmp_path).with_suffix(".onnx"), samples) is None, "the toy names no front end"
    path = tmp_path / "named.onnx"
    _two_parts(path)
    share = front_end_share(path, samples)
    assert share is not None
    assert 0.5 < share < 1, "ten sines cost more than one sum"


def _two_parts(path: Path) -> None:
    nodes = [
        helper.make_node("Sin", ["samples" if i == 0 else f"h{i - 1}"], [f"h{i}"], name=f"/front_end/Sin_{i}")
        for i in range(10)
    ]
    nodes.append(helper.make_node("ReduceMean", ["h9"], ["scores"], axes=[1], name="/network/ReduceMean"))
    graph = helper.make_graph(
        nodes,
        "parts",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", "n"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
