"""Export of a trained baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from emovox.export.card import make_card
from emovox.export.onnx import export
from emovox.models.svm import SvmModel
from emovox.models.svm_network import SvmNetwork
from emovox.schema.errors import ExportError
from emovox.training.data.task import Task
from emovox.training.run import Run
from emovox.training.svm.recipe import SvmRecipe


def export_svm(task: Task, recipe: SvmRecipe, run: Run[SvmModel], folder: Path) -> Path:
    """Write the model that the run fitted on all clips, with the figures of its cross-validation.

    Returns:
        The path of the .onnx file; the card lies beside it.

    Raises:
        ExportError: the run fitted no model, or the graph scores differently from it.
    """
    if run.model is None:
        raise ExportError(f"{run.folder}: no model was fitted on all clips; set export = true in the recipe")
    model = replace(run.model, temperature=run.temperature)
    card = make_card(
        task,
        recipe,
        run,
        parameters=model.n_parameters,
        adaptable=False,
        temperature=model.temperature,
        description=f"functionals, PCA and SVM, trained by the recipe {recipe.name}",
    )
    return export(SvmNetwork(model, card.labels), card, folder)
