"""The shipped model: it loads, gives its golden vector, and its card says what the committed predictions say."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.corpora.registry import CORPORA
from emovox.evaluation.metrics import summary
from emovox.evaluation.predictions import read_predictions
from emovox.runtime.golden import check_golden
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.schema.card import Figure
from emovox.schema.labels import EMOTIONS
from emovox.training.read import read_recipe

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "svm"
TRAINED_ON = ("ravdess", "emodb", "nemo")
ROUNDING = 0.0501  # the card gives one decimal
PATH = resolve("svm").with_suffix(".onnx")
MODEL = Model.load(PATH)
CARD = MODEL.card


def test_the_golden_vector_holds() -> None:
    assert check_golden(MODEL) <= CARD.golden.tolerance


def test_the_labels_are_the_seven() -> None:
    assert CARD.labels == EMOTIONS


def test_it_was_trained_on_three_corpora_in_full() -> None:
    assert tuple(corpus.name for corpus in CARD.corpora) == TRAINED_ON
    for corpus in CARD.corpora:
        known = CORPORA[corpus.name]
        assert (corpus.licence, corpus.clips) == (known.licence, known.clips)


def test_licences_stand_beside_it() -> None:
    text = (PATH.parent / "LICENSE").read_text(encoding="utf-8")
    for corpus in CARD.corpora:
        assert corpus.licence.split(",")[0].split(" (")[0] in text
        assert CORPORA[corpus.name].title.split()[0].strip(",:") in text
        assert corpus.name in CARD.licence_risk
    assert "non-commercial" in CARD.licence
    assert "non-commercial" in text


def test_the_recipe_is_the_one_in_the_repository() -> None:
    assert CARD.recipe_sha256 == read_recipe(ROOT / "recipes" / "svm.toml").sha256()


def test_there_are_figures_for_every_corpus() -> None:
    named = {figure.corpus.split("-")[0] for figure in CARD.figures}
    assert named == {*TRAINED_ON, "tess"}
    assert len(CARD.figures) == 8


@pytest.mark.parametrize("figure", CARD.figures, ids=lambda figure: f"{figure.corpus} {figure.protocol}")
def test_a_figure_is_that_of_its_predictions(figure: Figure) -> None:
    found = summary(read_predictions(RESULTS / Path(figure.predictions).name)).uar
    measured = tuple(100 * value for value in (found.value, found.low, found.high))
    assert (figure.value, figure.low, figure.high) == pytest.approx(measured, abs=ROUNDING)
