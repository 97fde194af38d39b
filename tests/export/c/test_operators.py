"""Every operator in C against ONNX Runtime: all cases are one C file, compiled once."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from emovox.export.c.compiled import compiler, library
from emovox.export.c.program import Program, argument
from emovox.export.c.tensor import Array
from emovox.export.c.writer import HANDLERS, function_text, lowered, opening
from emovox.export.fixed import fixed
from emovox.schema.errors import ExportError

HERE = Path("case.onnx")
RNG = np.random.default_rng(0)
ATOL = 2e-6

Node = tuple[str, Sequence[Any], Mapping[str, Any]]


def randoms(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def whole(*values: int) -> Array:
    return np.array(values, np.int64)


class Case:
    """A chain of nodes from `x`: each takes "x", "last" (the one before), "before" (the one before that) or arrays."""

    def __init__(self, shape: Sequence[int], *nodes: Node) -> None:
        made: list[Any] = []
        constants: list[Any] = []
        for number, (kind, operands, given) in enumerate(nodes):
            names = []
            for operand in operands:
                if not isinstance(operand, str):
                    constants.append(numpy_helper.from_array(np.asarray(operand), f"c{len(constants)}"))
                names.append(self._name(operand, number) if isinstance(operand, str) else constants[-1].name)
            outputs = [f"n{number}", *(f"n{number}.{extra}" for extra in range(1, given.get("outputs", 1)))]
            attributes = {key: value for key, value in given.items() if key != "outputs"}
            made.append(helper.make_node(kind, names, outputs, **attributes))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info(f"n{len(nodes) - 1}", TensorProto.FLOAT, None)
        graph = helper.make_graph(made, "case", [x], [y], constants)
        self.x = randoms(*shape)
        self.kinds = {node.op_type for node in made}
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.proto = fixed(proto, {"x": list(shape)}, [y.name], where=HERE)
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        self.y = session.run(None, {"x": self.x})[0]

    @staticmethod
    def _name(operand: str, number: int) -> str:
        places = {"last": f"n{number - 1}", "before": f"n{number - 2}", "second": f"n{number - 1}.1"}
        return places.get(operand, operand)


def node(kind: str, *operands: Any, **attributes: Any) -> Node:
    return kind, operands, attributes


def norm(width: int) -> tuple[Any, ...]:
    return ("last", randoms(width), randoms(width), randoms(width), np.abs(randoms(width)) + 0.5)


def lstm(direction: str, n: int, features: int = 5, hidden: int = 6) -> Case:
    weights = (randoms(n, 4 * hidden, features), randoms(n, 4 * hidden, hidden), randoms(n, 8 * hidden))
    zeros = np.zeros((n, 1, hidden), np.float32)
    operands = ("x", *weights, "", zeros, zeros)
    return Case([7, 1, features], node("LSTM", *operands, direction=direction, hidden_size=hidden))


UNARY = ("Abs", "Erf", "Neg", "Reciprocal", "Relu", "Sigmoid", "Tanh")
BINARY = ("Add", "Sub", "Mul", "Div", "Max")
COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual")


@cache
def cases() -> dict[str, Case]:
    made = {kind: Case([3, 4], node(kind, "x")) for kind in UNARY}
    made |= {f"{kind} broadcast": Case([2, 3, 4], node(kind, "x", randoms(3, 1))) for kind in BINARY}
    made |= {f"{kind} number": Case([2, 3], node(kind, np.float32(0.3), "x")) for kind in BINARY}
    made |= {
        kind: Case([3, 5], node(kind, "x", randoms(3, 5)), node("Where", "last", "x", randoms(5)))
        for kind in COMPARISONS
    }
    made |= {
        "Sqrt, Log": Case([9], node("Mul", "x", "x"), node("Sqrt", "last"), node("Log", "last")),
        "And, Cast": Case(
            [3, 4],
            node("Less", "x", np.float32(0.5)),
            node("Greater", "x", np.float32(-0.5)),
            node("And", "last", "before"),
            node("Cast", "last", to=TensorProto.FLOAT),
        ),
        "Pow 2": Case([9], node("Add", "x", np.float32(1)), node("Pow", "last", np.float32(2))),
        "Pow 3": Case([3, 3], node("Pow", "x", np.float32(3))),
        "Pow 4": Case([3, 3], node("Pow", "x", np.float32(4))),
        "Clip low": Case([9], node("Clip", "x", np.float32(0.1))),
        "Clip high": Case([9], node("Clip", "x", "", np.float32(0.1))),
        "Clip both": Case([9], node("Clip", "x", np.float32(-0.4), np.float32(0.1))),
        "Reshape of a transposed tensor": Case(
            [2, 3, 4], node("Transpose", "x", perm=[2, 0, 1]), node("Reshape", "last", whole(4, -1))
        ),
        "Flatten, Unsqueeze, Squeeze": Case(
            [1, 3, 4],
            node("Flatten", "x", axis=1),
            node("Unsqueeze", "last", whole(0)),
            node("Squeeze", "last", whole(1)),
        ),
        "Slice": Case([4, 9], node("Slice", "x", whole(1, -8), whole(99, -1), whole(0, 1), whole(1, 3))),
        "Split, Concat": Case(
            [2, 5], node("Split", "x", whole(2, 3), axis=1, outputs=2), node("Concat", "second", "last", axis=1)
        ),
        "Gather one": Case([2, 3, 4], node("Gather", "x", np.array(-1), axis=1)),
        "Gather several": Case([2, 3, 4], node("Gather", "x", whole(2, 0, -2, 2), axis=1)),
        "Pad zeros": Case([2, 3], node("Pad", "x", whole(0, 2, 1, 0))),
        "Pad a number": Case([2, 3], node("Pad", "x", whole(1, 2, 1, 3), np.float32(0.7))),
        "Pad edge": Case([2, 3], node("Pad", "x", whole(1, 2, 2, 1), mode="edge")),
        "ReduceSum": Case([2, 3, 4], node("Mul", "x", randoms(4)), node("ReduceSum", "last", whole(0, 2), keepdims=0)),
        "ReduceSum of all": Case([3, 4], node("ReduceSum", "x", keepdims=1)),
        "ReduceMax": Case([2, 3, 4], node("ReduceMax", "x", axes=[-1, 1], keepdims=1)),
        "ReduceMin": Case([2, 3, 4], node("ReduceMin", "x", axes=[1], keepdims=0)),
        "ReduceMean": Case([2, 3, 4], node("ReduceMean", "x", axes=[1, 2])),
        "GlobalAveragePool": Case([1, 3, 1, 5], node("GlobalAveragePool", "x")),
        "AveragePool": Case([1, 2, 1, 9], node("AveragePool", "x", kernel_shape=[1, 3], strides=[1, 2])),
        "Softmax last": Case([2, 7], node("Softmax", "x")),
        "Softmax middle": Case([2, 7, 3], node("Softmax", "x", axis=1)),
        "CumSum": Case([2, 7, 3], node("CumSum", "x", np.int32(1))),
        "ArgMax, GatherElements": Case(
            [2, 5, 3], node("ArgMax", "x", axis=1, keepdims=1), node("GatherElements", "x", "last", axis=1)
        ),
        "Conv dense": Case([1, 6, 21], node("Conv", "x", randoms(9, 6, 5), randoms(9), pads=[2, 1], strides=[2])),
        "Conv dilated": Case(
            [1, 3, 1, 40], node("Conv", "x", randoms(5, 3, 1, 3), pads=[0, 2, 0, 2], dilations=[1, 2])
        ),
        "Conv of groups": Case([1, 6, 90], node("Conv", "x", randoms(12, 2, 3), group=3)),
        "Conv of a transposed tensor": Case(
            [1, 50, 4],
            node("Transpose", "x", perm=[0, 2, 1]),
            node("Conv", "last", randoms(20, 1, 7), group=4, strides=[3]),
        ),
        "Conv depthwise": Case([1, 6, 1, 20], node("Conv", "x", randoms(6, 1, 1, 5), pads=[0, 2, 0, 2], group=6)),
        "Conv depthwise, two rows, strided": Case(
            [1, 3, 20], node("Conv", "x", randoms(6, 1, 9), pads=[4, 4], group=3, strides=[2], dilations=[2])
        ),
        "Conv, BatchNormalization, Relu": Case(
            [1, 4, 17],
            node("Conv", "x", randoms(8, 4, 1), randoms(8)),
            node("BatchNormalization", *norm(8)),
            node("Relu", "last"),
        ),
        "Conv depthwise, BatchNormalization, Relu": Case(
            [1, 4, 17],
            node("Conv", "x", randoms(4, 1, 3), group=4),
            node("BatchNormalization", *norm(4)),
            node("Relu", "last"),
        ),
        "Conv of one column": Case([1, 33, 1, 1], node("Conv", "x", randoms(7, 33, 1, 1), randoms(7))),
        "MatMul, constants left": Case([1, 6, 30], node("MatMul", randoms(5, 6), "x")),
        "MatMul, constants right": Case([1, 30, 6], node("MatMul", "x", randoms(6, 5))),
        "MatMul, batches": Case([1, 3, 6, 30], node("MatMul", randoms(1, 3, 5, 6), "x")),
        "MatMul of a row": Case([1, 35], node("MatMul", "x", randoms(35, 6))),
        "MatMul by a vector": Case([2, 35], node("MatMul", "x", randoms(35))),
        "Gemm": Case([1, 35], node("Gemm", "x", randoms(35, 6), randoms(6))),
        "Gemm transposed, BatchNormalization": Case(
            [3, 35], node("Gemm", "x", randoms(18, 35), randoms(18), transB=1), node("BatchNormalization", *norm(18))
        ),
        "LSTM forward": lstm("forward", 1),
        "LSTM reverse": lstm("reverse", 1),
        "LSTM both": lstm("bidirectional", 2, features=9, hidden=16),
    }
    return made


def compiled(folder: Path, store: str, options: Sequence[str]) -> dict[str, Array]:
    """Return the output of every case, from one C file."""
    program, functions, arena = Program(store=store), [], 0
    for number, case in enumerate(cases().values()):
        x, y = argument("x", case.x.shape), argument("y", case.y.shape)
        function = lowered(program, case.proto, {"x": x, case.proto.graph.output[0].name: y}, where=HERE)
        body, size = function.text()
        arena = max(arena, size)
        signature = f"case{number}(const float x[{case.x.size}], float y[{case.y.size}])"
        functions += [f"void {signature};", function_text(signature, body)]
    path = folder / "cases.c"
    (folder / "cases.h").write_text("")
    first = opening({"name": "cases", "model": "cases", "arena": arena})
    path.write_text("\n".join([first, program.text(), *functions]))
    loaded, pointer = library(path, options=options), ctypes.POINTER(ctypes.c_float)
    results = {}
    for number, (name, case) in enumerate(cases().items()):
        results[name] = np.full(case.y.shape, np.nan, np.float32)
        getattr(loaded, f"case{number}")(*(one.ctypes.data_as(pointer) for one in (case.x, results[name])))
    return results


needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler 'cc' on the path")


@needs_compiler
@pytest.mark.parametrize("options", [("-O1",), ("-O1", "-DEMOVOX_PLAIN")], ids=["vectors", "plain C99"])
def test_each_operator_gives_the_numbers_of_onnx_runtime(options: Sequence[str], tmp_path: Path) -> None:
    results = compiled(tmp_path, "half", options)
    for name, case in cases().items():
        np.testing.assert_allclose(results[name], case.y, rtol=ATOL, atol=10 * ATOL, err_msg=name)


def test_no_operator_is_left_out() -> None:
    tested = set().union(*(case.kinds for case in cases().values()))
    assert tested >= set(HANDLERS)


def test_what_has_no_c_code_is_named_with_its_layer() -> None:
    refused = {
        "operator Sin of layer 'n0' has no C code": Case([3], node("Sin", "x")),
        "its step is -1, expected at least 1": Case([4], node("Slice", "x", whole(-1), whole(-5), whole(0), whole(-1))),
        "mode 'reflect'": Case([4], node("Pad", "x", whole(1, 1), mode="reflect")),
        r"its kernel is \[3, 3\]": Case([1, 1, 5, 5], node("Conv", "x", randoms(1, 1, 3, 3))),
        "its batch is 2, expected 1": Case([2, 1, 5], node("Conv", "x", randoms(1, 1, 3))),
        "it multiplies two computed matrices": Case([3, 3], node("MatMul", "x", "x")),
        "it has alpha, beta or transA": Case([1, 3], node("Gemm", "x", randoms(3, 2), alpha=2.0)),
        "it is exclusive or reverse": Case([3], node("CumSum", "x", np.int32(0), reverse=1)),
        "its exponent is 0.5, expected 2, 3 or 4": Case([3], node("Pow", "x", np.float32(0.5))),
        "it casts to integers": Case([3], node("Cast", "x", to=TensorProto.INT64), node("Cast", "last", to=1)),
    }
    for message, case in refused.items():
        x, y = argument("x", case.x.shape), argument("y", case.y.shape)
        with pytest.raises(ExportError, match=message):
            lowered(Program(), case.proto, {"x": x, case.proto.graph.output[0].name: y}, where=HERE)


def test_a_shape_that_depends_on_the_input_is_refused() -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["places"], name="places")]
    nodes.append(helper.make_node("Cast", ["places"], ["y"], to=TensorProto.FLOAT))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    proto = helper.make_model(helper.make_graph(nodes, "case", [x], [y]), opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(ExportError, match="the shape of 'places', from NonZero, depends on the input"):
        fixed(proto, {"x": [4]}, ["y"], where=HERE)


@needs_compiler
def test_weights_of_8_bits_come_close(tmp_path: Path) -> None:
    results = compiled(tmp_path, "int8", ("-O1",))
    for name, case in cases().items():
        np.testing.assert_allclose(results[name], case.y, atol=0.05 * np.abs(case.y).max(), err_msg=name)
    changed = [name for name, case in cases().items() if np.abs(results[name] - case.y).max() > 1e-4]
    assert set(changed) == {"Conv dense", "Gemm transposed, BatchNormalization", "LSTM both"}
