"""Smoothing: nothing changes in float, and the channels after a layer norm become of similar size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from emovox.compression.quantisation import TARGETS, quantised
from emovox.compression.smoothing import smoothed
from emovox.runtime.session import open_session

FRAMES, WIDTH, SEED = 40, 16, 0


def attention_like(*, gain: float = 50.0, others: bool = False) -> Any:
    """Return samples → frames → layer norm, one channel of which is large → two affine maps → statistics."""
    rng = np.random.default_rng(SEED)
    norm = np.ones(WIDTH, np.float32)
    norm[3] = gain
    arrays = {
        "shape": np.array([0, FRAMES, WIDTH]),
        "norm.weight": norm,
        "norm.bias": rng.normal(size=WIDTH).astype(np.float32),
        "query": rng.normal(size=(WIDTH, 8)).astype(np.float32),
        "key": rng.normal(size=(WIDTH, 8)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["frames"], "frames"),
        helper.make_node("LayerNormalization", ["frames", "norm.weight", "norm.bias"], ["normal"], "norm", axis=-1),
        helper.make_node("MatMul", ["normal", "query"], ["a"], "query"),
        helper.make_node("MatMul", ["normal", "key"], ["b"], "key"),
        helper.make_node("Add", ["a", "b"], ["sum"], "add"),
        helper.make_node("Relu", ["normal" if others else "sum"], ["after"], "relu"),
        helper.make_node("ReduceMean", ["sum"], ["mean"], "mean", axes=[1], keepdims=0),
        helper.make_node("ReduceMean", ["after"], ["rest"], "rest", axes=[1], keepdims=0),
        helper.make_node("Concat", ["mean", "rest"], ["statistics"], "statistics", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", FRAMES * WIDTH])],
        [helper.make_tensor_value_info("statistics", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tiles() -> list[Any]:
    rng = np.random.default_rng(SEED + 1)
    return [rng.normal(size=FRAMES * WIDTH).astype(np.float32) for _ in range(8)]


def statistics(proto: Any, samples: Any) -> Any:
    session = open_session(proto.SerializeToString(), threads=1, where=Path("toy"))
    return session.run(["statistics"], {"samples": samples[None]})[0]


def test_in_float_a_smoothed_graph_gives_the_same() -> None:
    proto = attention_like()
    made = smoothed(proto, tiles())
    np.testing.assert_allclose(statistics(made, tiles()[0]), statistics(proto, tiles()[0]), atol=1e-4)
    gains = {one.name: np.abs(numpy_helper.to_array(one)).max() for one in made.graph.initializer}
    assert gains["norm.weight"] < 0.5 * 50.0


def test_int8_of_a_smoothed_graph_is_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    proto, sample = attention_like(), tiles()[0]
    true = statistics(proto, sample)
    errors = [np.abs(statistics(quantised(proto, tiles(), TARGETS["cpu"]), sample) - true).mean()]
    monkeypatch.setattr("emovox.compression.quantisation.smoothed", lambda graph, _: graph)
    errors.append(np.abs(statistics(quantised(proto, tiles(), TARGETS["cpu"]), sample) - true).mean())
    assert errors[0] < 0.6 * errors[1]


def test_a_layer_norm_that_others_read_too_stays_as_it_is() -> None:
    proto = attention_like(others=True)
    assert smoothed(proto, tiles()).SerializeToString() == proto.SerializeToString()
