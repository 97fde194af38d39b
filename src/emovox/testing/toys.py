"""Toy models: real model files with their card, written in milliseconds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnxruntime

from emovox.adaptation.estimator import Adaptation, Gate
from emovox.adaptation.parameters import to_arrays
from emovox.runtime.golden import FORMULA, golden_input
from emovox.schema.card import METADATA_KEY, CardCorpus, Figure, Golden, ModelCard, embedded_card, encode_card
from emovox.schema.extras import require
from emovox.schema.labels import EMOTIONS
from emovox.testing.sounds import RATE

if TYPE_CHECKING:
    import onnx

LOWEST_HZ, HIGHEST_HZ = 100.0, 3200.0
"""Frequencies in Hz of the tones for the first and the last label; the others are spaced geometrically between."""

SPEECH_HZ = 2500.0
"""Frequency in Hz below which a toy model with the output `speech` takes a tone for speech."""

SHARPNESS = 8.0
"""Separation of the scores of neighbouring labels, >= 0; 0 makes all scores equal."""

_FLOOR = 1e-6
_MEAN = np.array([-3.0, -5.0], np.float32)
_SCALE = np.array([1.0, 1.5], np.float32)


def centre_hz(index: int, *, labels: int = len(EMOTIONS)) -> float:
    """Return the frequency in Hz of the tone for which label `index` (from 0) of `labels` labels scores highest."""
    return float(np.geomspace(LOWEST_HZ, HIGHEST_HZ, labels)[index])


def toy_graph(
    labels: Sequence[str],
    *,
    sharpness: float = SHARPNESS,
    card: str = "",
    adaptation: Adaptation | None = None,
    tells_speech: bool = False,
) -> bytes:
    """Return the graph of a toy model.

    Args:
        labels: one score each.
        sharpness: see `SHARPNESS`.
        card: JSON of the card for the metadata; empty for none.
        adaptation: parameters that adapt it to a voice; None: it cannot adapt.
        tells_speech: whether it has the output `speech`: 1 for tones below `SPEECH_HZ`, 0 above.

    Returns:
        An ONNX file: samples [batch, n] → scores [batch, labels], embedding [batch, 2], statistics [batch, 2], and
        speech [batch] if wanted.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    require("onnx", need="a toy model", extra="testing")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    initialisers = {
        "speaker_mean": _MEAN[None],
        "speaker_scale": _SCALE[None],
        **_head(len(labels), sharpness),
        "floor": np.array(_FLOOR, np.float32),
        "first": np.array([0]),
        "second": np.array([1]),
        "last": np.array([-1]),
        "end": np.array([np.iinfo(np.int64).max]),
        "axis": np.array([1]),
        **({} if adaptation is None else to_arrays(adaptation)),
        **(_speech_map() if tells_speech else {}),
    }
    nodes = [
        helper.make_node("Slice", ["samples", "second", "end", "axis"], ["later"]),
        helper.make_node("Slice", ["samples", "first", "last", "axis"], ["earlier"]),
        helper.make_node("Sub", ["later", "earlier"], ["difference"]),
        *_log_mean("samples", "loudness"),
        *_log_mean("difference", "change"),
        helper.make_node("Concat", ["loudness", "change"], ["statistics"], axis=1),
        helper.make_node("Sub", ["statistics", "speaker_mean"], ["centred"]),
        helper.make_node("Div", ["centred", "speaker_scale"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    if tells_speech:
        nodes += [
            helper.make_node("MatMul", ["statistics", "speech_weight"], ["speech_product"]),
            helper.make_node("Add", ["speech_product", "speech_bias"], ["speech_logit"]),
            helper.make_node("Sigmoid", ["speech_logit"], ["speech"]),
        ]
    inputs = [
        helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", "n"]),
        helper.make_tensor_value_info("speaker_mean", TensorProto.FLOAT, ["profiles", 2]),
        helper.make_tensor_value_info("speaker_scale", TensorProto.FLOAT, ["profiles", 2]),
    ]
    widths = {"scores": len(labels), "embedding": 2, "statistics": 2}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n]) for name, n in widths.items()]
    if tells_speech:
        outputs.append(helper.make_tensor_value_info("speech", TensorProto.FLOAT, ["batch"]))
    arrays = [numpy_helper.from_array(value, name) for name, value in initialisers.items()]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, arrays)
    # The oldest supported ONNX Runtime reads IR 8 and opset 17.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card:
        helper.set_model_props(model, {METADATA_KEY: card})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_toy(
    folder: Path,
    *,
    name: str = "toy",
    labels: tuple[str, ...] = EMOTIONS,
    sharpness: float = SHARPNESS,
    adapts: bool = True,
    **changes: Any,
) -> Path:
    """Write a toy model: `<name>.onnx` and its card `<name>.json`.

    Args:
        folder: an existing folder.
        name: name of the model.
        labels: in order, from the lowest tone to the highest.
        sharpness: see `SHARPNESS`.
        adapts: whether the model has `toy_adaptation`.
        changes: fields of `emovox.schema.card.ModelCard` to set, e.g. `threshold=0.5`. With `speech`, a
            `emovox.schema.card.CardSpeech`, the model takes sounds above `SPEECH_HZ` for no speech.

    Returns:
        The path of the card, which `emovox.load` takes.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    card = msgspec.structs.replace(_card(name, labels), golden=_golden(labels, sharpness))
    card = msgspec.structs.replace(card, **changes)
    adaptation = toy_adaptation(len(labels)) if adapts else None
    graph = toy_graph(
        labels,
        sharpness=sharpness,
        card=embedded_card(card),
        adaptation=adaptation,
        tells_speech=card.speech is not None,
    )
    (folder / f"{name}.onnx").write_bytes(graph)
    path = folder / f"{name}.json"
    path.write_bytes(encode_card(msgspec.structs.replace(card, sha256=hashlib.sha256(graph).hexdigest())))
    return path


def toy_adaptation(n_labels: int) -> Adaptation:
    """Return parameters that adapt a toy model: a label shifts the second statistic alone, a voice shifts both.

    Two clips or more are diverse if their second statistics scatter as those of several labels do.
    """
    centres = _centres(n_labels)
    places = (centres - centres.mean())[None] / _SCALE[1]
    within = np.array([[0.01]])
    gate = Gate(np.zeros(5), np.ones(5), np.array([0.0, 0.0, 0.0, 2.0, 0.0]), -2.0)
    return Adaptation(np.array([[0.0, 1.0]]), places / within, within, variance=0.02, gate=gate)


def change_card(path: Path, **changes: Any) -> None:
    """Overwrite keys of a written card without any check, for tests of how a wrong card fails.

    Args:
        path: path of the card.
        changes: JSON keys and their new values.
    """
    data = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(data | changes))


def _log_mean(source: str, target: str) -> list[onnx.NodeProto]:
    from onnx import helper

    return [
        helper.make_node("Abs", [source], [f"{target}_abs"]),
        helper.make_node("ReduceMean", [f"{target}_abs"], [f"{target}_mean"], axes=[1], keepdims=1),
        helper.make_node("Add", [f"{target}_mean", "floor"], [f"{target}_floored"]),
        helper.make_node("Log", [f"{target}_floored"], [target]),
    ]


def _head(n_labels: int, sharpness: float) -> dict[str, np.ndarray[Any, Any]]:
    """Return weight and bias: label i scores highest where centre i is the nearest to u = change - loudness.

    The scores are tangents of a parabola in u, with its maximum over the labels at the nearest centre.
    """
    centres = _centres(n_labels)
    raw = 2 * sharpness * np.stack([-centres, centres])
    bias = -sharpness * centres**2 + _MEAN @ raw
    return {"weight": (raw * _SCALE[:, None]).astype(np.float32), "bias": bias.astype(np.float32)}


def _speech_map() -> dict[str, np.ndarray[Any, Any]]:
    """Return weight [2] and bias of the logit of speech, which falls with change - loudness, so with the frequency."""
    limit = np.log(2 * np.sin(np.pi * SPEECH_HZ / RATE))
    return {"speech_weight": np.array([20, -20], np.float32), "speech_bias": np.array(20 * limit, np.float32)}


def _centres(n_labels: int) -> np.ndarray[Any, Any]:
    """Return change - loudness of the tone of each label, [n_labels]."""
    hertz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, n_labels)
    return np.asarray(np.log(2 * np.sin(np.pi * hertz / RATE)))


def _card(name: str, labels: tuple[str, ...]) -> ModelCard:
    return ModelCard(
        format=1,
        name=name,
        version="1.2.0",
        description="For tests.",
        sha256="",
        labels=labels,
        sample_rate=RATE,
        shortest=0.3,
        longest=6.0,
        window=3.0,
        hop=0.5,
        parameters=2 * len(labels) + len(labels),
        adaptable=True,
        temperature=1.0,
        threshold=0.0,
        recipe="recipes/toy.toml",
        recipe_sha256="0" * 64,
        corpora=(CardCorpus("tones", "CC0-1.0", 1, 7),),
        licence="Apache-2.0",
        licence_risk="none",
        figures=(Figure("tones", "si", "UAR", 90.0, 85.0, 95.0, "results/toy/tones-si.csv"),),
        golden=Golden(FORMULA, 1.0, (0.0,) * len(labels), 1e-4),
    )


def _golden(labels: tuple[str, ...], sharpness: float) -> Golden:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # hides warnings about initialisers that are inputs, which is intended
    session = onnxruntime.InferenceSession(toy_graph(labels, sharpness=sharpness), options)
    samples = golden_input(seconds=1.0, sample_rate=RATE)
    scores = session.run(["scores"], {"samples": samples[None]})[0][0]
    return Golden(FORMULA, 1.0, tuple(scores.tolist()), 1e-4)
