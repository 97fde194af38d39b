"""Write the two networks of the face path as ONNX files, from the weights of the npm package @vladmandic/face-api.

    npm pack @vladmandic/face-api@1.7.15
    python -m publish.face vladmandic-face-api-1.7.15.tgz

The weights stay the 8-bit numbers of the package; ONNX Runtime expands them once, when it loads a graph. What a browser
does before and after a network is inside the graph, where it needs no size of an image: the mean colour and, for the
expression, the softmax.
"""

from __future__ import annotations

import argparse
import hashlib
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper

from emovox.fusion.face import networks
from emovox.schema.errors import ExportError
from emovox.schema.files import write_whole

PACKAGE_SHA256 = "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031"
"""SHA-256 of vladmandic-face-api-1.7.15.tgz, as the registry of npm gives it."""

FOLDER = Path(__file__).parent.parent / "src" / "emovox" / "runtime" / "face"

DETECTOR_MEAN = (117.001, 114.697, 97.404)
EXPRESSION_MEAN = (122.782, 117.001, 104.298)
"""Mean colours (red, green, blue; 0 to 255) that the networks were trained with."""

LEAK = 0.1
"""Slope of the detector's activations below 0."""

OPSET, IR_VERSION = 17, 8
"""Versions that ONNX Runtime 1.18 reads, and that of a browser."""


class StoredWeights(NamedTuple):
    """A tensor of the package: its numbers as stored, and value = scale · (number − zero)."""

    numbers: npt.NDArray[Any]
    scale: float | None
    zero: int


class _Graph:
    """A graph under construction; each method adds nodes and returns the name of their output."""

    def __init__(self, weights: dict[str, StoredWeights]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, name: str, axes: tuple[int, ...] | None = None) -> str:
        """Add a stored tensor, with its axes in the order of ONNX."""
        numbers, scale, zero = self.weights[name]
        numbers = np.ascontiguousarray(numbers if axes is None else numbers.transpose(axes))
        if scale is None:
            return self.constant(name, numbers)
        stored = self.constant(f"{name}.stored", numbers)
        number = self.add("Cast", [stored], to=TensorProto.FLOAT)
        centred = self.add("Sub", [number, self.constant(f"{name}.zero", np.float32(zero))])
        return self.add("Mul", [centred, self.constant(f"{name}.scale", np.float32(scale))], name)

    def image(self, name: str, mean: Sequence[float]) -> str:
        """Add the steps from an image [batch, height, width, 3] in bytes to [batch, 3, height, width] about 0."""
        number = self.add("Cast", [name], to=TensorProto.FLOAT)
        centred = self.add("Sub", [number, self.constant("mean", np.array(mean, np.float32))])
        scaled = self.add("Div", [centred, self.constant("range", np.float32(255))])
        return self.add("Transpose", [scaled], perm=[0, 3, 1, 2])

    def convolve(self, inputs: str, layer: str, **attributes: Any) -> str:
        """Add a plain convolution with its bias."""
        filters = self.weight(f"{layer}/filters", (3, 2, 0, 1))
        return self.add("Conv", [inputs, filters, self.weight(f"{layer}/bias")], **attributes)

    def separable(self, inputs: str, layer: str, **attributes: Any) -> str:
        """Add a depthwise and a pointwise convolution, and the bias."""
        channels = self.weights[f"{layer}/depthwise_filter"].numbers.shape[2]
        depthwise = self.weight(f"{layer}/depthwise_filter", (2, 3, 0, 1))
        inner = self.add("Conv", [inputs, depthwise], group=channels, **attributes)
        return self.add(
            "Conv", [inner, self.weight(f"{layer}/pointwise_filter", (3, 2, 0, 1)), self.weight(f"{layer}/bias")]
        )

    def total(self, *inputs: str) -> str:
        return self.add("Relu", [self.add("Sum", inputs) if len(inputs) > 1 else inputs[0]])

    def block(self, inputs: str, block: str, *, first: bool) -> str:
        """Add a dense block of four layers: each takes the sum of those before it."""
        half = {"strides": [2, 2], "auto_pad": "SAME_UPPER"}
        layer = self.convolve if first else self.separable
        one = self.total(layer(inputs, f"{block}/conv0", **half))
        two = self.separable(one, f"{block}/conv1", auto_pad="SAME_UPPER")
        three = self.separable(self.total(one, two), f"{block}/conv2", auto_pad="SAME_UPPER")
        four = self.separable(self.total(one, two, three), f"{block}/conv3", auto_pad="SAME_UPPER")
        return self.total(one, two, three, four)

    def file(self, name: str, size: int, outputs: dict[str, list[str | int]]) -> bytes:
        """Return the graph as a file; its input is `image` [batch, size, size, 3] in bytes."""
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", size, size, 3])
        described = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, name, [image], described, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def detector(weights: dict[str, StoredWeights]) -> bytes:
    """Return the detector as an ONNX file: image → cells [batch, 25, 7, 7], five numbers for each of five anchors."""
    graph = _Graph(weights)
    out = graph.convolve(graph.image("image", DETECTOR_MEAN), "conv0")
    for number in range(6):
        if number:
            out = graph.separable(out, f"conv{number}", pads=[1, 1, 1, 1])
        out = graph.add("LeakyRelu", [out], alpha=LEAK)
        stride = 1 if number == 5 else 2
        out = graph.add("MaxPool", [out], kernel_shape=[2, 2], strides=[stride, stride], auto_pad="SAME_UPPER")
    graph.add("Identity", [graph.convolve(out, "conv8")], "cells")
    return graph.file("face_detector", networks.DETECTOR_SIZE, {"cells": ["batch", 25, 7, 7]})


def expression(weights: dict[str, StoredWeights]) -> bytes:
    """Return the expression network: image → log_scores [batch, 7] and embedding [batch, 256]."""
    graph = _Graph(weights)
    out = graph.image("image", EXPRESSION_MEAN)
    for number in range(4):
        out = graph.block(out, f"dense{number}", first=number == 0)
    pooled = graph.add("AveragePool", [out], kernel_shape=[7, 7], strides=[2, 2])
    graph.add("Flatten", [pooled], "embedding")
    logits = graph.add("Gemm", ["embedding", graph.weight("fc/weights"), graph.weight("fc/bias")])
    graph.add("LogSoftmax", [logits], "log_scores", axis=1)
    outputs: dict[str, list[str | int]] = {"log_scores": ["batch", 7], "embedding": ["batch", 256]}
    return graph.file("face_expression", networks.EXPRESSION_SIZE, outputs)


def read_weights(manifest: bytes, data: bytes) -> dict[str, StoredWeights]:
    """Return the tensors of a model of TensorFlow.js by name.

    Args:
        manifest: JSON: name, shape and quantisation of each tensor, in the order of `data`.
        data: the numbers, 8-bit where the manifest says so, else float32.
    """
    found, position = {}, 0
    for group in msgspec.json.decode(manifest):
        for entry in group["weights"]:
            about = entry.get("quantization")
            kind = np.dtype("uint8" if about else "float32")
            count = int(np.prod(entry["shape"]))
            numbers = np.frombuffer(data, kind, count, position).reshape(entry["shape"])
            zero = round(-about["min"] / about["scale"]) if about else 0
            found[entry["name"]] = StoredWeights(numbers, about["scale"] if about else None, zero)
            position += count * kind.itemsize
    if position != len(data):
        raise ExportError(f"got {len(data)} bytes of weights, expected the {position} of the manifest")
    return found


def convert(package: Path, folder: Path = FOLDER) -> dict[str, str]:
    """Write both networks and the licence of the package into a folder, and return the SHA-256 of each network.

    Raises:
        ExportError: `package` is not the expected version.
    """
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    if digest != PACKAGE_SHA256:
        raise ExportError(f"{package}: sha256 is {digest[:12]}…, expected {PACKAGE_SHA256[:12]}…; get version 1.7.15")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as archive:

        def member(name: str) -> bytes:
            found = archive.extractfile(f"package/{name}")
            assert found is not None  # the hash says that it is there
            return found.read()

        def weights(name: str) -> dict[str, StoredWeights]:
            return read_weights(member(f"model/{name}-weights_manifest.json"), member(f"model/{name}.bin"))

        graphs = {
            networks.DETECTOR: detector(weights("tiny_face_detector_model")),
            networks.EXPRESSION: expression(weights("face_expression_model")),
        }
        write_whole(folder / "LICENSE", member("LICENSE"))
    for name, graph in graphs.items():
        write_whole(folder / name, graph)
    return {name: hashlib.sha256(graph).hexdigest() for name, graph in graphs.items()}


def main() -> None:
    """Write the files and print their hashes, which belong into emovox/fusion/face/networks.py."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="vladmandic-face-api-1.7.15.tgz")
    for name, digest in convert(parser.parse_args().package).items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    main()
