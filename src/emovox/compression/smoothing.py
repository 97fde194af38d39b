"""Smoothing before quantisation: the spread of an activation's channels moves into the weights after it.

One scale must hold all channels of an activation. After a layer norm some channels are far larger than the rest, so
that most channels get few levels. Weights have a scale for each output channel and lose little. In float nothing
changes: the layer norm is divided by what the next weights are multiplied by. In the same way the map that gives the
values of attention is divided by what the map after attention is multiplied by.

Reference:
    Xiao et al., "SmoothQuant: accurate and efficient post-training quantization for large language models", ICML 2023,
    equation 4.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
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

SHARE = 0.5
"""Share of the spread, in [0, 1], that moves into the weights (alpha of the reference)."""

LEAST = 1e-5
"""Smallest spread of a channel: a channel that is always 0 divides by no less."""

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class _Group:
    """Affine maps that read one tensor, and constants that its channels [c], the last axis, can be divided by."""

    tensor: str
    readers: list[Any]
    constants: list[str]


def smoothed(proto: Any, tiles: Sequence[Samples]) -> Any:
    """Return a graph with the same outputs in float, whose layer norms and values of attention have similar channels.

    Args:
        proto: a `ModelProto` from `folded`.
        tiles: [n] float32 each; the largest value of each channel is taken from them.
    """
    made = copy.deepcopy(proto)
    groups = _groups(made)
    if not groups:
        return made
    arrays = {tensor.name: tensor for tensor in made.graph.initializer}
    peaks = _peaks(proto, [group.tensor for group in groups], tiles)
    for group in groups:
        weights = [numpy_helper.to_array(arrays[node.input[1]]) for node in group.readers]
        spread = channel_spread(peaks[group.tensor], np.max([np.abs(one).max(axis=1) for one in weights], axis=0))
        for node, weight in zip(group.readers, weights, strict=True):
            _put(arrays, node.input[1], weight * spread[:, None])
        for name in group.constants:
            _put(arrays, name, numpy_helper.to_array(arrays[name]) / spread)
    return made


def channel_spread(activations: Values, weights: Values, share: float = SHARE) -> Values:
    """Return what each channel [c] is divided by; the geometric mean is 1.

    Args:
        activations: [c] the largest absolute value of each channel.
        weights: [c] the largest absolute weight that reads it.
        share: see `SHARE`.

    >>> [round(float(one), 3) for one in channel_spread(np.array([4.0, 1.0]), np.array([1.0, 1.0]))]
    [1.414, 0.707]
    """
    spread = np.maximum(activations, LEAST) ** share / np.maximum(weights, LEAST) ** (1 - share)
    return np.asarray(spread / np.exp(np.log(spread).mean()), np.float32)


def _groups(proto: Any) -> list[_Group]:
    """Return each layer norm with the affine maps that read it, if nothing else does; likewise values of attention."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    affine = {node.output[0]: node for node in products(proto) if node.op_type == "MatMul"}
    groups = []
    for node in proto.graph.node:
        if node.op_type == "LayerNormalization":
            readers = [other for other in proto.graph.node if node.output[0] in other.input]
            if readers and all(other.output[0] in affine for other in readers):
                groups.append(_Group(node.output[0], readers, list(node.input[1:])))
    for node in affine.values():
        constants = _attention_values(proto, makers, affine, node)
        groups += [_Group(node.input[0], [node], constants)] if constants else []
    return groups


def _attention_values(proto: Any, makers: Mapping[str, Any], affine: Mapping[str, Any], node: Any) -> list[str]:
    """Return weights and bias of the map that gives the values of attention, if `node` reads their weighted means."""
    mean = _before(makers, node.input[0])
    if mean is None or mean.op_type != "MatMul" or mean.output[0] in affine:
        return []
    value, constants = _before(makers, mean.input[1]), []
    if value is not None and value.op_type == "Add":
        known = {tensor.name for tensor in proto.graph.initializer}
        constants = [name for name in value.input if name in known]
        value = next((makers[name] for name in value.input if name in affine), None)
    return [] if value is None or value.output[0] not in affine else [value.input[1], *constants]


def _before(makers: Mapping[str, Any], name: str) -> Any:
    """Return the node that computes a tensor, before changes of its shape; None: it is an input."""
    node = makers.get(name)
    while node is not None and node.op_type in ("Reshape", "Transpose"):
        node = makers.get(node.input[0])
    return node


def _peaks(proto: Any, names: Sequence[str], tiles: Sequence[Samples]) -> dict[str, Values]:
    """Return the largest absolute value of each channel [c] of tensors, over all frames of the tiles."""
    shown = copy.deepcopy(proto)
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(shown.SerializeToString(), threads=1, where=Path("smoothing"))
    rows = [
        [np.abs(values).max(axis=(0, 1)) for values in session.run(list(names), {INPUT: tile[None]})] for tile in tiles
    ]
    return {name: np.max([row[i] for row in rows], axis=0) for i, name in enumerate(names)}


def _put(arrays: Mapping[str, Any], name: str, values: Values) -> None:
    arrays[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
