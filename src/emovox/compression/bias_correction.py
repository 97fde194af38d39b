"""Biases that take back what rounding shifts: the mean output of each product stays that of the float graph.

Statistics are means over time, so errors of single frames average out, and a shift of a channel remains. It is known
from the calibration: mean(x) W - mean(Q(x)) Q(W), where Q rounds.

Reference:
    Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.2.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from emovox.audio.types import Samples
from emovox.compression.folding import products
from emovox.runtime.graph_check import INPUT
from emovox.runtime.session import open_session

Values = npt.NDArray[np.floating]

REDUCED, FULL = 64, 127
"""Largest level of a weight with 7 and with 8 bits."""


@dataclass(frozen=True, eq=False)
class _Input:
    """Mean over all frames of the channels [c] of a tensor, in float and rounded to 8 bits."""

    mean: Values
    rounded: Values


def corrected(proto: Any, tiles: Sequence[Samples], *, reduced: bool, symmetric: bool) -> Any:
    """Return a graph whose biases make up for the mean error of INT8; products without a bias stay as they are.

    Args:
        proto: a `ModelProto` from `folded`.
        tiles: [n] float32 each, that give the ranges and the means.
        reduced: whether weights have 7 bits.
        symmetric: whether activations have the zero point 0.
    """
    made = copy.deepcopy(proto)
    arrays = {tensor.name: tensor for tensor in made.graph.initializer}
    inputs = _inputs(proto, tiles, symmetric=symmetric)
    levels = REDUCED if reduced else FULL
    for node in products(made):
        bias = _bias(made, node, arrays)
        weight = numpy_helper.to_array(arrays[node.input[1]])
        channels = weight.T if node.op_type == "MatMul" else weight
        shift = _shift(channels, inputs[node.input[0]], levels) if bias else None
        if shift is not None:
            values = (numpy_helper.to_array(arrays[bias]) + shift).astype(np.float32)
            arrays[bias].CopyFrom(numpy_helper.from_array(values, bias))
    return made


def _shift(weight: Values, given: _Input, levels: int) -> Values | None:
    """Return the mean of the float output minus that of the rounded one, [outputs]; None: a grouped convolution.

    Args:
        weight: [outputs, inputs, …].
        given: the input.
        levels: largest level of a weight.
    """
    flat = weight.reshape(len(weight), -1)
    step = np.maximum(np.abs(flat).max(axis=1, keepdims=True), 1e-12) / levels
    rounded = (np.round(flat / step) * step).reshape(weight.shape)
    taps = [one.reshape(*weight.shape[:2], -1).sum(axis=2) for one in (weight, rounded)]
    if weight.shape[1] == 1 and len(given.mean) == len(weight):  # each channel on its own
        return np.asarray(taps[0][:, 0] * given.mean - taps[1][:, 0] * given.rounded)
    if weight.shape[1] != len(given.mean):
        return None
    return np.asarray(taps[0] @ given.mean - taps[1] @ given.rounded)


def _bias(proto: Any, node: Any, arrays: dict[str, Any]) -> str:
    """Return the name of the bias of a product; "": it has none of its own."""
    if node.op_type != "MatMul":
        return node.input[2] if len(node.input) > 2 else ""
    readers = [other for other in proto.graph.node if node.output[0] in other.input]
    added = [other for other in readers if other.op_type == "Add"]
    names = [name for other in added for name in other.input if name in arrays]
    uses = sum(list(other.input).count(name) for other in proto.graph.node for name in names)
    return names[0] if len(readers) == len(names) == uses == 1 else ""


def _inputs(proto: Any, tiles: Sequence[Samples], *, symmetric: bool) -> dict[str, _Input]:
    """Return the means of the inputs of all products, over two passes: ranges, then means."""
    nodes = {node.input[0]: node for node in products(proto)}
    names = list(nodes)
    shown = copy.deepcopy(proto)
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(shown.SerializeToString(), threads=1, where=Path("bias correction"))
    low, high = np.zeros(len(names)), np.zeros(len(names))
    for tile in tiles:
        found = session.run(names, {INPUT: tile[None]})
        low = np.minimum(low, [one.min() for one in found])
        high = np.maximum(high, [one.max() for one in found])
    sums: dict[str, list[Values]] = {name: [] for name in names}
    for tile in tiles:
        for i, values in enumerate(session.run(names, {INPUT: tile[None]})):
            channel = values.ndim - 1 if nodes[names[i]].op_type == "MatMul" else 1
            others = tuple(axis for axis in range(values.ndim) if axis != channel)
            levels = _levels(values, float(low[i]), float(high[i]), symmetric=symmetric)
            sums[names[i]].append(np.stack([values.mean(axis=others), levels.mean(axis=others)]))
    return {name: _Input(*np.mean(rows, axis=0)) for name, rows in sums.items()}


def _levels(values: Values, low: float, high: float, *, symmetric: bool) -> Values:
    """Return values rounded to 8 bits of a range."""
    if symmetric:
        step = max(-low, high, 1e-12) / FULL
        return np.asarray(np.round(values / step) * step)
    step = max(high - low, 1e-12) / 255
    zero = round(-low / step)
    return np.asarray((np.clip(np.round(values / step) + zero, 0, 255) - zero) * step)
