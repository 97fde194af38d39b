"""Export a trained network with its card."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from emovox.evaluation.figures.predictions import Predictions
from emovox.export.card import model_card
from emovox.export.onnx import export, parity
from emovox.export.speech_output import add_speech, check_same, write_with_speech
from emovox.models.head import Head
from emovox.models.network import Recogniser, count_parameters
from emovox.models.speech_map import SpeechMap
from emovox.models.trained import NetworkSpeech, TrainedModel
from emovox.runtime.model import Model
from emovox.runtime.registry import read_card
from emovox.schema.card import Array, CardHead
from emovox.schema.errors import ExportError
from emovox.schema.figure import FigureKey
from emovox.schema.trust import CardTrust
from emovox.training.run import Run

KEPT_BITS = 8
"""Bits of mantissa that a large matrix keeps, of the 10 of half precision. With 8, `accurate` is compressed to
19.7 MB in place of 22.0; of 150 recordings of six corpora none changed its label, no score by more than 0.003."""

LARGE = 4096
"""Elements from which a matrix is large."""


def export_network(run: Run[TrainedModel], folder: Path) -> Path:
    """Write the network that learnt from all clips of a run, with the figures of its cross-validation.

    Args:
        run: a new run, or one from `Run.load`.
        folder: folder of both files.

    Returns:
        The path of the .onnx file; the card is in the same folder.

    Raises:
        ExportError: the run has no model, or the scores of the graph differ from those of the model.
    """
    if run.model is None:
        raise ExportError(f"{run.folder}: no model was fitted on all clips; set export = true in the recipe")
    card = msgspec.structs.replace(run.model.card, temperature=run.temperature)
    model = TrainedModel(run.model.network, card, run.model.adaptation, run.model.speech)
    return export_trained(model, run.predictions, folder)


def export_trained(model: TrainedModel, predictions: Mapping[FigureKey, Predictions], folder: Path) -> Path:
    """Write a trained network as a model; weights are stored in half precision.

    Args:
        model: the network, which learnt from all clips.
        predictions: predictions of its cross-validation, for the figures on the card.
        folder: folder of both files.

    Returns:
        The path of the .onnx file; the card is in the same folder.

    Raises:
        ExportError: the scores of the graph differ from those of the network.
    """
    trained, recogniser, head = model.card, model.recogniser(), model.network.head
    if isinstance(head, Head):  # an SVM is fitted in the precision of the file
        halve(recogniser)
    described = trained.recipe.get("description")
    card = model_card(
        trained.name,
        predictions,
        recipe_sha256=trained.recipe_sha256,
        labels=trained.labels,
        corpora=trained.corpora,
        parameters=count_parameters(recogniser),
        adaptable=trained.adaptable,
        temperature=trained.temperature,
        description=described
        or f"network '{trained.encoder.__struct_config__.tag}', trained by the recipe {trained.name}",
        head=_card_head(trained.classes, recogniser) if isinstance(head, Head) else None,
    )
    if trained.familiarity is not None:
        card = msgspec.structs.replace(
            card, trust=msgspec.structs.replace(card.trust or CardTrust(), familiarity=trained.familiarity)
        )
    if model.speech is None or trained.speech is None:
        return export(recogniser, card, folder, adaptation=model.adaptation)
    with tempfile.TemporaryDirectory() as draft:
        plain = export(recogniser, card, Path(draft), adaptation=model.adaptation)
        return _with_speech(plain.with_suffix(".json"), model.speech, trained.speech, folder)


def _with_speech(plain: Path, speech_map: SpeechMap, about: NetworkSpeech, folder: Path) -> Path:
    """Write a model with the output `speech`, and return the path of its .onnx file; the scores keep their bits."""
    threshold, shares = about.threshold, {"kept": about.kept, "refused": about.refused}
    made = add_speech(
        plain.with_suffix(".onnx").read_bytes(), read_card(plain), speech_map, threshold=threshold, **shares
    )
    check_same(plain, write_with_speech(*made, plain.parent / "speech"), speech_map, threshold=threshold)
    return write_with_speech(*made, folder).with_suffix(".onnx")


def trained_parity(model: TrainedModel, path: Path) -> dict[float, float]:
    """Return the largest difference of a score between a trained network and its exported file, by seconds of input."""
    recogniser = model.recogniser()
    if isinstance(model.network.head, Head):
        halve(recogniser)
    return parity(recogniser.eval(), Model.load(path))


def _card_head(classes: tuple[str, ...], recogniser: Recogniser) -> CardHead:
    """Return the last layer as data."""
    last = recogniser.head.classify
    assert isinstance(last, nn.Linear)
    return CardHead(classes, _array(last.weight), _array(last.bias), _array(recogniser.merge))


def halve(network: nn.Module, *, kept_bits: int = KEPT_BITS) -> None:
    """Round the weights to half precision in place, so that network and graph are equal.

    Args:
        network: its weights change.
        kept_bits: of the mantissa of large matrices, at most 10: the rest is zero and takes no room in a compressed
            wheel.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            half = parameter.half()
            if kept_bits < 10 and parameter.ndim > 1 and parameter.numel() >= LARGE:
                half = _shortened(half, kept_bits)
            parameter.copy_(half.float())


def _shortened(half: Tensor, kept_bits: int) -> Tensor:
    """Round float16 to `kept_bits` bits of mantissa, ties to even."""
    dropped = 10 - kept_bits
    bits = half.view(torch.int16).to(torch.int32) & 0x7FFF
    rounded = (bits + (1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1)) >> dropped << dropped
    largest = 0x7BFF >> dropped << dropped  # not rounded up to infinity
    magnitude = rounded.clamp(max=largest).to(torch.int16).view(torch.float16)
    return torch.copysign(magnitude, half)


def _array(values: Tensor) -> Array:
    array = values.detach().cpu().numpy().astype("<f4")
    return Array(array.shape, base64.b64encode(np.ascontiguousarray(array).tobytes()).decode())
