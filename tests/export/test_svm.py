"""The card of a trained baseline: what it was trained on, how good it is, where that can be recomputed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from emovox.corpora.registry import CORPORA
from emovox.evaluation.calibration import abstention_threshold
from emovox.evaluation.metrics import summary
from emovox.evaluation.predictions import read_predictions
from emovox.export.svm import KEEP, export_svm
from emovox.models.svm_network import SvmNetwork
from emovox.runtime.golden import check_golden, golden_input
from emovox.runtime.model import Model
from emovox.schema.card import CardCorpus, ModelCard
from emovox.schema.errors import ExportError
from emovox.training.recipe import Data, Recipe, Svm
from emovox.training.run import Run, train
from emovox.training.task import Task
from tests.corpora.trees import clip
from tests.training.tasks import clip_task, cloud_task, small_recipe

FAST = {"export": True, "svm": Svm(c=(3.0,), gamma=(0.5,), inner_folds=2), "description": "for a test"}
CORPUS_CLIPS = {
    "ravdess": (("01", "04"), ("happy", "sad", "calm")),  # of the first and the second fold
    "own-joint": (("a", "b"), ("happy", "sad", "boredom")),
    "tess": (("OAF",), ("happy", "sad")),  # only ever scored
}

MERGED = ("ravdess-7-joint-seven", "own-joint-joint-seven", "tess-zero-shot-seven")


def three_corpora() -> Task:
    clips = [
        clip(corpus, 10 * take + 3 * speakers.index(speaker) + labels.index(label), speaker, label)
        for corpus, (speakers, labels) in CORPUS_CLIPS.items()
        for speaker in speakers
        for label in labels
        for take in range(3)
    ]
    return clip_task(clips, ("happy", "sad", "calm", "boredom"), spread=0.1)


def trained(task: Task, recipe: Recipe, folder: Path) -> tuple[Run, ModelCard]:
    run = train(task, recipe, folder)
    return run, Model.load(export_svm(task, recipe, run, folder)).card


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, ModelCard, Recipe]:
    data = Data(corpora=("ravdess", "own.jsonl", "tess"), protocol="joint")
    recipe = small_recipe(data=data, labels=("sad", "happy", "neutral"), **FAST)
    return *trained(three_corpora(), recipe, tmp_path_factory.mktemp("joint")), recipe


def test_the_card_says_what_was_trained(joint: tuple[Run, ModelCard, Recipe]) -> None:
    run, card, recipe = joint
    assert (card.name, card.recipe, card.description) == ("small", "small", "for a test")
    assert card.recipe_sha256 == recipe.sha256()
    assert card.labels == ("sad", "happy", "neutral")
    assert card.corpora == (
        CardCorpus("ravdess", CORPORA["ravdess"].licence, 2, 9 * 2),
        CardCorpus("own-joint", "your own recordings", 2, 9 * 2),
    )
    assert card.temperature == run.temperature
    assert "non-commercial" in card.licence
    assert card.licence_risk.startswith("ravdess: ")
    assert not card.adaptable


def test_every_figure_is_that_of_its_csv(joint: tuple[Run, ModelCard, Recipe]) -> None:
    run, card, _ = joint
    assert [(figure.corpus, figure.protocol) for figure in card.figures] == [
        ("ravdess-8", "joint"),
        ("ravdess-7", "joint-seven"),
        ("own-joint", "joint"),
        ("own-joint", "joint-seven"),
        ("tess", "zero-shot"),
        ("tess", "zero-shot-seven"),
    ]
    for figure in card.figures:
        measured = summary(read_predictions(run.folder / figure.predictions)).uar
        assert figure.metric == "UAR"
        assert figure.value == pytest.approx(100 * measured.value, abs=0.051)
        assert (figure.low, figure.high) == pytest.approx((100 * measured.low, 100 * measured.high), abs=0.051)


def test_the_threshold_is_that_of_the_labels_of_the_model(joint: tuple[Run, ModelCard, Recipe]) -> None:
    run, card, _ = joint
    learnt = [run.predictions[name].scores for name in MERGED if "zero-shot" not in name]
    assert len(learnt) == len(MERGED) - sum("zero-shot" in name for name in MERGED)
    pooled = np.concatenate(learnt)
    assert card.threshold == pytest.approx(abstention_threshold(pooled, keep=KEEP), abs=1e-4)
    assert np.mean(pooled.max(axis=1) >= card.threshold) >= KEEP


def test_the_graph_uses_the_median_of_the_folds_temperatures(joint: tuple[Run, ModelCard, Recipe]) -> None:
    run, card, _ = joint
    assert run.model is not None
    assert run.temperature != pytest.approx(run.model.temperature, rel=0.05)
    samples = torch.from_numpy(golden_input(seconds=card.golden.seconds, sample_rate=16000))[None]
    found = []
    for temperature in (run.temperature, run.model.temperature):
        network = SvmNetwork(replace(run.model, temperature=temperature), card.labels).eval()
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
    assert card.parameters == run.model.n_parameters


def test_labels_that_corpora_merge_stay_apart_where_they_are_the_classes(tmp_path: Path) -> None:
    task = cloud_task(labels=("boredom", "calm", "happy"), takes=2)
    _, card = trained(task, small_recipe(**FAST), tmp_path)
    assert card.labels == ("boredom", "calm", "happy")
    assert min(card.golden.scores) > 0


def test_unknown_speakers_are_not_counted(tmp_path: Path) -> None:
    recipe = small_recipe(**{**FAST, "data": Data(corpora=("own.jsonl",), protocol="sd")})
    _, card = trained(cloud_task(speakers=(None,) * 4, takes=1), recipe, tmp_path)
    assert card.corpora[0].speakers == 0


def test_a_run_without_a_model_is_not_exported(tmp_path: Path) -> None:
    task, recipe = cloud_task(takes=1), small_recipe(**{**FAST, "export": False})
    run = train(task, recipe, tmp_path)
    with pytest.raises(ExportError, match="no model was fitted on all clips; set export = true in the recipe"):
        export_svm(task, recipe, run, tmp_path)
    with pytest.raises(ExportError, match="no model was fitted"):
        export_svm(task, msgspec.structs.replace(recipe, export=True), replace(run, model=None), tmp_path)
