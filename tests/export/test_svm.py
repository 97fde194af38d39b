"""Export of a trained baseline: the graph with the temperature of the folds, and its card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emovox.export.network import export_network
from emovox.models.network import Recogniser, count_parameters
from emovox.models.trained import TrainedModel
from emovox.runtime.golden import check_golden, golden_input
from emovox.runtime.model import Model
from emovox.schema.card import CardCorpus, ModelCard
from emovox.schema.errors import ExportError
from emovox.schema.labels import merge_matrix
from emovox.training.run import Run
from emovox.training.svm.recipe import Svm, SvmRecipe
from tests.training.tasks import CloudTask, cloud_task, small_recipe, train_svm

FAST = {"export": True, "svm": Svm(c=(3.0,), gamma=(0.5,), inner_folds=2), "description": "for a test"}


def trained(task: CloudTask, recipe: SvmRecipe, folder: Path) -> tuple[Run[TrainedModel], ModelCard]:
    run = train_svm(task, recipe, folder)
    return run, Model.load(export_network(run, folder)).card


def test_the_graph_uses_the_median_of_the_folds_temperatures(tmp_path: Path) -> None:
    task = cloud_task(spread=0.1)
    run, card = trained(task, small_recipe(**FAST), tmp_path)
    assert card.temperature == run.temperature
    assert not card.adaptable
    assert run.model is not None
    assert run.temperature != pytest.approx(run.model.card.temperature, rel=0.05)
    samples = torch.from_numpy(golden_input(seconds=card.golden.seconds, sample_rate=16000))[None]
    found = []
    for temperature in (run.temperature, run.model.card.temperature):
        network = Recogniser(run.model.network, merge_matrix(task.classes, card.labels), temperature).eval()
        with torch.no_grad():
            found.append(network(samples).scores[0].tolist())
    assert found[0] == pytest.approx(card.golden.scores, abs=1e-5)
    assert found[1] != pytest.approx(card.golden.scores, abs=1e-5)


def test_labels_of_ones_own(tmp_path: Path) -> None:
    run, card = trained(cloud_task(takes=2), small_recipe(**FAST), tmp_path)
    assert card.labels == ("bored", "cross", "keen")
    assert card.corpora == (CardCorpus("own", "your own recordings", 4, 24),)
    assert card.licence == "yours: trained on your own recordings"
    assert [(figure.corpus, figure.protocol) for figure in card.figures] == [("own", "si")]
    assert check_golden(Model.load(tmp_path / "small.onnx")) < card.golden.tolerance
    assert run.model is not None
    assert card.parameters == count_parameters(run.model.network)


def test_labels_that_corpora_merge_stay_apart_where_they_are_the_classes(tmp_path: Path) -> None:
    task = cloud_task(labels=("boredom", "calm", "happy"), takes=2)
    _, card = trained(task, small_recipe(**FAST), tmp_path)
    assert card.labels == ("boredom", "calm", "happy")
    assert min(card.golden.scores) > 0


def test_a_run_without_a_model_is_not_exported(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe(**{**FAST, "export": False})
    run = train_svm(task, recipe, tmp_path)
    with pytest.raises(ExportError, match="no model was fitted on all clips; set export = true in the recipe"):
        export_network(run, tmp_path)
    with pytest.raises(ExportError, match="no model was fitted"):
        export_network(replace(run, model=None), tmp_path)
