"""The shipped models: each loads, gives its golden vector, and its card says what the committed predictions say."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from emovox.corpora.registry import CORPORA
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.metrics import summary
from emovox.evaluation.trust.label_sets import COVERAGES
from emovox.evaluation.trust.sounds import FORMULAS
from emovox.runtime.golden import check_golden, golden_input
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.runtime.registry import LARGEST_DEFAULT, heads, resolve, shipped
from emovox.schema.card import Figure
from emovox.schema.figure import FigureKey
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import NOT_SPEECH
from emovox.workflow import read_recipe
from publish.trust_card import measured

ROOT = Path(__file__).parents[1]
CLASSICAL = ("ravdess", "emodb", "nemo")
"""What the support vectors of `svm` may come from: they are features of single clips."""

ALL = ("ravdess", "casia", "emodb", "nemo")
TRAINED_ON = {"svm": CLASSICAL, "mobile": ALL, "hybrid": ALL, "accurate": (*ALL, "emovo")}
FORMER_RECIPES = {
    "hybrid": "ee8b6f2a959a02c1471f49e6622c9b84a14632cfdb68b78393cebc4f9f3c02f8",
    "mobile": "6678d0dca988cc8f759be9b45a55b47e6d9b5c9711141db0c9dc4c7236f5f752",
}
"""Hashes of recipes that have changed since the model was trained: EMOVO joined, and copies against the telephone."""
MOST_PARAMETERS = {"svm": 4_000_000, "mobile": 300_000, "hybrid": 1_200_000, "accurate": 12_000_000}
ROUNDING = 0.0501  # the card gives one decimal
LOGIT_NOISE = 2e-5  # float32 products in another order

MODELS = {name: Model.load(resolve(name).with_suffix(".onnx")) for name in shipped()}
FIGURES = [(name, figure) for name, model in MODELS.items() for figure in model.card.figures]

every = pytest.mark.parametrize("name", sorted(TRAINED_ON))


def key_of(name: str, figure: Figure) -> FigureKey:
    """The key of a figure on a card: its corpus may be a label view, its protocol ends with the view of the model."""
    corpus = figure.corpus.split("-")[0]
    seven = figure.protocol.endswith("-seven")
    protocol = "unheard" if corpus == "tess" else figure.protocol.removesuffix("-seven")
    return FigureKey(name, corpus, "seven" if seven else "own" if corpus == figure.corpus else figure.corpus, protocol)


def test_these_are_shipped() -> None:
    assert set(MODELS) == set(TRAINED_ON)
    assert resolve() == resolve("accurate")
    assert MODELS["accurate"].size <= LARGEST_DEFAULT


@every
def test_the_golden_vector_holds(name: str) -> None:
    assert check_golden(MODELS[name]) <= MODELS[name].card.golden.tolerance


@every
def test_the_labels_are_the_seven(name: str) -> None:
    assert MODELS[name].card.labels == EMOTIONS


@every
def test_it_is_as_small_as_it_says(name: str) -> None:
    assert MODELS[name].card.parameters <= MOST_PARAMETERS[name]


@every
def test_it_was_trained_on_its_corpora_in_full(name: str) -> None:
    card = MODELS[name].card
    assert tuple(corpus.name for corpus in card.corpora) == TRAINED_ON[name]
    for corpus in card.corpora:
        known = CORPORA[corpus.name]
        assert (corpus.licence, corpus.clips) == (known.licence, known.clips)


@every
def test_licences_stand_beside_it(name: str) -> None:
    card, text = MODELS[name].card, (resolve(name).parent / "LICENSE").read_text(encoding="utf-8")
    for corpus in card.corpora:
        assert corpus.licence.split(",")[0].split(" (")[0] in text
        assert CORPORA[corpus.name].title.split()[0].strip(",:") in text
        assert corpus.name in card.licence_risk
    assert "non-commercial" in card.licence
    assert "non-commercial" in text


@every
def test_the_recipe_is_the_one_in_the_repository(name: str) -> None:
    now = read_recipe(ROOT / "recipes" / f"{name}.toml").sha256()
    assert MODELS[name].card.recipe_sha256 == FORMER_RECIPES.get(name, now)


@every
def test_there_are_figures_for_every_corpus(name: str) -> None:
    figures = MODELS[name].card.figures
    assert {figure.corpus.split("-")[0] for figure in figures} == {*TRAINED_ON[name], "tess"}
    assert len(figures) == 2 * (len(TRAINED_ON[name]) + 1)


@pytest.mark.parametrize(("name", "number"), [(name, number) for number, (name, _) in enumerate(FIGURES)])
def test_a_figure_is_that_of_its_predictions(name: str, number: int) -> None:
    figure = FIGURES[number][1]
    found = summary(read_predictions(ROOT / "results" / name / f"{key_of(name, figure).stem}.csv")).uar
    measured = tuple(100 * value for value in (found.value, found.low, found.high))
    assert (figure.value, figure.low, figure.high) == pytest.approx(measured, abs=ROUNDING)


@every
def test_trust_on_the_card_is_that_of_the_predictions(name: str) -> None:
    card = MODELS[name].card
    assert card.trust is not None
    assert [one.coverage for one in card.trust.sets] == list(COVERAGES)
    assert measured(card, ROOT / "results").trust == card.trust


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.card.adaptable])
def test_the_head_on_the_card_gives_the_scores_of_the_graph(name: str) -> None:
    model = MODELS[name]
    head = model.card.head
    assert head is not None
    weight, bias, merge = (
        np.frombuffer(base64.b64decode(array.base64), "<f4").reshape(array.shape)
        for array in (head.weight, head.bias, head.merge)
    )
    samples = golden_input(seconds=2.0, sample_rate=model.card.sample_rate)[None]
    outputs = model.run(samples)
    logits = (outputs.embedding @ weight.T + bias) / model.card.temperature
    shares = np.exp(logits - logits.max())
    scores = shares / shares.sum() @ merge
    np.testing.assert_allclose(scores / scores.sum(), outputs.scores, atol=LOGIT_NOISE)


def test_the_permissive_head_is_the_one_that_its_recipe_makes() -> None:
    (name,) = heads()
    model = Model.load(resolve("accurate", head=name))
    card = model.card
    assert check_golden(model) <= card.golden.tolerance
    assert card.labels == tuple(label for label in EMOTIONS if label != "surprise")
    assert [corpus.name for corpus in card.corpora] == ["emodb"]
    assert card.recipe_sha256 == read_recipe(ROOT / "recipes" / f"{name}.toml").sha256()
    assert "EMO-DB" in card.licence
    assert "non-commercial" not in card.licence
    assert {figure.corpus for figure in card.figures} == {"emodb"}
    for figure in card.figures:
        labels = "seven" if figure.protocol.endswith("-seven") else "own"
        stem = FigureKey(name, "emodb", labels, "si").stem
        found = summary(read_predictions(ROOT / "results" / name / f"{stem}.csv")).uar
        measured = tuple(100 * value for value in (found.value, found.low, found.high))
        assert (figure.value, figure.low, figure.high) == pytest.approx(measured, abs=ROUNDING)


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.card.speech is not None])
def test_a_model_that_tells_speech_hears_none_in_a_tune_and_all_of_the_demo(name: str) -> None:
    predictor = Predictor(MODELS[name])
    tune = FORMULAS["notes"](np.random.default_rng(123))
    assert all(segment.code == NOT_SPEECH for segment in predictor.predict((tune, 16000)).segments)
    demo = predictor.predict(str(ROOT / "examples" / "demo.flac"))
    assert [segment.code for segment in demo.segments] == [None] * 4
