"""Write a network as one ONNX file with its card, and check that their scores are equal."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxslim
import torch
from onnx import TensorProto, helper, numpy_helper

from emovox.adaptation.estimator import Adaptation
from emovox.adaptation.parameters import to_arrays
from emovox.audio.types import Samples
from emovox.export.output import model_files
from emovox.models.network import Recogniser
from emovox.runtime.golden import FORMULA, golden_input
from emovox.runtime.graph_check import INPUT, OUTPUTS
from emovox.runtime.model import Model
from emovox.runtime.model_head import SPEAKER_INPUTS
from emovox.schema.card import METADATA_KEY, Golden, ModelCard, embedded_card
from emovox.schema.errors import ExportError

OPSET = 17
"""ONNX opset version: it runs in ONNX Runtime 1.13 and later, and in the browser's build."""

PARITY = 5e-3
"""Largest difference of a probability between graph and network, from another order of float32 sums. The shipped models
reach 2e-4. An SVM that learned from 48 clips reaches 1e-3: the inputs of the check lie far from all of them. A value
that the tracer freezes gives a difference ten times as large as the limit."""

GOLDEN_SECONDS = 3.0
"""Length of the golden input in seconds: one window."""

GOLDEN_TOLERANCE = 2e-3
"""Tolerance of the golden scores: other processors order float32 sums differently; a wrong front end differs more."""

SMALL = 1024
"""Size of a tensor below which half precision saves too little for a cast."""

CHANNELS = 16
"""Block of channels: ONNX Runtime's fast convolutions take blocks of 8 (AVX, AVX2) or 16 (AVX-512)."""

PARITY_SECONDS = (0.3, 1.0, 3.0, 4.5, 10.0)
"""Lengths in seconds at which graph and network are compared."""


def export(network: Recogniser, card: ModelCard, folder: Path, *, adaptation: Adaptation | None = None) -> Path:
    """Write `<name>.onnx` and `<name>.json`.

    Weights that were rounded to half precision are stored in half precision.

    Args:
        network: the network with its final weights.
        card: the card without `sha256` and `golden`, which are filled in here.
        folder: folder of the files, made if it does not exist. Files of the same name are replaced after the check.
        adaptation: parameters that adapt the model to a voice; None: it cannot adapt.

    Returns:
        The path of the .onnx file.

    Raises:
        ExportError: the scores of the graph differ from those of the network.
        ConfigError: a file cannot be written.
    """
    network = network.eval()
    seconds = np.array(golden_input(seconds=GOLDEN_SECONDS, sample_rate=card.sample_rate))
    golden = Golden(FORMULA, GOLDEN_SECONDS, _scores(network, seconds), GOLDEN_TOLERANCE)
    card = msgspec.structs.replace(card, sha256="", golden=golden)
    graph = to_onnx(network, labels=card.labels, metadata=embedded_card(card), adaptation=adaptation)
    card = msgspec.structs.replace(card, sha256=hashlib.sha256(graph).hexdigest())
    target = folder / f"{card.name}.onnx"
    with model_files(target, graph, card) as draft:
        check_parity(network, Model.load(draft))
    return target


def to_onnx(
    network: Recogniser,
    *,
    labels: Sequence[str],
    metadata: str,
    adaptation: Adaptation | None = None,
) -> bytes:
    """Trace a network into the bytes of an ONNX file; a caller may override the speaker statistics, which are inputs.

    Two thirds of the tracer's nodes only forward constants and shapes, and ONNX Runtime removes them at every load.
    Without them `mobile` loads in 16 ms instead of 31, and 3 s take 3 % less.

    Args:
        network: see `export`.
        labels: labels in order; their number is the fixed width of `scores`.
        metadata: the copy of the card in the graph.
        adaptation: parameters that adapt the model to a voice; no node uses them.

    Returns:
        A graph with the inputs samples [batch, n], speaker_mean and speaker_scale [1 or batch, p], the latter two
        with the training set's [1, p] as defaults, and with the outputs `OUTPUTS`.
    """
    example = torch.from_numpy(golden_input(seconds=1.0, sample_rate=16000))[None]
    mean, scale = network.mean[None], network.scale[None]
    names = {INPUT: {0: "batch", 1: "n"}, **{name: {0: "profiles"} for name in SPEAKER_INPUTS}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The tracer is deprecated and warns about sizes that it takes as constants; parity is checked at five lengths.
        # The graph of the newer exporter is not faster, takes 20 s instead of 0.5 s, and loses the modules' names.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example.repeat(2, 1), mean, scale),
            buffer,  # type: ignore[arg-type]  # the tracer takes a file object, its annotation says path only
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,  # it would fold weights into later nodes, and they would lose half precision
            input_names=[INPUT, *SPEAKER_INPUTS],
            output_names=list(OUTPUTS),
            dynamic_axes={**names, **{name: {0: "batch"} for name in OUTPUTS}},
        )
    # fusion would fold weights, too
    proto = onnxslim.slim(onnx.load_from_string(buffer.getvalue()), skip_optimizations=["graph_fusion"])
    fill_blocks(proto)
    store_halves(proto)
    arrays = dict(zip(SPEAKER_INPUTS, (mean.numpy(), scale.numpy()), strict=True))
    arrays |= {} if adaptation is None else to_arrays(adaptation)
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    fix_widths(proto, {"scores": len(labels), "statistics": mean.shape[1]})
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, metadata
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def fill_blocks(proto: Any) -> None:
    """Extend the inputs of dense 2-D convolutions to whole blocks of channels, by channels of zeros.

    Otherwise the first convolution of a small network, over 106 channels, is a product of copies. With them 3 s take
    2.6 % less time with `hybrid`, and 2.2 % with `mobile`.
    """
    weights = {weight.name: weight for weight in proto.graph.initializer}
    filled: dict[str, str] = {}
    nodes = []
    for node in proto.graph.node:
        zeros = _missing_channels(node, weights)
        if zeros:
            data, weight = node.input[0], weights[node.input[1]]
            if data not in filled:
                filled[data], sizes = f"{data}.filled", f"{data}.zeros"
                pads = np.array([0, 0, 0, 0, 0, zeros, 0, 0], np.int64)  # before and after each of [b, c, 1, t]
                proto.graph.initializer.append(numpy_helper.from_array(pads, sizes))
                nodes.append(helper.make_node("Pad", [data, sizes], [filled[data]], name=filled[data]))
            values = np.pad(numpy_helper.to_array(weight), [(0, 0), (0, zeros), (0, 0), (0, 0)])
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
            node.input[0] = filled[data]
        nodes.append(node)
    _replace_nodes(proto, nodes)


def _missing_channels(node: Any, weights: Mapping[str, Any]) -> int:
    """Return the number of channels up to whole blocks, or 0 unless the node is a dense 2-D convolution of several."""
    if node.op_type != "Conv" or node.input[1] not in weights:
        return 0
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    shape = weights[node.input[1]].dims
    return -shape[1] % CHANNELS if len(shape) == 4 and groups == 1 and shape[1] > CHANNELS else 0


def store_halves(proto: Any) -> None:
    """Store tensors as float16 where this changes no value, with a cast that ONNX Runtime runs once, at load.

    These are the weights that were rounded before; of the front end's bases only those of zeros and ones.
    """
    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALL:
            continue
        name, values = weight.name, numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            stored = values.astype(np.float16)
        if not np.array_equal(stored.astype(np.float32), values):
            continue
        weight.CopyFrom(numpy_helper.from_array(stored, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    _replace_nodes(proto, [*casts, *proto.graph.node])


def fix_widths(proto: Any, widths: Mapping[str, int]) -> None:
    """Set the width of the named outputs of shape [b, width], which the tracer leaves open."""
    for output in proto.graph.output:
        if output.name in widths:
            output.type.tensor_type.shape.dim[1].dim_value = widths[output.name]


def _replace_nodes(proto: Any, nodes: list[Any]) -> None:
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def check_parity(network: Recogniser, model: Model) -> float:
    """Compare graph and network as `parity` does.

    Returns:
        The largest difference of a probability.

    Raises:
        ExportError: the difference is above `PARITY`.
    """
    worst = float(np.max(list(parity(network, model).values())))  # Python's max would lose a NaN
    if not worst <= PARITY:
        raise ExportError(
            f"{model.card.name}: graph and network differ by {worst:.2g} in a probability, expected at most "
            f"{PARITY:g}; the exporter has frozen something that depends on the input"
        )
    return worst


def parity(network: Recogniser, model: Model) -> dict[float, float]:
    """Return the largest difference of a probability between graph and network, by length in seconds.

    Each length has two batch sizes, scored from the waveform and from the statistics.
    """
    found = {}
    for seconds in PARITY_SECONDS:
        samples, differences = golden_input(seconds=seconds, sample_rate=model.card.sample_rate), []
        for batch in (np.stack([samples]), np.stack([samples, samples * np.float32(0.01), samples[::-1]])):
            with torch.no_grad():
                expected = network(torch.from_numpy(np.ascontiguousarray(batch))).scores.numpy()
            outputs = model.run(np.ascontiguousarray(batch))
            differences.append(np.abs(outputs.scores - expected).max())
            differences.append(np.abs(model.scores(outputs.statistics) - expected).max())
        found[seconds] = float(np.max(differences))
    return found


def _scores(network: Recogniser, samples: Samples) -> tuple[float, ...]:
    with torch.no_grad():
        scores: Samples = network(torch.from_numpy(samples)[None]).scores[0].numpy()
    return tuple(round(float(score), 6) for score in scores)
