"""Post-training quantisation to INT8 (static, with QuantizeLinear and DequantizeLinear around each product).

Recipe, from measurements (docs/compression.md): layer norms smoothed, biases corrected, ranges by minimum and maximum
over calibration clips; convolutions and affine maps of the encoder, one scale per output channel; front end and head in
float.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from emovox.audio.types import Samples
from emovox.compression.bias_correction import corrected
from emovox.compression.folding import keep_unused, products
from emovox.compression.smoothing import smoothed
from emovox.compression.storage import store_compactly
from emovox.runtime.graph_check import INPUT
from emovox.runtime.session import NO_LOG
from emovox.schema.errors import CompressionError


@dataclass(frozen=True)
class Target:
    """What will run the file.

    Attributes:
        activations: type of the activations; weights are signed bytes.
        reduce_range: whether weights use 7 bits: without VNNI the sum of two products of 8 bits saturates at 16 bits.
        symmetric: whether zero points are 0, which TensorRT requires.
        compact: whether the other constants are stored as 16-bit integers or halves, which TensorRT lacks.
    """

    activations: Any
    reduce_range: bool
    symmetric: bool
    compact: bool


TARGETS: Mapping[str, Target] = {
    "cpu": Target(QuantType.QUInt8, reduce_range=True, symmetric=False, compact=True),
    "tensorrt": Target(QuantType.QInt8, reduce_range=False, symmetric=True, compact=False),
}
"""By the name in `--target`: `cpu` is for ONNX Runtime and WebAssembly."""

LOG_WARNINGS = 2
"""ONNX Runtime's default log level."""

_AS_LEARNT = {"QDQDisableWeightAdjustForInt32Bias": True}
"""Options that keep learnt scales of weights as they are."""

Overrides = Mapping[str, list[dict[str, Any]]]
"""Scales and zero points by tensor, as ONNX Runtime's `TensorQuantOverrides`."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, tiles: Sequence[Samples]) -> None:
        self._rows: Iterator[dict[str, Samples]] = iter([{INPUT: tile[None]} for tile in tiles])

    def get_next(self) -> dict[str, Samples] | None:
        """Return the inputs of the next tile; None after the last."""
        return next(self._rows, None)


def quantised(proto: Any, tiles: Sequence[Samples], target: Target, overrides: Overrides | None = None) -> Any:
    """Return a graph whose encoder computes in INT8.

    Args:
        proto: a `ModelProto` from `folded`.
        tiles: [n] float32 each; they give the ranges of the activations.
        target: what will run the file.
        overrides: scales that were learnt, in place of those of the tiles; the graph is then smoothed already.

    Raises:
        CompressionError: the graph has no product to quantise.
    """
    names = {node.name for node in products(proto)}
    if not names:
        raise CompressionError(
            "the model has no convolution or affine map between front end and statistics, expected a network such as "
            "mobile, hybrid or accurate"
        )
    if not overrides:
        proto = smoothed(proto, tiles)
        proto = corrected(proto, tiles, reduced=target.reduce_range, symmetric=target.symmetric)
    rest = [node.name for node in proto.graph.node if node.name not in names]
    with tempfile.TemporaryDirectory() as folder, _silent():
        source, path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(proto, source)
        quantize_static(
            source,
            path,
            _Reader(tiles),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            nodes_to_quantize=sorted(names),
            nodes_to_exclude=rest,
            activation_type=target.activations,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=target.reduce_range,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": target.symmetric,
                "WeightSymmetric": True,
                "QuantizeBias": not target.symmetric,  # TensorRT takes no integers of 32 bits here
                "OpTypesToExcludeOutputQuantization": ["MatMul"],  # its sum goes on in float, for nothing
                **({"TensorQuantOverrides": dict(overrides), **_AS_LEARNT} if overrides else {}),
            },
        )
        made = onnx.load(path)
    del made.metadata_props[:]
    keep_unused(proto, made)
    for node in made.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.ClearField("name")  # a tenth of the file, and the tensors have names too
    store_compactly(made, integers=target.compact)
    return made


@contextmanager
def _silent() -> Iterator[None]:
    """Hide the advice of ONNX Runtime's tool: what it advises is done before."""
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(NO_LOG)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(LOG_WARNINGS)
        logging.disable(logging.NOTSET)
