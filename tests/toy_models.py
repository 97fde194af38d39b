"""A tiny model for tests, built in memory: waveform in, scores by how high the sound is.

The graph has the shape of every shipped model (scores, embedding, statistics; speaker mean and scale as initialisers
that are inputs too), but its features are two logarithms: the mean absolute sample and the mean absolute difference of
neighbours. Their distance grows with frequency, so a low tone gets the first label and a high one the last.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from emovox.audio.types import Samples
from emovox.runtime.golden import FORMULA, golden_input
from emovox.schema.card import METADATA_KEY, CardCorpus, Figure, Golden, ModelCard, embedded_card, encode_card
from emovox.schema.labels import EMOTIONS

RATE = 16000
LOWEST_HZ, HIGHEST_HZ = 100.0, 3200.0
_FLOOR = 1e-6
_SHARPNESS = 8.0
_MEAN = np.array([-3.0, -5.0], np.float32)
_SCALE = np.array([1.0, 1.5], np.float32)


def tone(hz: float, *, seconds: float, level: float = 0.3) -> Samples:
    """A sine [n] float32 at 16 kHz."""
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def speech(f0: float, *, seconds: float, level: float = 0.3) -> Samples:
    """Voice-like sound [n] float32 at 16 kHz for the voice activity: a buzz in syllables over a faint noise floor."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * k * f0 * time) / k for k in range(1, 16))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)
    floor = 1e-4 * np.random.default_rng(7).standard_normal(len(time))
    return (level * buzz * syllables / 2 + floor).astype(np.float32)


def centre_hz(index: int, *, labels: int = len(EMOTIONS)) -> float:
    """The tone for which label number `index` of `labels` scores highest."""
    return float(np.geomspace(LOWEST_HZ, HIGHEST_HZ, labels)[index])


def toy_graph(labels: tuple[str, ...], *, sharpness: float = _SHARPNESS, card: str = "") -> bytes:
    """The graph as bytes, with `card` in its metadata when there is one."""
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
    inputs = [
        helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", "n"]),
        helper.make_tensor_value_info("speaker_mean", TensorProto.FLOAT, ["profiles", 2]),
        helper.make_tensor_value_info("speaker_scale", TensorProto.FLOAT, ["profiles", 2]),
    ]
    widths = {"scores": len(labels), "embedding": 2, "statistics": 2}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n]) for name, n in widths.items()]
    arrays = [numpy_helper.from_array(value, name) for name, value in initialisers.items()]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, arrays)
    # IR 8 and opset 17 are what the oldest supported ONNX Runtime reads.
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
    sharpness: float = _SHARPNESS,
    **changes: Any,
) -> Path:
    """Write `<name>.onnx` and `<name>.json`, and return the card's path; `changes` go into the card."""
    card = msgspec.structs.replace(_card(name, labels), golden=_golden(labels, sharpness))
    card = msgspec.structs.replace(card, **changes)
    graph = toy_graph(labels, sharpness=sharpness, card=embedded_card(card))
    (folder / f"{name}.onnx").write_bytes(graph)
    path = folder / f"{name}.json"
    path.write_bytes(encode_card(msgspec.structs.replace(card, sha256=hashlib.sha256(graph).hexdigest())))
    return path


def change_card(path: Path, **changes: Any) -> None:
    """Change keys of a written card, without the checks that `encode_card`'s types would make."""
    data = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(data | changes))


def _log_mean(source: str, target: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Abs", [source], [f"{target}_abs"]),
        helper.make_node("ReduceMean", [f"{target}_abs"], [f"{target}_mean"], axes=[1], keepdims=1),
        helper.make_node("Add", [f"{target}_mean", "floor"], [f"{target}_floored"]),
        helper.make_node("Log", [f"{target}_floored"], [target]),
    ]


def _head(n_labels: int, sharpness: float) -> dict[str, np.ndarray[Any, Any]]:
    """Tangents of a parabola in u = change - loudness: the highest is the one whose centre lies nearest to u."""
    hertz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, n_labels)
    centres = np.log(2 * np.sin(np.pi * hertz / RATE))
    raw = 2 * sharpness * np.stack([-centres, centres])
    bias = -sharpness * centres**2 + _MEAN @ raw
    return {"weight": (raw * _SCALE[:, None]).astype(np.float32), "bias": bias.astype(np.float32)}


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
    options.log_severity_level = 3  # the overridable initialisers are wanted
    session = onnxruntime.InferenceSession(toy_graph(labels, sharpness=sharpness), options)
    samples = golden_input(seconds=1.0, sample_rate=RATE)
    scores = session.run(["scores"], {"samples": samples[None]})[0][0]
    assert math.isclose(scores.sum(), 1, abs_tol=1e-5)
    return Golden(FORMULA, 1.0, tuple(scores.tolist()), 1e-4)
