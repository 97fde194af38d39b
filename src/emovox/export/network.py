"""The card of a trained network, and its export."""

from __future__ import annotations

import base64
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emovox.export.card import make_card, with_corpora
from emovox.export.onnx import export
from emovox.models.network import Recogniser, count_parameters
from emovox.schema.card import Array, Head
from emovox.schema.errors import ExportError
from emovox.schema.labels import merge_matrix
from emovox.training.data.task import Task
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.run import Run
from emovox.training.stages.fit import Fitted
from emovox.training.stages.start import read_start


def export_network(task: Task, recipe: NetworkRecipe, run: Run[Fitted], folder: Path) -> Path:
    """Write the network that learnt from all clips, with the figures of its cross-validation.

    Weights are stored in half precision and cast to float32 when the graph is loaded.

    Returns:
        The path of the .onnx file; the card lies beside it.

    Raises:
        ExportError: the run fitted no model, or the graph scores differently from it.
    """
    if run.model is None:
        raise ExportError(f"{run.folder}: no model was fitted on all clips; set export = true in the recipe")
    labels = recipe.labels or task.classes
    network = deepcopy(run.model.network).cpu().eval()
    network.encoder.trim()
    recogniser = Recogniser(network, merge_matrix(task.classes, labels), run.temperature)
    halve(recogniser)
    card = make_card(
        task,
        recipe,
        run,
        parameters=count_parameters(recogniser),
        adaptable=recipe.head_learning is not None,
        temperature=run.temperature,
        description=f"network '{recipe.encoder.__struct_config__.tag}', trained by the recipe {recipe.name}",
        head=Head(
            task.classes,
            _array(network.head.classify.weight),
            _array(network.head.classify.bias),
            _array(recogniser.merge),
        ),
    )
    starts = [recipe.start, *([] if recipe.teacher is None else [recipe.teacher.recipe.start])]
    for start in dict.fromkeys(start for start in starts if start):
        card = with_corpora(card, read_start(start).corpora)
    return export(recogniser, card, folder)


def halve(recogniser: Recogniser) -> None:
    """Round the weights to half precision, in place: graph and network then agree."""
    with torch.no_grad():
        for parameter in recogniser.parameters():
            parameter.copy_(parameter.half().float())


def _array(values: Tensor) -> Array:
    found = values.detach().cpu().numpy().astype("<f4")
    return Array(found.shape, base64.b64encode(np.ascontiguousarray(found).tobytes()).decode())
