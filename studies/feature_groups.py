"""What each group of functionals brings: the baseline trained with more and more of them, speaker-independent.

    python -m studies.feature_groups [--results results]

Needs EMOVOX_CORPORA with ravdess, emodb and casia. Every row is a recipe; its predictions go to
`results/functionals/`, from which `make results` makes the table. Rows that are there already are not run
again. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from emovox.corpora.load import load_clips
from emovox.evaluation.figures.files import write_figure
from emovox.features.groups import GROUPS
from emovox.training.cache import cache_folder
from emovox.training.data.task import make_task
from emovox.training.recipe import Data
from emovox.training.run import train
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Features, Svm, SvmRecipe
from publish.laboratory import figure

VIEWS = {"ravdess": "ravdess-8", "emodb": "emodb", "casia": "casia"}

ROWS = {
    "functionals/1-mfcc": Features(groups=("mfcc",), pca=0),
    "functionals/2-delta": Features(groups=("mfcc", "delta"), pca=0),
    "functionals/3-f0": Features(groups=("mfcc", "delta", "f0"), pca=0),
    "functionals/4-energy": Features(groups=("mfcc", "delta", "f0", "energy"), pca=0),
    "functionals/5-all": Features(groups=tuple(GROUPS), pca=0),
    "functionals/6-pca": Features(groups=tuple(GROUPS), pca=0.95),
    "functionals/7-selection": Features(groups=tuple(GROUPS), pca=0.95, select=300),
}


CONTROL = ("functionals/6-pca", "ravdess")
"""The row whose whole clips and telephone copies are kept too: what a model scores that learnt from none of them."""


def main() -> None:
    """Train every row on every corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    results = parser.parse_args().results
    for corpus, view in VIEWS.items():
        data = Data(corpora=(corpus,), view=view, protocol="si")
        task = make_task(load_clips(data.corpora), data)
        for name, features in ROWS.items():
            key = figure(name, view, "si")
            if (results / name / f"{key.stem}.csv").is_file():
                continue
            recipe = SvmRecipe(
                name=f"{name.replace('/', '-')}-{corpus}", data=data, features=features, svm=Svm(), whole=False
            )
            method = SvmMethod.prepared(task, recipe, folder=cache_folder())
            run = train(task, recipe, cache_folder() / "runs" / recipe.name, method, resume=True)
            for condition in ("tile", "whole", "narrow") if (name, corpus) == CONTROL else ("tile",):
                made = run.predictions[replace(key, model=recipe.name, condition=condition)]
                print(
                    f"{write_figure(made, replace(key, model=name, condition=condition), results)} written", flush=True
                )


if __name__ == "__main__":
    main()
