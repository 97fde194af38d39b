"""Does a head change its label less if it learns that a clip and its changed copies are alike?

    python -m studies.consistency [RECIPE] [--weights 0,1,4]

One head for each fold learns from the cached statistics of a recipe with a frozen encoder and copies (default:
recipes/tried/accurate-noise.toml). Every other batch is mixed up. In the others each row is paired with another view
of its clip, a tile or a copy, and the Jensen-Shannon divergence of the two answers is added to the loss. One row is
printed for each weight: UAR of the test speakers by corpus in %, and the share of their clips whose label is the same
on a copy of the first table of changes, on one of the second table, and through 8 kHz. It takes 25 s a fold and weight.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emovox.augment.conditions import NARROW
from emovox.corpora.load import load_clips
from emovox.models.encoders import build_encoder
from emovox.models.head import Head
from emovox.training.cache import cache_folder
from emovox.training.data.inputs import recipe_inputs
from emovox.training.data.statistics import Values, measure, pooled
from emovox.training.data.task import Indices, Task, make_task, task_folds
from emovox.training.data.views import COPY, TILE
from emovox.training.held_out import clip_means
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.objectives import classification_loss
from emovox.workflow import read_recipe
from publish.tables import table

RECIPE = Path("recipes/tried/accurate-noise.toml")

COMPARED = (f"{COPY}1", f"{COPY}2", NARROW)
"""Views whose labels are compared with those of the tiles."""

NOWHERE = -1e9
"""Logit of a class that the corpus of a clip lacks."""


@dataclass(frozen=True, eq=False)
class Views:
    """Statistics [n, p] of n views: number of the clip, name of the view, and seconds of speech."""

    values: Values
    owner: Indices
    view: npt.NDArray[np.str_]
    seconds: npt.NDArray[np.float64]


def read_views(task: Task, recipe: NetworkRecipe) -> Views:
    """Return the tiles, narrow tiles and copies of all clips."""
    inputs = recipe_inputs(task.clips, recipe, folder=cache_folder())
    rows = np.flatnonzero(np.char.startswith(inputs.view, COPY) | np.isin(inputs.view, [TILE, NARROW]))
    values = pooled(build_encoder(recipe.encoder).eval(), inputs, rows)
    return Views(values, inputs.owner[rows], inputs.view[rows], inputs.seconds[rows])


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of probabilities [b, classes] from logits, [b]."""
    one, other = first.log_softmax(1), second.log_softmax(1)
    middle = torch.logaddexp(one, other) - np.log(2)
    found: Tensor = ((one.exp() * (one - middle)).sum(1) + (other.exp() * (other - middle)).sum(1)) / 2
    return found


class Learner:
    """Draws batches of a fold, and trains a head by them."""

    def __init__(self, task: Task, recipe: NetworkRecipe, views: Views, rows: Indices, seed: int) -> None:
        if recipe.head_learning is None:
            raise SystemExit(f"{recipe.name} has no head_learning, expected a recipe with a frozen encoder")
        self.task, self.plan, self.rng = task, recipe.head_learning, np.random.default_rng(seed)
        self.values, self.owner = torch.from_numpy(views.values), views.owner
        torch.manual_seed(seed)
        self.head = Head(views.values.shape[1], len(task.classes), recipe.head)
        scale = measure(views.values[rows])
        self.head.set_statistics(torch.from_numpy(scale.mean), torch.from_numpy(scale.deviation))
        corpora = np.array([task.clips[owner].corpus for owner in views.owner[rows]])
        self.corpora = [rows[corpora == name] for name in np.unique(corpora)]
        weights = np.array([recipe.data.weights.get(name, 1.0) for name in np.unique(corpora)])
        self.weights = weights / weights.sum()
        self.of_clip: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            self.of_clip[int(views.owner[row])].append(int(row))

    def learn(self, weight: float) -> Head:
        """Train the head with this weight of the divergence."""
        settings = self.plan.optimiser
        optimiser = torch.optim.AdamW(
            self.head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        rate = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings.learning_rate, settings.steps, pct_start=settings.warm_up
        )
        self.head.train()
        for step in range(settings.steps):
            optimiser.zero_grad()
            torch.autograd.backward(self.mixed() if step % 2 else self.paired(weight))
            optimiser.step()
            rate.step()
        return self.head.eval()

    def drawn(self) -> Indices:
        """Return the rows of a batch; corpora have the weights of the recipe."""
        counts = self.rng.multinomial(self.plan.optimiser.batch, self.weights)
        return np.concatenate([self.rng.choice(rows, n) for rows, n in zip(self.corpora, counts, strict=True)])

    def targets(self, rows: Indices) -> tuple[Tensor, Tensor]:
        """Return targets and allowed classes, [b, classes] each."""
        labels = torch.from_numpy(self.task.labels[self.owner[rows]])
        allowed = torch.from_numpy(self.task.allowed[self.owner[rows]])
        return torch.nn.functional.one_hot(labels, allowed.shape[1]).float(), allowed

    def loss(self, logits: Tensor, targets: Tensor, allowed: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        return classification_loss(logits, targets, allowed, smoothing=self.plan.loss.smoothing).mean()

    def mixed(self) -> Tensor:
        """Return the loss of a batch that is mixed up."""
        rows, beta = self.drawn(), self.plan.mixup.beta
        (targets, allowed), other = self.targets(rows), torch.from_numpy(self.rng.permutation(len(rows)))
        share = torch.from_numpy(self.rng.beta(beta, beta, (len(rows), 1))).float()
        values = self.values[rows]
        logits = self.head(share * values + (1 - share) * values[other])["logits"]
        return self.loss(logits, share * targets + (1 - share) * targets[other], allowed | allowed[other])

    def paired(self, weight: float) -> Tensor:
        """Return the loss of a batch and of another view of each row, and the divergence of the two."""
        rows = self.drawn()
        others = np.array([self.rng.choice(self.of_clip[int(clip)]) for clip in self.owner[rows]])
        targets, allowed = self.targets(rows)
        logits = self.head(self.values[np.concatenate([rows, others])])["logits"]
        loss = self.loss(logits, targets.repeat(2, 1), allowed.repeat(2, 1))
        first, second = logits.masked_fill(~allowed.repeat(2, 1), NOWHERE).chunk(2)
        return loss + weight * divergence(first, second).mean()


def chosen(task: Task, views: Views, head: Head, view: str) -> Indices:
    """Return the label of each clip by one view of it, [clips]; -1 without such a view."""
    rows = np.flatnonzero(views.view == view)
    with torch.inference_mode():
        logits = head(torch.from_numpy(views.values[rows]))["logits"].double().softmax(1).numpy()
    means = clip_means(logits, views.owner[rows], views.seconds[rows], len(task.clips))
    found: Indices = np.where(task.allowed, means, -1).argmax(1)
    found[np.setdiff1d(np.arange(len(task.clips)), views.owner[rows])] = -1
    return found


def measured(task: Task, recipe: NetworkRecipe, views: Views, weight: float) -> Iterator[float]:
    """Yield UAR by corpus, and the shares of unchanged labels, in %."""
    labels = {view: np.full(len(task.clips), -1) for view in (TILE, *COMPARED)}
    for fold in task_folds(task, recipe.data, seed=recipe.seed):
        rows = np.flatnonzero(np.isin(views.owner, fold.train))
        head, test = Learner(task, recipe, views, rows, fold.number).learn(weight), np.array(fold.test)
        for view, known in labels.items():
            known[test] = chosen(task, views, head, view)[test]
    corpora = np.array([clip.corpus for clip in task.clips])
    for corpus in task.corpora:
        clips = np.flatnonzero((corpora == corpus) & (labels[TILE] >= 0))
        right = labels[TILE][clips] == task.labels[clips]
        yield 100 * float(np.mean([right[task.labels[clips] == one].mean() for one in np.unique(task.labels[clips])]))
    for view in COMPARED:
        both = (labels[view] >= 0) & (labels[TILE] >= 0)
        yield 100 * float((labels[view] == labels[TILE])[both].mean())


def main() -> None:
    """Train the heads, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE)
    parser.add_argument("--weights", default="0,1,4", help="of the divergence")
    options = parser.parse_args()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    recipe = read_recipe(options.recipe)
    if not isinstance(recipe, NetworkRecipe):
        raise SystemExit(f"{options.recipe} has kind {recipe.kind}, expected network")
    task = make_task(load_clips(recipe.data.corpora), recipe.data)
    views, rows = read_views(task, recipe), []
    for weight in map(float, options.weights.split(",")):
        rows.append((f"{weight:g}", *(f"{value:.1f}" for value in measured(task, recipe, views, weight))))
        print(*rows[-1], flush=True)
    print(table(("weight", *task.corpora, *COMPARED), rows))


if __name__ == "__main__":
    main()
