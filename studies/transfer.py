"""What makes a head on frozen statistics carry over to corpora, languages and voices that it has not heard.

    python -m studies.transfer [VARIANT …] [--seeds 3] [--corpora ravdess,casia,…] [--steps 300] [--width 768]

Heads of 128 learn by the training loop from the statistics of clips by the shipped `accurate`, which
`studies.adaptation` keeps in the cache. To be quick they learn from clip means, without changed copies, and each of the
three blocks is projected to a third of `--width` random directions: read the differences, not the levels.

Prints one row for each variant, means over seeds. Unheard: UAR on each corpus by a head that learnt from the others,
plain, standardised by the statistics of the corpus, and by those of each speaker (all clips, balanced). Home: UAR on
held-out speakers in three folds of all corpora. Male, female: the same by sex. Probes: accuracy of a linear map from
the embeddings of held-out speakers to language and corpus (learnt on the training speakers) and to speaker (learnt on
half of the clips of the held-out ones), unweighted over their classes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from emovox.corpora.folds import speaker_key
from emovox.evaluation.report.document import Table, to_markdown
from emovox.models.head import Head, HeadConfig
from emovox.models.scores import Matrix
from emovox.training.data.examples import Batch, Examples, vectors
from emovox.training.data.statistics import Values, measure
from emovox.training.data.task import Indices, Task, make_task
from emovox.training.loop import learn
from emovox.training.objectives import Outputs, Weighted, classification_loss, make_objectives
from emovox.training.plan import Adversary, Loss, Mixup, Optimiser, Plan
from emovox.training.recipe import Data
from emovox.training.stages.adversary import make_guess, opposed
from emovox.training.stages.head import HeadAlone, embeddings, logits, merged
from studies.adaptation import CORPORA, kept_clips

FOLDS = 3
BLOCKS = 3
NONE = Adversary()
HALF = {"emovo": 0.5, "tess": 0.5}
"""Weights of corpora with few speakers."""


@dataclass(frozen=True, eq=False)
class Kit:
    """A task, the statistics of its clips [n, p], and settings of all heads."""

    task: Task
    statistics: Values
    steps: int

    @cached_property
    def speakers(self) -> npt.NDArray[np.str_]:
        """Name of each clip's speaker, [n]."""
        return np.array([speaker_key(clip) for clip in self.task.clips])

    def where(self, corpus: str) -> Indices:
        """Return the numbers of the clips of a corpus."""
        return np.flatnonzero([clip.corpus == corpus for clip in self.task.clips])


@dataclass(frozen=True)
class Variant:
    """One way of training: what differs from the recipe.

    Attributes:
        adversary: of the plan.
        speaker_view: whether rows standardised by their speaker are learnt too.
        members: heads that are averaged.
        columns: the statistics that each member sees; None: all.
        terms: further terms of the loss, or another one in its place.
    """

    adversary: Adversary = NONE
    speaker_view: bool = True
    members: int = 1
    columns: Callable[[int, int], npt.NDArray[np.bool_]] | None = None
    terms: Callable[[Kit, Plan], Sequence[Weighted]] = field(
        default=lambda kit, plan: make_objectives(plan, kit.task.classes)
    )


class Part(HeadAlone):
    """A head that sees some of the statistics."""

    def __init__(self, head: Head, seen: Tensor) -> None:
        super().__init__(head)
        self.seen = seen

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the outputs."""
        return super().forward(inputs * self.seen, mask)


def main() -> None:
    """Measure the variants, and print the table."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    kit = read_kit(options.corpora, options.width, options.steps)
    head = ("variant", *options.corpora, "unheard", "source", "speaker", "home", "male", "female", *PROBES)
    rows = []
    for name in options.variants:
        found = [measured(kit, VARIANTS[name], options.corpora, seed) for seed in range(options.seeds)]
        mean, spread = np.mean(found, axis=0), np.std(np.mean([row[: len(options.corpora)] for row in found], axis=1))
        rows.append((f"{name} (± {spread:.1f})", *(f"{value:.1f}" for value in mean)))
        print("|", " | ".join(rows[-1]), "|", flush=True)
    print(to_markdown("Transfer", [Table(head, tuple(rows))]))


def read_kit(corpora: Sequence[str], width: int, steps: int) -> Kit:
    """Return the clips with their statistics, each block projected."""
    kept = kept_clips("accurate", corpora)
    clips, rows = [clip for clip, _ in kept], np.stack([row for _, row in kept])
    task = make_task(clips, Data(corpora=tuple(corpora), protocol="si", view="seven", weights=HALF))
    standard, rng, parts = measure(rows)(rows), np.random.default_rng(1), []
    for block in np.split(standard, BLOCKS, axis=1):
        drawn = rng.standard_normal((block.shape[1], width // BLOCKS)).astype(np.float32)
        parts.append(block @ np.linalg.qr(drawn)[0])
    return Kit(task, np.concatenate(parts, axis=1).astype(np.float32), steps)


def measured(kit: Kit, variant: Variant, corpora: Sequence[str], seed: int) -> list[float]:
    """Return the row of a variant."""
    plain, source, speaker = [], [], []
    everything = np.arange(len(kit.task.clips))
    for corpus in corpora:
        test = kit.where(corpus)
        head = fit(kit, np.setdiff1d(everything, test), variant, seed)
        plain.append(uar(kit, test, logits(head, kit.statistics[test])))
        source.append(uar(kit, test, standardized(kit, head, test, [test])))
        voices = [test[kit.speakers[test] == name] for name in np.unique(kit.speakers[test])]
        speaker.append(uar(kit, test, standardized(kit, head, test, voices)))
    return [
        *plain,
        float(np.mean(plain)),
        float(np.mean(source)),
        float(np.mean(speaker)),
        *at_home(kit, variant, seed),
    ]


def at_home(kit: Kit, variant: Variant, seed: int) -> list[float]:
    """Return UAR on held-out speakers (mean over corpora; male, female), and the accuracies of the probes."""
    scores, probes = np.empty((len(kit.task.clips), len(kit.task.classes))), []
    for test in folds(kit):
        train = np.setdiff1d(np.arange(len(kit.task.clips)), test)
        head = fit(kit, train, variant, seed)
        scores[test] = logits(head, kit.statistics[test])
        probes.append(probe(kit, embeddings(head, kit.statistics), train, test))
    sexes = np.array([str(clip.sex) for clip in kit.task.clips])

    def mean(chosen: npt.NDArray[np.bool_]) -> float:
        rows = [here[chosen[here]] for here in map(kit.where, kit.task.corpora)]
        return float(np.mean([uar(kit, some, scores[some]) for some in rows if len(some)]))

    both = [kit.where(name) for name in kit.task.corpora if len(set(sexes[kit.where(name)])) > 1]
    mixed = np.isin(np.arange(len(sexes)), np.concatenate(both))
    by_sex = [mean(mixed & (sexes == sex)) for sex in ("male", "female")]
    return [mean(sexes != ""), *by_sex, *np.mean(probes, axis=0)]


def folds(kit: Kit) -> list[Indices]:
    """Deal the speakers of each corpus, men and women in turn, into `FOLDS` test sets."""
    found: list[list[int]] = [[] for _ in range(FOLDS)]
    for corpus in kit.task.corpora:
        here = kit.where(corpus)
        sexes = {kit.speakers[i]: str(kit.task.clips[i].sex) for i in here}
        for turn, name in enumerate(sorted(sexes, key=lambda name: (sexes[name], name))):
            found[turn % FOLDS].extend(here[kit.speakers[here] == name])
    return [np.sort(np.array(test)) for test in found]


def fit(kit: Kit, train: Indices, variant: Variant, seed: int) -> Head:
    """Train the heads of a variant on these clips, as `emovox.training.stages.head`, and return their average."""
    standardize = measure(kit.statistics[train])
    examples, heads = rows_of(kit, train, variant.speaker_view), []
    plan = Plan(
        loss=Loss(smoothing=0.1),
        adversary=variant.adversary,
        optimiser=Optimiser(steps=kit.steps, warm_up=0.2, grad_clip=0.0, learning_rate=2e-3, batch=128),
        mixup=Mixup(probability=0.5),
    )
    for member in range(variant.members):
        torch.manual_seed(100 * seed + member)
        head = Head(kit.statistics.shape[1], len(kit.task.classes), HeadConfig(hidden=128))
        head.set_statistics(torch.from_numpy(standardize.mean), torch.from_numpy(standardize.deviation))
        columns = variant.columns or (lambda _, width: np.ones(width, np.bool_))
        seen = torch.from_numpy(columns(member, kit.statistics.shape[1])).float()
        network, objectives = Part(head, seen), variant.terms(kit, plan)
        with tempfile.TemporaryDirectory() as folder:
            settings = {"seed": 100 * seed + member, "folder": Path(folder), "key": "study", "objectives": objectives}
            if plan.adversary.on:
                with opposed(network, make_guess(network, plan.adversary, kit.task)):
                    learn(network, examples, plan, **settings)  # type: ignore[arg-type]
            else:
                learn(network, examples, plan, **settings)  # type: ignore[arg-type]
        with torch.no_grad():
            head.hidden[1].weight.mul_(seen)  # type: ignore[operator]
        heads.append(head)
    return merged(heads)


def rows_of(kit: Kit, clips: Indices, speaker_view: bool) -> Examples:
    """Return the clips standardised by all of them, and again by those of their speaker."""
    views = [measure(kit.statistics[clips])(kit.statistics[clips])]
    if speaker_view:
        own = np.empty_like(views[0])
        for name in np.unique(kit.speakers[clips]):
            rows = kit.speakers[clips] == name
            own[rows] = measure(kit.statistics[clips][rows])(kit.statistics[clips][rows])
        views.append(own)
    return Examples(kit.task, np.tile(clips, len(views)), vectors(np.concatenate(views)))


def standardized(kit: Kit, head: Head, test: Indices, groups: Sequence[Indices]) -> Matrix:
    """Return the logits of test clips, standardised by the statistics of their group."""
    found = np.empty((len(test), len(kit.task.classes)))
    for group in groups:
        scale = measure(kit.statistics[group])
        found[np.searchsorted(test, group)] = logits(head, kit.statistics[group], scale.mean, scale.deviation)
    return found


def uar(kit: Kit, clips: Indices, scores: Matrix) -> float:
    """Return the UAR in % of scores [len(clips), classes], none of which is masked."""
    labels, chosen = kit.task.labels[clips], scores.argmax(1)
    return 100 * float(np.mean([np.mean(chosen[labels == label] == label) for label in np.unique(labels)]))


PROBES = ("language known", "corpus known", "speaker known")


def probe(kit: Kit, embedded: Matrix, train: Indices, test: Indices) -> list[float]:
    """Return the unweighted accuracies in % of linear maps from embeddings to language, corpus and speaker."""
    places = np.arange(len(test)) % 2 == 0
    return [
        _probed(embedded, kit.task.language, train, test),
        _probed(embedded, kit.task.corpus, train, test),
        _probed(embedded, kit.task.speaker, test[places], test[~places]),
    ]


def _probed(embedded: Matrix, codes: Indices, train: Indices, test: Indices) -> float:
    scale = measure(embedded[train].astype(np.float32))
    values = scale(embedded.astype(np.float32))
    fitted = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced").fit(values[train], codes[train])
    right = fitted.predict(values[test]) == codes[test]
    return 100 * float(np.mean([right[codes[test] == code].mean() for code in np.unique(codes[test])]))


def coral(weight: float) -> Callable[[Kit, Plan], Sequence[Weighted]]:
    """Pull means and covariances of the embeddings of each two corpora in a batch together.

    Reference:
        Sun and Saenko, "Deep CORAL", ECCV Workshops 2016, equation 1; the means are added.
    """

    def loss(outputs: Outputs, batch: Batch) -> Tensor:
        values = outputs["embedding"]
        groups = [values[batch.corpus == code] for code in range(1 + int(batch.corpus.max()))]
        moments = [(one.mean(0), one.T.cov()) for one in groups if len(one) > 2]
        apart = [
            (first[0] - second[0]).square().mean() + (first[1] - second[1]).square().mean()
            for first, second in pairwise(moments)
        ]
        total: Tensor = torch.stack(apart).mean().expand(len(values))
        return total

    return lambda kit, plan: [*make_objectives(plan, kit.task.classes), (weight, loss)]


def contrastive(weight: float, temperature: float = 0.2) -> Callable[[Kit, Plan], Sequence[Weighted]]:
    """Pull embeddings of one mood in two languages together, against all other rows of the batch.

    Reference:
        Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2, with pairs across languages only.
    """

    def loss(outputs: Outputs, batch: Batch) -> Tensor:
        values = torch.nn.functional.normalize(outputs["embedding"], dim=1)
        mood, size = batch.targets.argmax(1), len(values)
        alike = (mood[:, None] == mood[None]) & (batch.language[:, None] != batch.language[None])
        near = (values @ values.T / temperature).masked_fill(torch.eye(size, dtype=torch.bool), -1e9)
        log_share = near - near.logsumexp(1, keepdim=True)
        pairs = alike.sum(1).clamp(min=1)
        return -(log_share * alike).sum(1) / pairs

    return lambda kit, plan: [*make_objectives(plan, kit.task.classes), (weight, loss)]


def weighted_groups(step_size: float, male: float = 1.0) -> Callable[[Kit, Plan], Sequence[Weighted]]:
    """Weigh the loss by groups of corpus and sex: men by `male`, and groups with a larger loss more (`step_size`).

    Reference:
        Sagawa et al., "Distributionally Robust Neural Networks for Group Shifts", ICLR 2020, algorithm 1.
    """

    def terms(kit: Kit, plan: Plan) -> Sequence[Weighted]:
        names = [f"{clip.corpus} {clip.sex}" for clip in kit.task.clips]
        groups, numbers = np.unique(names, return_inverse=True)
        of_speaker = torch.zeros(1 + int(kit.task.speaker.max()), dtype=torch.int64)
        of_speaker[torch.from_numpy(kit.task.speaker)] = torch.from_numpy(numbers)
        share = torch.tensor([male if name.endswith(" male") else 1.0 for name in groups])
        heavy = torch.ones(len(groups))

        def loss(outputs: Outputs, batch: Batch) -> Tensor:
            group = of_speaker[batch.speaker]
            plain = classification_loss(outputs["logits"], batch.targets, batch.allowed, smoothing=plan.loss.smoothing)
            for number in set(group.tolist()):
                heavy[number] *= torch.exp(step_size * plain.detach()[group == number].mean())
            heavy.div_(heavy.mean())
            return plain * (heavy * share / share.mean())[group]

        return [(1.0, loss)]

    return terms


def some_blocks(member: int, width: int) -> npt.NDArray[np.bool_]:
    """Return the statistics of a member: the first block, the second, the third, all."""
    block = np.arange(width) // (width // BLOCKS)
    return np.ones(width, np.bool_) if member == BLOCKS else block == member


def random_columns(share: float) -> Callable[[int, int], npt.NDArray[np.bool_]]:
    """Return statistics drawn at random for each member (random subspaces: Ho, 1998)."""
    return lambda member, width: np.random.default_rng(member).random(width) < share


VARIANTS = {
    "base": Variant(),
    "adversary on language 0.1": Variant(adversary=Adversary(on="language", strength=0.1)),
    "adversary on language 0.3": Variant(adversary=Adversary(on="language", strength=0.3)),
    "adversary on language 1": Variant(adversary=Adversary(on="language", strength=1.0)),
    "adversary on corpus 0.3": Variant(adversary=Adversary(on="corpus", strength=0.3)),
    "adversary on speaker 0.3": Variant(adversary=Adversary(on="speaker", strength=0.3)),
    "correlation alignment 1": Variant(terms=coral(1.0)),
    "correlation alignment 10": Variant(terms=coral(10.0)),
    "contrastive pairs 0.1": Variant(terms=contrastive(0.1)),
    "contrastive pairs 0.5": Variant(terms=contrastive(0.5)),
    "no speaker view": Variant(speaker_view=False),
    "three members": Variant(members=3),
    "four members, one block or all": Variant(members=4, columns=some_blocks),
    "three members, a third of the columns": Variant(members=3, columns=random_columns(1 / 3)),
    "three members, half of the columns": Variant(members=3, columns=random_columns(0.5)),
    "men weigh 1.5": Variant(terms=weighted_groups(0.0, male=1.5)),
    "men weigh 2": Variant(terms=weighted_groups(0.0, male=2.0)),
    "worst group 0.01": Variant(terms=weighted_groups(0.01)),
    "worst group 0.05": Variant(terms=weighted_groups(0.05)),
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=list(VARIANTS), help=", ".join(VARIANTS))
    parser.add_argument("--corpora", type=lambda text: tuple(text.split(",")), default=CORPORA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--width", type=int, default=768)
    return parser.parse_args()


if __name__ == "__main__":
    main()
