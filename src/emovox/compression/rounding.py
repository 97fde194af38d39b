"""Round weights so that their errors cancel on the calibration tiles, instead of each to the nearest step.

Reference:
    Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
    Transformers", 2022, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper, numpy_helper

from emovox.audio.types import Samples
from emovox.compression.folding import products
from emovox.runtime.graph_check import INPUT
from emovox.runtime.session import open_session

LEVELS = 64
"""Largest number of a weight with reduced range."""

DAMPING = 0.01
"""Share of the mean of the diagonal that is added to it, so that rare channels do not decide."""

FEWEST_INPUTS = 64
"""Inputs of a matrix below which nothing is gained."""

Values = npt.NDArray[np.float64]


def round_weights(proto: Any, tiles: Sequence[Samples]) -> None:
    """Round the weights of a float graph's products to the grid of INT8 with reduced range, in place.

    The step of each output channel stays that of its largest weight, which keeps its value.

    Args:
        proto: a `ModelProto` from `folded`.
        tiles: [n] float32 each; the errors cancel on what they give each product.
    """
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    chosen = [node for node in products(proto) if node.input[1] in tensors and _inputs(node, tensors) >= FEWEST_INPUTS]
    moments = _moments(proto, chosen, tensors, tiles)
    for node in chosen:
        tensor = tensors[node.input[1]]
        values = numpy_helper.to_array(tensor).astype(np.float64)
        rounded = _rounded(_matrix(node, values), moments[node.output[0]])
        shaped = rounded if node.op_type == "MatMul" else rounded.T.reshape(values.shape)
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(shaped, np.float32), tensor.name))


def _inputs(node: Any, tensors: Mapping[str, Any]) -> int:
    """Return the inputs of each output of a product of a matrix, or of a dense convolution over time; else 0."""
    shape = tensors[node.input[1]].dims
    if node.op_type == "MatMul":
        return int(shape[0])
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    return int(np.prod(shape[1:])) if node.op_type == "Conv" and groups == 1 and len(shape) in (3, 4) else 0


def _matrix(node: Any, values: Values) -> Values:
    """Return weights as [inputs, outputs]; those of a convolution are [channels · kernel, outputs]."""
    return values if node.op_type == "MatMul" else values.reshape(len(values), -1).T


def _rounded(weights: Values, moments: Values) -> Values:
    """Round weights [inputs, outputs] row by row; what a row's error adds to the output, later rows take back.

    Args:
        weights: [inputs, outputs].
        moments: [inputs, inputs], mean of x xᵀ.
    """
    step = np.maximum(np.abs(weights).max(axis=0), 1e-12) / LEVELS
    largest = np.abs(weights).argmax(axis=0)
    damped = moments + DAMPING * np.diag(moments).mean() * np.eye(len(moments))
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    open_weights, done = weights.copy(), np.empty_like(weights)
    for row in range(len(weights)):
        number = np.clip(np.round(open_weights[row] / step), -LEVELS, LEVELS)
        kept = largest == row
        number[kept] = np.sign(weights[row, kept]) * LEVELS
        done[row] = number * step
        error = (open_weights[row] - done[row]) / upper[row, row]
        open_weights[row + 1 :] -= np.outer(upper[row, row + 1 :], error)
    return done


def _moments(
    proto: Any, nodes: Sequence[Any], tensors: Mapping[str, Any], tiles: Sequence[Samples]
) -> dict[str, Values]:
    """Return the mean of x xᵀ for each of these products, by the name of its output."""
    names = sorted({node.input[0] for node in nodes})
    watched = type(proto)()
    watched.CopyFrom(proto)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(watched.SerializeToString(), threads=1, where=Path("rounding"))
    sums: dict[str, Any] = {node.output[0]: 0.0 for node in nodes}
    for tile in tiles:
        found = dict(zip(names, session.run(names, {INPUT: tile[None]}), strict=True))
        for node in nodes:
            rows = _rows(node, found[node.input[0]], tensors[node.input[1]].dims[-1])
            sums[node.output[0]] = sums[node.output[0]] + rows.T @ rows / len(tiles)
    return {name: np.asarray(total, np.float64) for name, total in sums.items()}


def _rows(node: Any, values: Any, kernel: int) -> Any:
    """Return what each output sees, [frames, inputs]; of a convolution at all steps, whatever its stride."""
    if node.op_type == "MatMul":
        return values.reshape(-1, values.shape[-1])
    frames = values.reshape(values.shape[1], -1)
    padded = np.pad(frames, [(0, 0), (kernel // 2, kernel // 2)])
    seen = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=1)  # [channels, frames, kernel]
    return seen.transpose(1, 0, 2).reshape(seen.shape[1], -1)
