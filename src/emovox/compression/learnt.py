"""The ranges of quantisation-aware training, as ONNX Runtime's tool takes them: by tensor of the exported graph.

A node of the graph belongs to the module whose weights it has. Names are no help: the tracer numbers the modules of a
Whisper block anew, and folding renames weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import numpy_helper
from onnxruntime.quantization import QuantType

from emovox.compression.folding import products
from emovox.compression.quantisation import Overrides, Target
from emovox.models.fake_quantisation import LEVELS, Range
from emovox.models.quantised_encoder import LearntRanges, weight_levels
from emovox.models.quantised_encoder import products as encoder_products
from emovox.models.trained import TrainedModel
from emovox.schema.errors import CompressionError

SIGNED = 127
"""Largest level of a signed activation."""


@dataclass(frozen=True, eq=False)
class LearntModel:
    """What quantisation-aware training has made: a network whose weights lie on levels, and its ranges by path."""

    model: TrainedModel
    ranges: Mapping[str, LearntRanges]


def overrides(learnt: LearntModel, proto: Any, target: Target) -> Overrides:
    """Return scales and zero points by tensor, as `TensorQuantOverrides`.

    Args:
        learnt: the network that the graph was exported from.
        proto: a `ModelProto` from `folded`.
        target: what will run the file.

    Raises:
        CompressionError: a product of the graph has weights of no module.
    """
    modules = encoder_products(learnt.model.network.encoder)
    levels = {path: weight_levels(modules[path].weight.detach(), one).numpy() for path, one in learnt.ranges.items()}
    arrays = {tensor.name: tensor for tensor in proto.graph.initializer}
    found: dict[str, list[dict[str, Any]]] = {}
    for node in products(proto):
        weight = numpy_helper.to_array(arrays[node.input[1]])
        weight = weight.T if node.op_type == "MatMul" else weight
        path = next((path for path, one in levels.items() if _is_same(weight, one, learnt.ranges[path])), None)
        if path is None:
            raise CompressionError(f"{node.name}: has weights of no trained module; train its quantisation again")
        ranges = learnt.ranges[path]
        found[node.input[0]] = [_activation(ranges.incoming, target)]
        if ranges.outgoing is not None:
            found[node.output[0]] = [_activation(ranges.outgoing, target)]
        found[node.input[1]] = _weights(ranges, axis=1 if node.op_type == "MatMul" else 0)
        del levels[path]
    return found


def _is_same(weight: npt.NDArray[np.float32], levels: npt.NDArray[np.float32], ranges: LearntRanges) -> bool:
    """Return whether weights of a graph, perhaps with more channels of zeros, are those of a module."""
    if weight.ndim != levels.ndim or len(weight) != len(levels) or weight.shape[2:] != levels.shape[2:]:
        return False
    steps = ranges.steps.numpy().reshape(-1, *[1] * (levels.ndim - 1))
    numbers, width = np.round(weight / steps), levels.shape[1]
    return bool(np.array_equal(numbers[:, :width], levels) and not numbers[:, width:].any())


def _activation(levels: Range, target: Target) -> dict[str, Any]:
    if not target.symmetric:
        scale, zero = levels.step, levels.zero
    else:
        largest = max(levels.zero, LEVELS - levels.zero) * levels.step
        scale, zero = largest / SIGNED, 0
    return {
        "quant_type": target.activations,
        "scale": np.array(scale, np.float32),
        "zero_point": np.array(zero, np.int8 if target.symmetric else np.uint8),
    }


def _weights(ranges: LearntRanges, *, axis: int) -> list[dict[str, Any]]:
    zero = np.array(0, np.int8)
    return [
        {"axis": axis, "quant_type": QuantType.QInt8, "scale": np.array(step, np.float32), "zero_point": zero}
        for step in ranges.steps.tolist()
    ]
