"""Train the voice heads of the study of voice and face: on every training set, and on two parts of it.

    python -m studies.fusion_voice [--folds five six]

The recipe is that of `accurate`: three frozen Whisper blocks, heads that learn statistics as they are and standardised
by those of each speaker. *Joint* heads learn from RAVDESS, CASIA and EMO-DB, *alone* from RAVDESS. For each outer fold
and kind there is one head (three averaged) of all training clips, and one for each half of the training speakers, which
scores the other half: from these the weight of the face and the temperature are chosen. Heads are kept in the cache
folder, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from emovox.corpora.folds import make_folds
from emovox.corpora.load import load_clips
from emovox.models.encoders import build_encoder
from emovox.models.head import Head
from emovox.models.network import Encoder
from emovox.training.cache import cache_folder
from emovox.training.data.inputs import Inputs, recipe_inputs
from emovox.training.data.statistics import Statistics
from emovox.training.data.task import Indices, Task, make_task
from emovox.training.held_out import inner_splits
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.stages.head import fit_head
from emovox.training.stages.stage import HEAD, INNER, Context
from emovox.workflow import read_recipe

ROOT = Path(__file__).parent.parent

CORPORA = ("ravdess", "casia", "emodb")
"""The corpora of joint heads."""

PROTOCOLS = {"five": "si-fusion", "six": "si"}
"""Sets of folds of RAVDESS: the five that papers on fusion use, and the six of EmoBox."""

KINDS = ("joint", "alone")

INNER_FOLDS = 2


@dataclass(frozen=True, eq=False)
class Material:
    """The clips of all corpora, the rows of their views, and the statistics of all rows."""

    task: Task
    inputs: Inputs
    encoder: Encoder
    statistics: Statistics
    recipe: NetworkRecipe

    @property
    def ravdess(self) -> Indices:
        """Return the numbers of the clips of RAVDESS."""
        return np.flatnonzero([clip.corpus == "ravdess" for clip in self.task.clips])


@dataclass(frozen=True, eq=False)
class OuterFold:
    """Training and test clips of RAVDESS, as numbers of the task, and the parts of the training: (learnt, held)."""

    name: str
    train: Indices
    test: Indices
    inner: tuple[tuple[Indices, Indices], ...]


def read_material() -> Material:
    """Return clips and statistics; inputs that the cache lacks are computed first, for hours."""
    recipe = read_recipe(ROOT / "recipes" / "accurate.toml", [])
    assert isinstance(recipe, NetworkRecipe)
    recipe = msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, corpora=CORPORA))
    task = make_task(load_clips(CORPORA), recipe.data)
    inputs = recipe_inputs(task.clips, recipe, folder=cache_folder(), workers=1)
    encoder = build_encoder(recipe.encoder)
    everything = np.arange(len(task.clips))
    rows = inputs.learnt(everything, whole=everything, narrow=everything[:0])
    return Material(task, inputs, encoder, Statistics(task, inputs, encoder, rows), recipe)


def outer_folds(material: Material, folds: str) -> Iterator[OuterFold]:
    """Yield the folds of RAVDESS of a set, "five" or "six"."""
    here = material.ravdess
    clips = [material.task.clips[clip] for clip in here]
    for fold in make_folds(PROTOCOLS[folds], clips):
        train, test = here[np.array(fold.train)], here[np.array(fold.test)]
        parts = inner_splits(material.task, train, n_splits=INNER_FOLDS, by_clip=False, seed=0)
        yield OuterFold(f"{folds}-{fold.number}", train, test, tuple(parts))


def head_path(fold: OuterFold, kind: str, part: int) -> Path:
    """Return the file of a head; part 0 learnt from all training clips, 1 and 2 from a half each."""
    return cache_folder() / "fusion" / f"{fold.name}-{kind}-{part}.pt"


def load_head(path: Path, material: Material) -> Head:
    """Return a head that was kept."""
    state = torch.load(path, weights_only=True)
    hidden = len(state["classify.weight"][0])
    config = msgspec.structs.replace(material.recipe.head, hidden=hidden)
    head = Head(material.encoder.n_statistics, len(material.task.classes), config)
    head.load_state_dict(state)
    return head.eval()


def learn(material: Material, fold: OuterFold, kind: str, part: int) -> None:
    """Train a head and keep it."""
    learnt = fold.train if part == 0 else fold.inner[part - 1][0]
    others = np.setdiff1d(np.arange(len(material.task.clips)), material.ravdess)
    clips = np.sort(np.concatenate([learnt, others])) if kind == "joint" else learnt
    path = head_path(fold, kind, part)
    context = Context(material.task, material.inputs, material.recipe, clips, path.with_suffix(""))
    context.__dict__["_statistics"] = [(material.encoder, material.statistics)]
    plan = material.recipe.head_learning
    assert plan is not None
    members = material.recipe.members if part == 0 else 1
    head = fit_head(
        context, material.encoder, plan, clips, HEAD if part == 0 else INNER + part, "head", members=members
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(head.state_dict(), path)


def main() -> None:
    """Train the heads that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    chosen = parser.parse_args().folds
    torch.set_num_threads(1)
    material = read_material()
    for folds in chosen:
        for kind in KINDS:
            for fold in outer_folds(material, folds):
                for part in range(INNER_FOLDS + 1):
                    if not head_path(fold, kind, part).is_file():
                        start = time.monotonic()
                        learn(material, fold, kind, part)
                        print(f"{fold.name} {kind} {part}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
