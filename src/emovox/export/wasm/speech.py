"""The network that finds speech as a graph of one chunk, with its state as a plain input and output.

The shipped graph takes any number of chunks, and its LSTM carries the state. A page asks chunk by chunk. So here the
LSTM is written as the products and gates of one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from emovox.export.c.tensor import Array
from emovox.runtime.speech_network import NETWORK

CHUNK, STATE = 576, 256
"""Samples of a chunk, the first 64 of which are the end of the chunk before; and numbers of the state: h, then c."""

CHUNK_INPUT, STATE_INPUT, ANSWER = "chunk", "state", "answer"
"""Names of the inputs and of the output."""

_HIDDEN, _EDGE = 128, 128

BASIS = "basis"
"""Name in basis.c of the first weights of the network: a Fourier transform of `_WINDOW` samples."""

_WINDOW = 256


def basis() -> Array:
    """Return the weights [1, 258, 256] that basis.c computes: cosines and negative sines under a Hann window.

    Source: the network's own are equal to them within 1e-7.
    """
    n = np.arange(_WINDOW)
    turn = 2 * np.pi * np.arange(_WINDOW // 2 + 1)[:, None] * n / _WINDOW
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / _WINDOW)
    return np.concatenate([hann * np.cos(turn), -hann * np.sin(turn)])[None]


def speech_step() -> Any:
    """Return the graph from `chunk` [1, 576] and `state` [1, 256] to `answer` [1, 257]: probability, then the state."""
    proto = onnx.load(str(files("emovox") / "runtime" / "silero" / NETWORK))
    graph, step = proto.graph, _Step(proto.graph)
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "Pad":
            edges = np.pad(np.arange(CHUNK), _EDGE, mode="reflect")
            nodes.append(step.node("Gather", [CHUNK_INPUT, step.constant("edges", edges)], node.output, axis=1))
        elif node.op_type == "Pow":  # of 2
            nodes.append(step.node("Mul", [node.input[0]] * 2, node.output))
        elif node.op_type == "LSTM":
            nodes += step.lstm(node)
        else:
            nodes.append(node)
    nodes.append(step.node("Reshape", ["speech_probs", step.constant("one", np.array([1, 1]))], ["probability"]))
    nodes.append(step.node("Concat", ["probability", "hidden", "cell"], [ANSWER], axis=1))
    _replace(graph.node, nodes)
    _replace(graph.input, [_float(CHUNK_INPUT, CHUNK), _float(STATE_INPUT, STATE)])
    _replace(graph.output, [_float(ANSWER, 1 + STATE)])
    return proto


class _Step:
    """Makes nodes and constants whose names are free in the graph."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), f"step.{name}"))
        return f"step.{name}"

    def node(self, kind: str, inputs: Iterable[str], outputs: Iterable[str], **attributes: Any) -> Any:
        made = list(outputs)
        return helper.make_node(kind, list(inputs), made, name=f"/step/{made[0]}", **attributes)

    def lstm(self, node: Any) -> list[Any]:
        """Return one step of an LSTM from `state` to `hidden` and `cell`; gates are input, output, forget, cell."""
        inputs, recurrent, biases = (self._arrays[name][0] for name in node.input[1:4])
        halves = [self.constant(f"half{index}", np.array([_HIDDEN * index])) for index in range(3)]
        axis = self.constant("axis", np.array([1]))
        gates, names = ["i", "o", "f", "g"], ["input_gate", "output_gate", "forget_gate", "new_cell"]
        return [
            self.node("Reshape", [node.input[0], self.constant("row", np.array([1, _HIDDEN]))], ["x"]),
            self.node("Slice", [STATE_INPUT, halves[0], halves[1], axis], ["h"]),
            self.node("Slice", [STATE_INPUT, halves[1], halves[2], axis], ["c"]),
            self.node("MatMul", ["x", self.constant("w", inputs.T)], ["wx"]),
            self.node("MatMul", ["h", self.constant("r", recurrent.T)], ["rh"]),
            self.node("Add", ["wx", "rh"], ["products"]),
            self.node("Add", ["products", self.constant("b", biases.reshape(2, -1).sum(axis=0)[None])], ["gates"]),
            self.node("Split", ["gates", self.constant("sizes", np.array([_HIDDEN] * 4))], gates, axis=1),
            *(self.node("Sigmoid", [gate], [name]) for gate, name in zip(gates[:3], names[:3], strict=True)),
            self.node("Tanh", ["g"], ["new_cell"]),
            self.node("Mul", ["forget_gate", "c"], ["kept"]),
            self.node("Mul", ["input_gate", "new_cell"], ["added"]),
            self.node("Add", ["kept", "added"], ["cell"]),
            self.node("Tanh", ["cell"], ["bounded"]),
            self.node("Mul", ["output_gate", "bounded"], ["hidden"]),
            self.node("Reshape", ["hidden", self.constant("y", np.array([1, 1, 1, _HIDDEN]))], [node.output[0]]),
        ]


def _float(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])


def _replace(field: Any, values: list[Any]) -> None:
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)
