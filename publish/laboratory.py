"""The planned figures, the recipes that make them, and the figures that exist."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from emovox.corpora.folds import SCORED_ONLY
from emovox.corpora.views import label_space
from emovox.evaluation.figures.comparison import Entry, Measured, measure
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.figure import OWN, PROTOCOLS, TILE, FigureKey
from emovox.training.recipe import Data
from emovox.workflow import read_recipe

ROOT = Path(__file__).parents[1]
RESULTS, RECIPES = ROOT / "results", ROOT / "recipes"

MODELS = ("svm", "reference-hybrid", "ge2e", "mobile", "hybrid", "accurate", "permissive")
"""In the order of every table: the baseline first, then by what is to be expected of them; others follow."""

CORPORA = {
    "ravdess-8": "RAVDESS-8", "ravdess-7": "RAVDESS-7", "emodb": "EMO-DB", "casia": "CASIA", "nemo": "nEMO",
    "emovo": "EMOVO", "tess": "TESS",
}  # fmt: skip
"""Published corpora, RAVDESS by its label views: `FigureKey.dataset` → name in tables."""

PUBLISHED = ("ravdess", *(name for name in CORPORA if not name.startswith("ravdess")))


class Planned(NamedTuple):
    """A figure that a recipe gives: the command, and the folder of its run."""

    key: FigureKey
    command: str
    run: str = ""


class Cost(NamedTuple):
    """A measurement of `--cost`: parameters, bytes of the graph, and milliseconds for 3 s on one core."""

    parameters: int
    size: int
    milliseconds: float
    fastest: float
    matrix: float
    front_end: float | None
    machine: str
    command: str


def model_of(stem: str) -> str:
    """Tell the model from the name of a recipe, `<model>[[-no]-<corpus>][-sd]`.

    >>> model_of("accurate-casia-sd"), model_of("reference-hybrid"), model_of("accurate-no-emovo")
    ('accurate', 'reference-hybrid', 'accurate')
    """
    plain = stem.removesuffix("-sd")
    found = next((plain.removesuffix(f"-{name}") for name in PUBLISHED if plain.endswith(f"-{name}")), plain)
    return found.removesuffix("-no")


def in_order(models: Iterable[str]) -> list[str]:
    """Put models into the order of tables, each once."""
    return sorted(set(models), key=lambda name: (MODELS.index(name) if name in MODELS else len(MODELS), name))


def figure(model: str, dataset: str, protocol: str, condition: str = TILE) -> FigureKey:
    """Return the key of a figure over the labels of a corpus.

    >>> figure("svm", "ravdess-8", "si").stem, figure("svm", "emodb", "joint", "whole").stem
    ('ravdess_ravdess-8_si_tile', 'emodb_own_joint_whole')
    """
    corpus = "ravdess" if dataset.startswith("ravdess-") else dataset
    return FigureKey(model, corpus, OWN if corpus == dataset else dataset, protocol, condition)


def title_of(key: FigureKey) -> str:
    """Return the name of a corpus in tables; the seven classes of RAVDESS are RAVDESS-7 in every view."""
    return CORPORA["ravdess-7" if key.dataset == "ravdess" else key.dataset]


def figures_of(model: str, data: Data) -> list[FigureKey]:
    """Name the figures that a recipe on published corpora gives, on the path of `predict`."""
    if not all(corpus in PUBLISHED for corpus in data.corpora):
        return []
    if data.protocol == "zero-shot":
        return [FigureKey(model, str(data.target), OWN, "zero-shot")]
    keys = []
    for corpus in data.corpora:
        protocol = "unheard" if data.protocol == "joint" and corpus in SCORED_ONLY else data.protocol
        keys.append(FigureKey(model, corpus, label_space(corpus, data.view, calm=data.view == OWN), protocol))
    return keys


def planned(recipes: Path = RECIPES) -> list[Planned]:
    """List what all recipes give, by file; those for a user's recordings, with `copies.own`, give nothing here."""
    command = "emovox evaluate svm --corpus casia --protocol zero-shot"
    found = [Planned(figure("svm", "casia", "zero-shot"), command)]
    for path in sorted(recipes.glob("*.toml")):
        recipe, command = read_recipe(path), f"emovox train recipes/{path.name}"
        if OWN not in getattr(recipe, "copies", {}):
            found += [Planned(key, command, recipe.name) for key in figures_of(model_of(path.stem), recipe.data)]
    return found


class Figures:
    """The committed predictions, each read and measured when it is first asked for.

    Args:
        folder: holds `<model>/<stem>.csv`.
        plans: what there should be.
    """

    def __init__(self, folder: Path = RESULTS, plans: Iterable[Planned] | None = None) -> None:
        self.folder = folder
        self.plans = list(planned() if plans is None else plans)
        self.models = in_order(plan.key.model for plan in self.plans)
        self.measured = cache(self._measured)
        self.predictions = cache(self._predictions)

    def of_dataset(self, dataset: str) -> list[FigureKey]:
        """List all headline figures on a corpus that are there or planned, by protocol, then in the order of models."""
        there = {
            FigureKey.parse(model, path.stem) for model in self.models for path in (self.folder / model).glob("*.csv")
        }
        wanted = {plan.key for plan in self.plans}
        found = [key for key in there | wanted if key.headline and key.dataset == dataset]
        return sorted(found, key=lambda key: (list(PROTOCOLS).index(key.protocol), self.models.index(key.model)))

    def command(self, key: FigureKey) -> str:
        """Return the one command that gives a figure; "" where no recipe does."""
        return next((plan.command for plan in self.plans if plan.key == key), "")

    def cost(self, model: str) -> Cost | None:
        """Return what the model costs, if it was measured."""
        path = self.folder / model / "cost.json"
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return Cost(**data) if data else None

    def _predictions(self, key: FigureKey) -> Predictions | None:
        path = self.folder / key.model / f"{key.stem}.csv"
        return read_predictions(path) if path.is_file() else None

    def _measured(self, key: FigureKey) -> Measured | None:
        made = self.predictions(key)
        return None if made is None else measure([Entry(key.stem, made, key.words, key=key)])[0]
