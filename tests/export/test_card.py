"""The card of a trained model: what it was trained on, how good it is, where that can be recomputed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.corpora.provenance import card_corpora
from emovox.corpora.registry import CORPORA
from emovox.evaluation.figures.calibration import abstention_threshold
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.metrics import summary
from emovox.export.card import KEEP, measured_trust, model_card
from emovox.models.trained import TrainedModel
from emovox.schema.card import Array, CardCorpus, CardHead, ModelCard
from emovox.training.recipe import Data
from emovox.training.run import Run
from emovox.training.svm.recipe import Svm, SvmRecipe
from tests.corpora.trees import clip
from tests.training.tasks import CloudTask, clip_task, cloud_task, small_recipe, train_svm

FAST = {"svm": Svm(c=(3.0,), gamma=(0.5,), inner_folds=2), "description": "for a test"}
HEAD = CardHead(("a", "b"), *[Array((0,), "")] * 3)
CORPUS_CLIPS = {
    "ravdess": (("01", "04"), ("happy", "sad", "calm")),  # of the first and the second fold
    "own-joint": (("a", "b"), ("happy", "sad", "boredom")),
    "tess": (("OAF",), ("happy", "sad")),  # only ever scored
}


Joint = tuple[Run[TrainedModel], ModelCard, SvmRecipe]


def three_corpora() -> CloudTask:
    clips = [
        clip(corpus, 10 * take + 3 * speakers.index(speaker) + labels.index(label), speaker, label)
        for corpus, (speakers, labels) in CORPUS_CLIPS.items()
        for speaker in speakers
        for label in labels
        for take in range(3)
    ]
    return clip_task(clips, ("happy", "sad", "calm", "boredom"), spread=0.1)


def trained(task: CloudTask, recipe: SvmRecipe, folder: Path) -> tuple[Run[TrainedModel], ModelCard]:
    run = train_svm(task, recipe, folder)
    return run, model_card(
        recipe.name,
        run.predictions,
        recipe_sha256=recipe.sha256(),
        labels=recipe.labels or task.classes,
        corpora=card_corpora([task.clips[index] for index in run.trained]),
        parameters=17,
        adaptable=True,
        temperature=1.25,
        description=recipe.description,
        head=HEAD,
    )


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Joint:
    data = Data(corpora=("ravdess", "own.jsonl", "tess"), protocol="joint")
    recipe = small_recipe(data=data, labels=("sad", "happy", "neutral"), **FAST)
    return *trained(three_corpora(), recipe, tmp_path_factory.mktemp("joint")), recipe


def test_the_card_says_what_was_trained(joint: Joint) -> None:
    _, card, recipe = joint
    described = "for a test; learnt from ravdess (18 clips, 2 speakers), own-joint (18 clips, 2 speakers)"
    assert (card.name, card.recipe, card.description) == ("small", "small", described)
    assert card.recipe_sha256 == recipe.sha256()
    assert card.labels == ("sad", "happy", "neutral")
    assert card.corpora == (
        CardCorpus("ravdess", CORPORA["ravdess"].licence, 2, 9 * 2),
        CardCorpus("own-joint", "your own recordings", 2, 9 * 2),
    )
    assert (card.parameters, card.adaptable, card.temperature, card.head) == (17, True, 1.25, HEAD)
    assert "non-commercial" in card.licence
    assert card.licence_risk.startswith("ravdess: ")


def test_every_figure_is_that_of_its_csv(joint: Joint) -> None:
    run, card, _ = joint
    assert [(figure.corpus, figure.protocol) for figure in card.figures] == [
        ("ravdess-8", "joint"),
        ("ravdess", "joint-seven"),
        ("own-joint", "joint"),
        ("own-joint", "joint-seven"),
        ("tess", "unheard"),
        ("tess", "unheard-seven"),
    ]
    for figure in card.figures:
        measured = summary(read_predictions(run.folder / figure.predictions)).uar
        assert figure.metric == "UAR"
        assert figure.value == pytest.approx(100 * measured.value, abs=0.051)
        assert (figure.low, figure.high) == pytest.approx((100 * measured.low, 100 * measured.high), abs=0.051)


def test_the_threshold_is_that_of_the_labels_of_the_model(
    joint: Joint,
) -> None:
    run, card, _ = joint
    merged = {key: made for key, made in run.predictions.items() if key.labels == "seven"}
    learnt = [made.scores for key, made in merged.items() if key.protocol == "joint"]
    assert (len(merged), len(learnt)) == (3, 2)
    pooled = np.concatenate(learnt)
    assert card.threshold == pytest.approx(abstention_threshold(pooled, keep=KEEP), abs=1e-4)
    assert np.mean(pooled.max(axis=1) >= card.threshold) >= KEEP


def test_unknown_speakers_are_not_counted(tmp_path: Path) -> None:
    recipe = small_recipe(**{**FAST, "data": Data(corpora=("own.jsonl",), protocol="sd")})
    _, card = trained(cloud_task(speakers=(None,) * 4, takes=1), recipe, tmp_path)
    assert card.corpora[0].speakers == 0


def test_the_card_says_what_confidence_and_threshold_are_worth(joint: Joint) -> None:
    _, card, _ = joint
    assert card.trust is not None
    found = card.trust.calibration
    assert found is not None
    assert card.trust.sets == ()  # too few speakers
    assert found.corpus in {corpus.name for corpus in card.corpora}
    assert 0 <= found.error <= found.worst <= 100
    assert found.labelled >= 100 * KEEP - 25  # the mean over corpora, while the threshold counts clips
    assert found.right >= found.right_of_all


def test_without_predictions_out_of_fold_nothing_is_measured(joint: Joint) -> None:
    run, card, _ = joint
    assert measured_trust({}, labels=card.labels, corpora=card.corpora, threshold=0.5) is None
    assert measured_trust(run.predictions, labels=card.labels, corpora=(), threshold=0.5) is None
