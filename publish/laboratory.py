"""Which figures there should be, from which recipes, and which there are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from emovox.corpora.folds import SCORED_ONLY
from emovox.evaluation.figures.comparison import PROTOCOLS, Entry, Measured, describe_protocol, measure, view_of
from emovox.evaluation.figures.predictions import Predictions, read_predictions
from emovox.training.read import read_recipe
from emovox.training.recipe import Data

ROOT = Path(__file__).parents[1]
RESULTS, RECIPES = ROOT / "results", ROOT / "recipes"

MODELS = ("svm", "reference-hybrid", "ge2e", "ge2e-fine", "mobile", "hybrid", "accurate")
"""In the order of every table: the baseline first, then by what is to be expected of them; others follow."""

CORPORA = {
    "ravdess-8": "RAVDESS-8", "ravdess-7": "RAVDESS-7", "emodb": "EMO-DB", "casia": "CASIA", "nemo": "nEMO",
    "tess": "TESS",
}  # fmt: skip
"""Label views of the published corpora: as in the names of files → as in tables."""


PUBLISHED = ("ravdess", *(name for name in CORPORA if not name.startswith("ravdess")))


class Planned(NamedTuple):
    """A figure that a recipe gives, in `results/<model>/<figure>.csv`: the command, and the folder of its run."""

    model: str
    figure: str
    command: str
    run: str = ""


class Cost(NamedTuple):
    """What `--cost` measured: parameters, bytes of the graph, and milliseconds for 3 s on one core."""

    parameters: int
    size: int
    milliseconds: float
    fastest: float
    matrix: float
    front_end: float | None
    machine: str
    command: str


def model_of(stem: str) -> str:
    """Tell the model from the name of a recipe, `<model>[-<corpus>][-sd]`.

    >>> model_of("accurate-casia-sd"), model_of("reference-hybrid"), model_of("ge2e-fine-ravdess")
    ('accurate', 'reference-hybrid', 'ge2e-fine')
    """
    plain = stem.removesuffix("-sd")
    return next((plain.removesuffix(f"-{name}") for name in PUBLISHED if plain.endswith(f"-{name}")), plain)


def in_order(models: Iterable[str]) -> list[str]:
    """Put models into the order of tables, each once."""
    return sorted(set(models), key=lambda name: (MODELS.index(name) if name in MODELS else len(MODELS), name))


def figures_of(data: Data) -> list[str]:
    """Name the figures that a recipe on published corpora gives, on the path of `predict`."""
    if not all(corpus in PUBLISHED for corpus in data.corpora):
        return []
    if data.protocol == "zero-shot":
        return [f"{data.target}-zero-shot"]
    names = []
    for corpus in data.corpora:
        protocol = "zero-shot" if data.protocol == "joint" and corpus in SCORED_ONLY else data.protocol
        names.append(f"{_view(corpus, data.view)}-{protocol}")
    return names


def planned(recipes: Path = RECIPES) -> list[Planned]:
    """List what all recipes give, by file."""
    found = [Planned("svm", "casia-zero-shot", "emovox evaluate svm --corpus casia --protocol zero-shot")]
    for path in sorted(recipes.glob("*.toml")):
        recipe, command = read_recipe(path), f"emovox train recipes/{path.name}"
        found += [Planned(model_of(path.stem), name, command, recipe.name) for name in figures_of(recipe.data)]
    return found


class Figures:
    """The committed predictions, each read and measured when it is first asked for.

    Args:
        folder: holds `<model>/<figure>.csv`.
        plans: what there should be.
    """

    def __init__(self, folder: Path = RESULTS, plans: Iterable[Planned] | None = None) -> None:
        self.folder = folder
        self.plans = list(planned() if plans is None else plans)
        self.models = in_order(plan.model for plan in self.plans)
        self.measured = cache(self._measured)
        self.predictions = cache(self._predictions)

    def of_corpus(self, corpus: str) -> list[tuple[str, str]]:
        """(model, figure) of all that is there or planned on a corpus, by protocol, then in the order of models."""
        there = {
            (path.parent.name, path.stem) for path in self.folder.glob("*/*.csv") if path.parent.name in self.models
        }
        wanted = {(plan.model, plan.figure) for plan in self.plans}
        own = [(model, name) for model, name in there | wanted if not view_of(name) and corpus_of(name) == corpus]
        return sorted(own, key=lambda key: (list(PROTOCOLS).index(protocol_of(key[1])), self.models.index(key[0])))

    def command(self, model: str, figure: str) -> str:
        """The one command that gives a figure; "" where no recipe does."""
        return next((plan.command for plan in self.plans if (plan.model, plan.figure) == (model, figure)), "")

    def cost(self, model: str) -> Cost | None:
        """What the model costs, if it was measured."""
        path = self.folder / model / "cost.json"
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return Cost(**data) if data else None

    def _predictions(self, model: str, figure: str) -> Predictions | None:
        path = self.folder / model / f"{figure}.csv"
        return read_predictions(path) if path.is_file() else None

    def _measured(self, model: str, figure: str) -> Measured | None:
        made = self.predictions(model, figure)
        return None if made is None else measure([Entry(figure, made, describe_protocol(figure))])[0]


def corpus_of(figure: str) -> str:
    """Take protocol and view from the name of a figure.

    >>> corpus_of("ravdess-8-joint-whole"), corpus_of("tess-zero-shot")
    ('ravdess-8', 'tess')
    """
    plain = figure.removesuffix(f"-{view_of(figure)}")
    return plain.removesuffix(f"-{protocol_of(figure)}")


def protocol_of(figure: str) -> str:
    """The protocol's key in the name of a figure.

    >>> protocol_of("ravdess-8-si-fusion-whole"), protocol_of("casia-sd")
    ('si-fusion', 'sd')
    """
    plain = figure.removesuffix(f"-{view_of(figure)}")
    return max((key for key in PROTOCOLS if plain.endswith(f"-{key}")), key=len)


def _view(corpus: str, view: str) -> str:
    if view not in ("own", "seven"):
        return view
    if corpus == "ravdess":
        return "ravdess-8" if view == "own" else "ravdess-7"
    return corpus
