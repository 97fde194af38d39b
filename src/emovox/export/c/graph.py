"""A fixed graph read for the C file: shapes, constants, and how often each tensor is used."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper, numpy_helper

from emovox.export.c.loops import Call, Expression, Leaf, Number, assign, leaves
from emovox.export.c.program import Function, Program
from emovox.export.c.tensor import Array, Step, Tensor
from emovox.schema.errors import ExportError

FRONT_END = "/front_end/"
"""Part of the names of tensors of the front end; its matrices need more than 8 bits."""

Handler = Callable[["Lowering", Any], None]


class Lowering:
    """Turns the nodes of a graph into steps of a C function.

    A tensor is either in memory, or an expression of its elements that a later loop computes where it is used.

    Args:
        program: the C file.
        proto: a `ModelProto` of `emovox.export.fixed.fixed`.
        arguments: tensor of each input and each output.
        where: file of the graph, for messages.
    """

    def __init__(self, program: Program, proto: Any, arguments: Mapping[str, Tensor], *, where: Path) -> None:
        self.program, self.function, self.where = program, Function(program), where
        graph = proto.graph
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._kinds = {value.name: value.type.tensor_type for value in [*graph.value_info, *graph.input, *graph.output]}
        self._uses = Counter(name for node in graph.node for name in node.input if name)
        self._readers = {name: node for node in graph.node for name in node.input}
        self._memory = {value.name: arguments[value.name] for value in graph.input}
        self._lazy: dict[str, Expression] = {}
        self._skipped: set[str] = set()
        self._targets = {value.name: arguments[value.name] for value in graph.output}
        self._uses.update(list(self._targets))

    def run(self, nodes: list[Any], handlers: Mapping[str, Handler]) -> Function:
        """Lower nodes in this order, and write each output as soon as it is known.

        Raises:
            ExportError: there is no handler for an operator, or the handler does not take its attributes.
        """
        for node in nodes:
            if node.output[0] in self._skipped:
                continue
            if node.op_type not in handlers:
                raise self.refused(node, "take a model without it, such as mobile or hybrid, or run it by ONNX Runtime")
            handlers[node.op_type](self, node)
            self._write_outputs()
        return self.function

    def _write_outputs(self) -> None:
        for name in [one for one in self._targets if one in self._memory or one in self._lazy]:
            target = self._targets.pop(name)
            self.add(assign(target, self.expression(name, target.shape)))

    def refused(self, node: Any, reason: str) -> ExportError:
        """Return the error of a node that C code cannot be written for."""
        layer = node.name or node.output[0]
        return ExportError(f"{self.where}: operator {node.op_type} of layer '{layer}' has no C code: {reason}")

    def add(self, step: Step) -> None:
        """Append a step."""
        self.function.steps.append(step)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        if name in self._constants:
            return tuple(self._constants[name].shape)
        return tuple(size.dim_value for size in self._kinds[name].shape.dim)

    def is_float(self, name: str) -> bool:
        """Return whether a tensor has floats; integers and truth values are floats in C too."""
        if name in self._constants:
            return bool(self._constants[name].dtype.kind == "f")
        return bool(self._kinds[name].elem_type == TensorProto.FLOAT)

    def is_constant(self, name: str) -> bool:
        """Return whether a tensor is in the file."""
        return name in self._constants

    def is_used(self, name: str) -> bool:
        """Return whether a node reads a tensor, or it is an output."""
        return bool(name) and self._uses[name] > 0

    def array(self, node: Any, number: int) -> Array:
        """Return the constant that a node takes as its operand of this number.

        Raises:
            ExportError: it is missing, or computed.
        """
        name = node.input[number] if number < len(node.input) else ""
        if name not in self._constants:
            raise self.refused(node, f"input {number} is computed, expected a constant")
        return self._constants[name]

    def integers(self, node: Any, number: int, default: list[int]) -> list[int]:
        """Return an optional constant of integers."""
        given = number < len(node.input) and node.input[number]
        return [int(value) for value in self.array(node, number).ravel()] if given else default

    def tensor(self, name: str) -> Tensor:
        """Return a tensor in memory; it is computed now if it was not yet."""
        if name in self._constants:
            return self.program.constant(self._constants[name])
        if name not in self._memory:
            made = self.function.buffer(self.shape(name))
            self.add(assign(made, self._lazy.pop(name)))
            self._memory[name] = made
        return self._memory[name]

    def expression(self, name: str, shape: tuple[int, ...]) -> Expression:
        """Return the elements of a tensor, repeated to a shape by the rules of broadcasting."""
        if name in self._constants and self._constants[name].size == 1:
            return Number(float(self._constants[name].ravel()[0]))
        if name in self._lazy and self._uses[name] == 1 and self.shape(name) == shape:
            return self._lazy.pop(name)
        return Leaf(self.tensor(name).spread(shape))

    def compute(self, node: Any, text: str, names: list[str]) -> None:
        """Let the output of a node be an operation on the elements of its operands."""
        shape = self.shape(node.output[0])
        operands = tuple(self.expression(name, shape) for name in names)
        for kernel in ("larger", "smaller"):
            if f"{kernel}(" in text:
                self.program.use(kernel)
        self.set(node.output[0], Call(text, operands))

    def set(self, name: str, value: Tensor | Expression) -> None:
        """Give a tensor its place, or its expression, which is computed at once if several nodes use it."""
        if isinstance(value, Tensor):
            self._memory[name] = value
            return
        self._lazy[name] = value
        if self._uses[name] > 1 or len(list(leaves(value))) > MOST_LEAVES:
            self.tensor(name)

    def viewed(self, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return a tensor in another shape; it is copied if its elements lie in another order."""
        view = tensor.reshaped(shape)
        if view is None:
            copy = self.function.buffer(tensor.shape)
            self.add(assign(copy, Leaf(tensor)))
            view = copy.seen(copy.array.reshape(shape))
        return view

    def made(self, name: str) -> Tensor:
        """Return new memory for the output of a node."""
        self._memory[name] = self.function.buffer(self.shape(name))
        return self._memory[name]

    def next(self, name: str, kind: str) -> Any | None:
        """Return the node that alone uses a tensor, if it is of this operator and reads it first."""
        node = self._readers.get(name)
        alone = node is not None and self._uses[name] == 1 and node.op_type == kind and node.input[0] == name
        return node if alone else None

    def skip(self, node: Any) -> None:
        """Lower no more a node that another one computes."""
        self._skipped.add(node.output[0])


MOST_LEAVES = 8
"""Operands in one loop, above which an expression is computed before its use."""


def attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def in_depth(proto: Any) -> list[Any]:
    """Return the nodes of a graph in an order that keeps few tensors alive.

    Each branch ends before the next begins, and the branch that needs the most memory comes first (Sethi and Ullman,
    The generation of optimal code for arithmetic expressions, JACM 1970).
    """
    makers = {name: node for node in proto.graph.node for name in node.output if name}
    sizes = {
        value.name: math.prod(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in [*proto.graph.value_info, *proto.graph.output]
    }
    needs: dict[str, int] = {}
    for node in proto.graph.node:  # in order of computation
        held, most = 0, 0
        for name in _branches(node, makers, needs):
            most, held = max(most, held + needs[name]), held + sizes[name]
        need = max(most, held + sum(sizes[name] for name in node.output if name))
        needs.update(dict.fromkeys(node.output, need))
    ordered: list[Any] = []
    seen: set[str] = set()
    stack = [(makers[value.name], False) for value in proto.graph.output]  # the last one is computed first
    while stack:
        node, entered = stack.pop()
        if entered:
            ordered.append(node)
        elif node.output[0] not in seen:
            seen.add(node.output[0])
            stack.append((node, True))
            stack.extend((makers[name], False) for name in reversed(_branches(node, makers, needs)))
    return ordered


def _branches(node: Any, makers: Mapping[str, Any], needs: Mapping[str, int]) -> list[str]:
    """Return the computed inputs of a node, the one that needs the most memory first."""
    return sorted({name for name in node.input if name in makers}, key=lambda name: (-needs[name], name))
