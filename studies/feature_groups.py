"""What each group of functionals brings: the baseline trained with more and more of them, speaker-independent.

    python -m studies.feature_groups [--results results]

Needs EMOVOX_CORPORA with ravdess, emodb and casia. Every row is a recipe; its predictions go to
`results/<row>/<corpus>-si.csv`, from which `make results` makes the table. Rows that are there already are not run
again. About ten minutes on one core.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from emovox.corpora.load import load_clips
from emovox.features.groups import GROUPS
from emovox.training.cache import cache_folder
from emovox.training.recipe import Data
from emovox.training.run import train
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.recipe import Features, Svm, SvmRecipe
from emovox.training.svm.task import make_svm_task

VIEWS = {"ravdess": "ravdess-8", "emodb": "emodb", "casia": "casia"}

ROWS = {
    "svm-1-mfcc": Features(groups=("mfcc",), pca=0),
    "svm-2-delta": Features(groups=("mfcc", "delta"), pca=0),
    "svm-3-f0": Features(groups=("mfcc", "delta", "f0"), pca=0),
    "svm-4-energy": Features(groups=("mfcc", "delta", "f0", "energy"), pca=0),
    "svm-5-all": Features(groups=tuple(GROUPS), pca=0),
    "svm-6-pca": Features(groups=tuple(GROUPS), pca=0.95),
    "svm-7-selection": Features(groups=tuple(GROUPS), pca=0.95, select=300),
}


CONTROL = ("svm-6-pca", "ravdess")
"""The row whose whole clips and telephone copies are kept too: what a model scores that learnt from none of them."""


def main() -> None:
    """Train every row on every corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    results = parser.parse_args().results
    for corpus, view in VIEWS.items():
        data = Data(corpora=(corpus,), view=view, protocol="si")
        task = make_svm_task(load_clips(data.corpora), data, cache=cache_folder())
        for name, features in ROWS.items():
            target = results / name / f"{view}-si.csv"
            if target.is_file():
                continue
            recipe = SvmRecipe(name=f"{name}-{corpus}", data=data, features=features, svm=Svm())
            run = train(task, recipe, cache_folder() / "runs" / recipe.name, SvmMethod(task, recipe), resume=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            for kind in ("", "-whole", "-narrow") if (name, corpus) == CONTROL else ("",):
                source = run.folder / "predictions" / f"{view}-si{kind}.csv"
                shutil.copyfile(source, target.with_name(source.name))
            print(f"{target} written", flush=True)


if __name__ == "__main__":
    main()
