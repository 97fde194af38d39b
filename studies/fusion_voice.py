"""Train the voice heads of the study of voice and face: on every training set, and on two parts of it.

    python -m studies.fusion_voice [--folds five six] [--size small full]

The recipe is that of `accurate`: three frozen Whisper blocks, and heads that learn their statistics, plain and
standardised by speaker. *Joint* heads learn from several corpora, *alone* heads from RAVDESS. `full` heads have the
size and the five corpora of the recipe, but one member of its three. `small` ones are cheaper: the 768 main components
of the statistics (from clips that are not of RAVDESS), and RAVDESS, CASIA and EMO-DB. In each outer fold a kind has
heads of all training clips, and of each half of the training speakers, which score the other half: from these all
choices are made. Heads are kept in the cache folder, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

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


class HeadSize(NamedTuple):
    """The corpora of joint heads, the width of the components (None: all statistics), and the number of members."""

    corpora: tuple[str, ...]
    width: int | None
    members: int


SMALL, FULL = "small", "full"

SIZES = {
    SMALL: HeadSize(("ravdess", "casia", "emodb"), 768, 1),
    FULL: HeadSize(("ravdess", "casia", "emodb", "nemo", "emovo"), None, 1),
}

PROTOCOLS = {"five": "si-fusion", "six": "si"}
"""Sets of folds of RAVDESS: the five that papers on fusion use, and the six of EmoBox."""

KINDS = ("joint", "alone")

INNER_FOLDS = 2


@dataclass(frozen=True, eq=False)
class Material:
    """The clips of all corpora, the rows of their views, and what the recipe says of encoder and heads."""

    task: Task
    inputs: Inputs
    encoder: Encoder
    recipe: NetworkRecipe
    size: str

    @property
    def members(self) -> range:
        """Return the numbers of the members of each kind of heads."""
        return range(SIZES[self.size].members)

    @property
    def ravdess(self) -> Indices:
        """Return the numbers of the clips of RAVDESS."""
        return np.flatnonzero([clip.corpus == "ravdess" for clip in self.task.clips])


@dataclass(frozen=True, eq=False)
class Lessons:
    """All rows to learn from: `rows` [n] are numbers of the inputs, `values` [2 n, width] their main components.

    They are standardised by `Components.scale`, then by their speaker.
    """

    rows: Indices
    values: npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Components:
    """Main components of statistics, from clips that are not of RAVDESS: they know no test clip."""

    scale: Standardizer
    axes: Values | None

    def __call__(self, values: Values, scale: Standardizer | None = None) -> Values:
        """Return the components [n, width] of statistics [n, p], standardised by `scale`, or by those clips."""
        return self.turned((scale or self.scale)(values))

    def turned(self, values: Values) -> Values:
        """Return the components of standardised statistics; without axes, these themselves."""
        return values if self.axes is None else np.asarray(values @ self.axes)


@dataclass(frozen=True, eq=False)
class OuterFold:
    """Training and test clips of RAVDESS, as numbers of the task, and the parts of the training: (learnt, held)."""

    name: str
    train: Indices
    test: Indices
    inner: tuple[tuple[Indices, Indices], ...]


def read_voice(size: str) -> Material:
    """Return the clips without statistics; inputs that the cache lacks are computed first, for hours."""
    recipe = read_recipe(ROOT / "recipes" / "accurate.toml", [])
    assert isinstance(recipe, NetworkRecipe)
    corpora = SIZES[size].corpora
    weights = {name: weight for name, weight in recipe.data.weights.items() if name in corpora}
    recipe = msgspec.structs.replace(
        recipe, data=msgspec.structs.replace(recipe.data, corpora=corpora, weights=weights)
    )
    task = make_task(load_clips(corpora), recipe.data)
    inputs = recipe_inputs(task.clips, recipe, folder=cache_folder(), workers=1)
    return Material(task, inputs, build_encoder(recipe.encoder), recipe, size)


def read_lessons(material: Material) -> Lessons:
    """Compute the statistics of all rows."""
    task, inputs = material.task, material.inputs
    everything = np.arange(len(task.clips))
    rows = inputs.learnt(everything, whole=everything, narrow=everything[:0])
    values = pooled(material.encoder, inputs, rows)
    components = read_components(material.size, values[~np.isin(inputs.owner[rows], material.ravdess)])
    both = components(values), components.turned(by_speaker(task, inputs, rows, values))
    return Lessons(rows, np.concatenate(both).astype(np.float16))


def read_components(size: str, values: Values | None = None) -> Components:
    """Return the main components of statistics [n, p], or those that were kept."""
    width = SIZES[size].width
    path = cache_folder() / "fusion" / ("components.npz" if size == SMALL else f"components-{size}.npz")
    if values is not None and not path.is_file():
        scale = measure(values)
        if width is None:
            save_arrays(path, mean=scale.mean, deviation=scale.deviation)
            return Components(scale, None)
        standard = scale(values)
        _, axes = np.linalg.eigh(standard.T @ standard / len(standard))
        # turned at random, so that dropout takes as much from each
        turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))
        kept = (axes[:, -width:] @ turn * np.sqrt(len(axes) / width)).astype(np.float32)
        save_arrays(path, mean=scale.mean, deviation=scale.deviation, axes=kept)
    found = load_arrays(path)
    return Components(Standardizer(found["mean"], found["deviation"]), found.get("axes"))


def outer_folds(material: Material, folds: str) -> Iterator[OuterFold]:
    """Yield the folds of RAVDESS of a set, "five" or "six"."""
    here = material.ravdess
    clips = [material.task.clips[clip] for clip in here]
    for fold in make_folds(PROTOCOLS[folds], clips):
        train, test = here[np.array(fold.train)], here[np.array(fold.test)]
        parts = inner_splits(material.task, train, n_splits=INNER_FOLDS, by_clip=False, seed=0)
        yield OuterFold(f"{folds}-{fold.number}", train, test, tuple(parts))


@dataclass(frozen=True)
class HeadName:
    """A head of a fold: its kind, its part (0 learnt from all training clips, 1 and 2 from a half each), its member."""

    kind: str
    part: int
    member: int

    def path(self, fold: OuterFold, size: str) -> Path:
        """Return the file of the head."""
        end = "" if size == SMALL else f"-{size}-{self.member}"
        return cache_folder() / "fusion" / f"{fold.name}-{self.kind}-{self.part}{end}.pt"


def new_head(material: Material, member: int) -> Head:
    """Return a head of components with random weights."""
    torch.manual_seed(material.recipe.seed + member)
    width = SIZES[material.size].width or material.encoder.n_statistics
    return Head(width, len(material.task.classes), material.recipe.head)


def load_heads(fold: OuterFold, part: int, material: Material) -> tuple[tuple[Head, ...], ...]:
    """Return the members of each kind that were kept."""
    return tuple(
        tuple(_load(fold, HeadName(kind, part, member), material) for member in material.members) for kind in KINDS
    )


def _load(fold: OuterFold, name: HeadName, material: Material) -> Head:
    head = new_head(material, name.member)
    head.load_state_dict(torch.load(name.path(fold, material.size), weights_only=True))
    return head.eval()


def learn(material: Material, lessons: Lessons, fold: OuterFold, name: HeadName) -> None:
    """Train a head and keep it."""
    learnt = fold.train if name.part == 0 else fold.inner[name.part - 1][0]
    others = np.setdiff1d(np.arange(len(material.task.clips)), material.ravdess)
    clips = np.sort(np.concatenate([learnt, others])) if name.kind == "joint" else learnt
    chosen = np.flatnonzero(np.isin(material.inputs.owner[lessons.rows], clips))
    both, load = np.concatenate([chosen, chosen + len(lessons.rows)]), vectors(lessons.values)
    owner = np.tile(material.inputs.owner[lessons.rows[chosen]], 2)
    examples = Examples(material.task, owner, lambda rows: load(both[rows]))
    path = name.path(fold, material.size)
    context = Context(material.task, material.inputs, material.recipe, clips, path.with_suffix(""))
    head = new_head(material, name.member)
    plan = material.recipe.head_learning
    assert plan is not None
    seeds = (HEAD if name.part == 0 else INNER + name.part, *([name.member] if name.member else []))
    context.learn(HeadAlone(head), examples, plan, seeds, "head")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(head.state_dict(), path)


def main() -> None:
    """Train the heads that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--size", choices=SIZES, default=SMALL)
    options = parser.parse_args()
    torch.set_num_threads(1)
    material = read_voice(options.size)
    lessons = read_lessons(material)
    folds = [fold for name in options.folds for fold in outer_folds(material, name)]
    for member, fold, kind, part in product(material.members, folds, KINDS, range(INNER_FOLDS + 1)):
        name = HeadName(kind, part, member)
        if not name.path(fold, options.size).is_file():
            start = time.monotonic()
            learn(material, lessons, fold, name)
            print(f"{fold.name} {name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
