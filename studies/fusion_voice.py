"""Train the voice heads of the study of voice and face: on every training set, and on two parts of it.

    python -m studies.fusion_voice [--folds five six]

The recipe is that of `accurate`, made cheaper: three frozen Whisper blocks, the 768 main components of their statistics
(from clips that are not of RAVDESS), and a head that learns these, plain and standardised by speaker. *Joint* heads
learn from RAVDESS, CASIA and EMO-DB, *alone* from RAVDESS. In each outer fold a kind has one of all training clips, and
one of each half of the training speakers, which scores the other half: from these all choices are made. Heads are kept
in the cache folder, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from emovox.corpora.folds import make_folds
from emovox.corpora.load import load_clips
from emovox.models.encoders import build_encoder
from emovox.models.head import Head
from emovox.models.network import Encoder
from emovox.training.cache import cache_folder, load_arrays, save_arrays
from emovox.training.data.examples import Examples, vectors
from emovox.training.data.inputs import Inputs, recipe_inputs
from emovox.training.data.statistics import Standardizer, Values, by_speaker, measure, pooled
from emovox.training.data.task import Indices, Task, make_task
from emovox.training.held_out import inner_splits
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.stages.head import HeadAlone
from emovox.training.stages.stage import HEAD, INNER, Context
from emovox.workflow import read_recipe

ROOT = Path(__file__).parent.parent

CORPORA = ("ravdess", "casia", "emodb")
"""The corpora of joint heads."""

PROTOCOLS = {"five": "si-fusion", "six": "si"}
"""Sets of folds of RAVDESS: the five that papers on fusion use, and the six of EmoBox."""

KINDS = ("joint", "alone")

INNER_FOLDS = 2

WIDTH = 768
"""Number of components: a quarter of the statistics, and of the time."""


@dataclass(frozen=True, eq=False)
class Material:
    """The clips of all corpora, the rows of their views, and what the recipe says of encoder and heads."""

    task: Task
    inputs: Inputs
    encoder: Encoder
    recipe: NetworkRecipe

    @property
    def ravdess(self) -> Indices:
        """Return the numbers of the clips of RAVDESS."""
        return np.flatnonzero([clip.corpus == "ravdess" for clip in self.task.clips])


@dataclass(frozen=True, eq=False)
class Lessons:
    """All rows to learn from: `rows` [n] are numbers of the inputs, `values` [2 n, 768] their main components.

    They are standardised by `Components.scale`, then by their speaker.
    """

    rows: Indices
    values: npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Components:
    """Main components of statistics, from clips that are not of RAVDESS: they know no test clip."""

    scale: Standardizer
    axes: Values

    def __call__(self, values: Values, scale: Standardizer | None = None) -> Values:
        """Return the components [n, 768] of statistics [n, p], standardised by `scale`, or by those clips."""
        found: Values = (scale or self.scale)(values) @ self.axes
        return found


@dataclass(frozen=True, eq=False)
class OuterFold:
    """Training and test clips of RAVDESS, as numbers of the task, and the parts of the training: (learnt, held)."""

    name: str
    train: Indices
    test: Indices
    inner: tuple[tuple[Indices, Indices], ...]


def read_voice() -> Material:
    """Return the clips without statistics; inputs that the cache lacks are computed first, for hours."""
    recipe = read_recipe(ROOT / "recipes" / "accurate.toml", [])
    assert isinstance(recipe, NetworkRecipe)
    recipe = msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, corpora=CORPORA))
    task = make_task(load_clips(CORPORA), recipe.data)
    inputs = recipe_inputs(task.clips, recipe, folder=cache_folder(), workers=1)
    return Material(task, inputs, build_encoder(recipe.encoder), recipe)


def read_lessons(material: Material) -> Lessons:
    """Compute the statistics of all rows."""
    task, inputs = material.task, material.inputs
    everything = np.arange(len(task.clips))
    rows = inputs.learnt(everything, whole=everything, narrow=everything[:0])
    values = pooled(material.encoder, inputs, rows)
    components = read_components(values[~np.isin(inputs.owner[rows], material.ravdess)])
    both = components(values), by_speaker(task, inputs, rows, values) @ components.axes
    return Lessons(rows, np.concatenate(both).astype(np.float16))


def read_components(values: Values | None = None) -> Components:
    """Return the main components of statistics [n, p], or those that were kept."""
    path = cache_folder() / "fusion" / "components.npz"
    if values is not None and not path.is_file():
        scale = measure(values)
        standard = scale(values)
        _, axes = np.linalg.eigh(standard.T @ standard / len(standard))
        # turned at random, so that dropout takes as much from each
        turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((WIDTH, WIDTH)))
        kept = (axes[:, -WIDTH:] @ turn * np.sqrt(len(axes) / WIDTH)).astype(np.float32)
        save_arrays(path, mean=scale.mean, deviation=scale.deviation, axes=kept)
    found = load_arrays(path)
    return Components(Standardizer(found["mean"], found["deviation"]), found["axes"])


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


def new_head(material: Material) -> Head:
    """Return a head of components with random weights."""
    torch.manual_seed(material.recipe.seed)
    return Head(WIDTH, len(material.task.classes), material.recipe.head)


def load_head(fold: OuterFold, kind: str, part: int, material: Material) -> Head:
    """Return a head that was kept."""
    head = new_head(material)
    head.load_state_dict(torch.load(head_path(fold, kind, part), weights_only=True))
    return head.eval()


def learn(material: Material, lessons: Lessons, fold: OuterFold, kind: str, part: int) -> None:
    """Train a head and keep it."""
    learnt = fold.train if part == 0 else fold.inner[part - 1][0]
    others = np.setdiff1d(np.arange(len(material.task.clips)), material.ravdess)
    clips = np.sort(np.concatenate([learnt, others])) if kind == "joint" else learnt
    chosen = np.flatnonzero(np.isin(material.inputs.owner[lessons.rows], clips))
    both, load = np.concatenate([chosen, chosen + len(lessons.rows)]), vectors(lessons.values)
    owner = np.tile(material.inputs.owner[lessons.rows[chosen]], 2)
    examples = Examples(material.task, owner, lambda rows: load(both[rows]))
    path = head_path(fold, kind, part)
    context = Context(material.task, material.inputs, material.recipe, clips, path.with_suffix(""))
    head = new_head(material)
    plan = material.recipe.head_learning
    assert plan is not None
    context.learn(HeadAlone(head), examples, plan, (HEAD if part == 0 else INNER + part,), "head")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(head.state_dict(), path)


def main() -> None:
    """Train the heads that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    chosen = parser.parse_args().folds
    torch.set_num_threads(1)
    material = read_voice()
    lessons = read_lessons(material)
    folds = [fold for name in chosen for fold in outer_folds(material, name)]
    for fold, kind, part in product(folds, KINDS, range(INNER_FOLDS + 1)):
        if not head_path(fold, kind, part).is_file():
            start = time.monotonic()
            learn(material, lessons, fold, kind, part)
            print(f"{fold.name} {kind} {part}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
