"""The trust suite of a shipped model, with its out-of-fold predictions in results/ in place of a run.

    python -m studies.trust_on_file MODEL --output FOLDER

The predictions answer for the corpora of the training: what needs neither sound nor facts about speakers is tested on
them, each speaker by a model that did not learn from the voice. The shipped model hears the corpora that are in no
training of it, and all other sounds. It takes about three minutes, and needs `$EMOVOX_CORPORA` and `$EMOVOX_NOISE`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import emovox
from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.trust.run import SuitePlan, run_suite
from emovox.evaluation.trust.system import System, from_predictor
from emovox.schema.figure import SEVEN, TILE, FigureKey
from emovox.training.cache import cache_folder
from publish.laboratory import RESULTS
from studies.kit import print_suite

UNHEARD = ("tess", "emovo")
"""Corpora that are heard, unless the model learnt from them."""


def system_of(model: str) -> System:
    """Return a shipped model with its predictions on file, on the path of `predict` and over all its labels."""
    system = from_predictor(emovox.load(model))
    found: Mapping[str, Predictions] = {
        corpus: read_predictions(RESULTS / model / f"{FigureKey(model, corpus, SEVEN, 'joint', TILE).stem}.csv")
        for corpus in sorted(system.learnt)
    }
    note = "Predictions on file answer for corpora out of fold, without sound; the shipped model hears the others."
    return replace(system, out_of_fold=found, notes=(*system.notes, note))


def main() -> None:
    """Run the suite, and write its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    system = system_of(options.model)
    clips: dict[str, list[Clip]] = {corpus: [] for corpus in system.out_of_fold}
    for clip in load_clips([name for name in UNHEARD if name not in system.learnt]):
        clips.setdefault(clip.corpus, []).append(clip)
    plan = SuitePlan(
        form="quick",
        noise=Path(os.environ["EMOVOX_NOISE"]),
        work=cache_folder() / "trust",
        resume=True,
        command=f"python -m studies.trust_on_file {options.model}",
    )
    print_suite(run_suite(system, clips, plan), options.output)


if __name__ == "__main__":
    main()
