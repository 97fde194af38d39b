"""A new language with few labelled clips of other speakers: which way of learning wins, and when.

    python -m studies.few_labels [--seeds 2] [--steps 300] [--width 768] [--corpora ravdess,casia,…]

Each language in turn is new: no head has heard it. Half of its speakers (two splits, men and women dealt in turn) give
0, 5, 10, 20 or 50 labelled clips a class, the other half is the test. The kit is `studies.kit`: clip means
of the frozen encoder of `accurate`, no changed copies, so read the differences, not the levels.

Ways: `others` learns from all other languages, no clip of the new one. `alone` learns from the few clips only. `joint`
learns from both at once, the new language as one more corpus, or with three times the weight. `head` goes on from
`others` with the few clips. `low rank` leaves its head as it is and learns a map of rank 8 before it. Each is scored
plain, and with the mean of the given speakers' clips removed ("source"), which takes no label.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from emovox.evaluation.report.document import Table, to_markdown
from emovox.models.head import Head
from emovox.training.data.examples import Examples, vectors
from emovox.training.data.task import Indices
from emovox.training.loop import learn
from emovox.training.plan import Loss, Mixup, Optimiser, Plan
from emovox.training.stages.head import HeadAlone
from studies.adaptation import CORPORA
from studies.kit import Kit, Variant, fit, read_kit, uar

BUDGETS = (5, 10, 20, 50)
RANK = 8
NEW = ("casia", "emodb", "nemo", "emovo")
"""Corpora whose language no other has."""


class LowRank(HeadAlone):
    """A fixed head behind a map that learns: z + B A z + c."""

    def __init__(self, head: Head) -> None:
        super().__init__(head.requires_grad_(requires_grad=False))
        width = len(head.mean)
        self.inner, self.outer = nn.Linear(width, RANK, bias=False), nn.Linear(RANK, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the outputs; the head stays in eval mode, so that its normalisation does not move."""
        self.head.eval()
        return super().forward(inputs + self.outer(self.inner(inputs)), mask)


@dataclass(frozen=True, eq=False)
class Trial:
    """One split of a new language: clips of other languages, of the given speakers, and of the test speakers."""

    kit: Kit
    new: str
    others: Indices
    given: Indices
    test: Indices
    seed: int

    def scores(self, network: HeadAlone) -> list[float]:
        """Return UAR in %: plain, and with the mean of the given speakers' clips in place of the training set's."""
        found, head = [], network.head
        for mean in (head.mean.numpy(), self.kit.statistics[self.given].mean(axis=0)):
            values = torch.from_numpy((self.kit.statistics[self.test] - mean) / head.scale.numpy())
            with torch.inference_mode():
                logits = network.eval()(values[:, None])["logits"].numpy().astype(np.float64)
            found.append(uar(self.kit, self.test, logits))
        return found

    def drawn(self, budget: int) -> Indices:
        """Return up to `budget` clips of each class of the given speakers."""
        rng, labels = np.random.default_rng(self.seed), self.kit.task.labels[self.given]
        chosen = [rng.permutation(self.given[labels == label])[:budget] for label in np.unique(labels)]
        return np.sort(np.concatenate(chosen))

    def joint(self, few: Indices, weight: float) -> HeadAlone:
        """Learn from other languages and few clips at once."""
        task = replace(self.kit.task, weights={**self.kit.task.weights, self.new: weight})
        clips = np.sort(np.concatenate([self.others, few]))
        return HeadAlone(fit(replace(self.kit, task=task), clips, Variant(), self.seed))

    def tuned(self, network: HeadAlone, few: Indices, learning_rate: float) -> HeadAlone:
        """Go on with few clips, standardised as before, and by their own mean."""
        mean, scale = network.head.mean.numpy(), network.head.scale.numpy()
        statistics = self.kit.statistics[few]
        views = [(statistics - centre) / scale for centre in (mean, statistics.mean(axis=0))]
        plan = Plan(
            loss=Loss(smoothing=0.1),
            optimiser=Optimiser(steps=self.kit.steps // 2, warm_up=0.2, learning_rate=learning_rate, batch=64),
            mixup=Mixup(probability=0.5),
        )
        examples = Examples(self.kit.task, np.tile(few, 2), vectors(np.concatenate(views)))
        with tempfile.TemporaryDirectory() as folder:
            learn(network, examples, plan, seed=self.seed, folder=Path(folder), key="study")
        return network


def main() -> None:
    """Measure, and print a table for each kind of score."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    kit = read_kit(options.corpora, options.width, options.steps)
    found: dict[tuple[str, int], list[list[float]]] = {}
    for new, seed in itertools.product(NEW, range(options.seeds)):
        for trial in trials(kit, new, seed):
            for way, budget, values in measured(trial):
                found.setdefault((way, budget), []).append(values)
                print(new, seed, way, budget, np.round(values, 1).tolist(), flush=True)
    ways = list(dict.fromkeys(way for way, _ in found))
    for number, kind in enumerate(("plain", "the source's mean removed")):
        cells = {key: f"{np.mean(values, axis=0)[number]:.1f}" for key, values in found.items()}
        rows = tuple((way, *(cells.get((way, budget), "–") for budget in (0, *BUDGETS))) for way in ways)
        print(to_markdown(f"Few labels, {kind}", [Table(("way", *map(str, (0, *BUDGETS))), rows)]))


def trials(kit: Kit, new: str, seed: int) -> list[Trial]:
    """Return the two splits of a corpus's speakers; the others are the corpora in other languages."""
    here = kit.where(new)
    others = np.flatnonzero(kit.task.language != kit.task.language[here[0]])
    return [Trial(kit, new, others, given, test, seed) for given, test in halves(kit, here, seed)]


def measured(trial: Trial) -> Iterator[tuple[str, int, list[float]]]:
    """Yield way, budget and scores."""
    base = fit(trial.kit, trial.others, Variant(), trial.seed)
    yield "others", 0, trial.scores(HeadAlone(base))
    for budget in BUDGETS:
        few = trial.drawn(budget)
        yield "alone", budget, trial.scores(HeadAlone(fit(trial.kit, few, Variant(), trial.seed)))
        yield "joint", budget, trial.scores(trial.joint(few, 1.0))
        yield "joint, three times the weight", budget, trial.scores(trial.joint(few, 3.0))
        yield "head", budget, trial.scores(trial.tuned(HeadAlone(copy.deepcopy(base)), few, 2e-4))
        torch.manual_seed(trial.seed)
        yield "low rank", budget, trial.scores(trial.tuned(LowRank(copy.deepcopy(base)), few, 1e-3))


def halves(kit: Kit, here: Indices, seed: int) -> list[tuple[Indices, Indices]]:
    """Return the clips of half of the speakers and of the others, both ways round; men and women are dealt in turn."""
    speakers = kit.speakers[here]
    sexes = {name: str(kit.task.clips[clip].sex) for clip, name in zip(here, speakers, strict=True)}
    order = sorted(sexes, key=lambda name: (sexes[name], name))
    first = np.isin(speakers, order[seed % 2 :: 2])
    return [(here[first], here[~first]), (here[~first], here[first])]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=lambda text: tuple(text.split(",")), default=CORPORA)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--width", type=int, default=768)
    return parser.parse_args()


if __name__ == "__main__":
    main()
