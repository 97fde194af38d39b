from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from emovox.features.config import FeatureConfig
from emovox.models.front_end.frames import FrameFrontEnd, FrameTensors
from tests.sounds import edge_cases, gliding

OPSET = 17
# Torch and ONNX Runtime sum in different orders; measured 2e-5 dB and 0.006 Hz.
TOLERANCES = {"mfcc": 1e-3, "delta": 1e-4, "delta2": 1e-4, "log_mel": 1e-3, "rms": 1e-6, "zcr": 0.0, "centroid": 0.5}
SAME_HZ = 1e-3


class Root(nn.Module):
    """A network that holds the front end as the shipped models do."""

    def __init__(self) -> None:
        super().__init__()
        self.front_end = FrameFrontEnd(FeatureConfig())

    def forward(self, samples: Tensor) -> FrameTensors:
        frames: FrameTensors = self.front_end(samples)
        return frames


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("graph") / "front_end.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Root().eval(),
            (torch.zeros(2, 24007),),
            target,
            input_names=["samples"],
            output_names=list(FrameTensors._fields),
            dynamic_axes={"samples": {0: "batch", 1: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return target


@pytest.fixture(scope="module")
def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("batch", "n"), [(1, 4800), (1, 16000), (3, 16159), (2, 48001), (1, 480000)])
def test_graph_equals_torch_for_any_batch_and_length(session: onnxruntime.InferenceSession, batch: int, n: int) -> None:
    samples = np.stack([gliding(n, seed=row) for row in range(batch)])
    found = dict(zip(FrameTensors._fields, session.run(None, {"samples": samples}), strict=True))
    expected = Root()(torch.from_numpy(samples))
    for name, tolerance in TOLERANCES.items():
        np.testing.assert_allclose(found[name], getattr(expected, name).numpy(), rtol=0, atol=tolerance, err_msg=name)
    # an arg max may fall the other way where two lags are equally deep
    for name in ("rolloff", "f0"):
        assert np.mean(np.abs(found[name] / (getattr(expected, name).numpy() + 1e-9) - 1) < SAME_HZ) > 0.99, name
    assert np.mean(found["voiced"] == expected.voiced.numpy()) > 0.99


def test_graph_survives_the_edge_cases(session: onnxruntime.InferenceSession) -> None:
    samples = np.stack(list(edge_cases().values()))
    for name, value in zip(FrameTensors._fields, session.run(None, {"samples": samples}), strict=True):
        assert np.isfinite(value).all(), name


def test_graph_uses_standard_operators_without_control_flow(path: Path) -> None:
    graph = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", OPSET)]
    assert {node.domain for node in graph.graph.node} == {""}
    assert not {node.op_type for node in graph.graph.node} & {"If", "Loop", "Scan", "NonZero"}


def test_nodes_are_named_after_the_module(path: Path) -> None:
    nodes = onnx.load(path).graph.node
    assert len(nodes) > 100
    assert all(node.name.startswith("/front_end/") for node in nodes if node.op_type != "Constant")
