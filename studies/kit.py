"""A kit for studies: a fast training of heads on clip means of a frozen encoder, and the print of the trust suite."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emovox.audio.types import Samples
from emovox.augment.voice import change_voice
from emovox.corpora.folds import speaker_key
from emovox.corpora.manifest import Clip
from emovox.evaluation.report.trust import sentence, topic_table, write_trust
from emovox.evaluation.trust.outcome import TrustResult, tally
from emovox.models.head import Head, HeadConfig
from emovox.models.scores import Matrix
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.training.cache import cache_folder, load_arrays, save_arrays
from emovox.training.data.examples import Examples, vectors
from emovox.training.data.statistics import Values, measure
from emovox.training.data.task import Indices, Task, make_task
from emovox.training.loop import learn
from emovox.training.objectives import Weighted, make_objectives
from emovox.training.plan import Adversary, Loss, Mixup, Optimiser, Plan
from emovox.training.recipe import Data
from emovox.training.stages.adversary import adversary_attached, origin_classifier
from emovox.training.stages.head import HeadAlone, logits, merged
from studies.adaptation import clip_statistics, kept_clips

FOLDS = 3
"""Test sets of a study."""

BLOCKS = 3
"""Equal parts of the statistics, each projected on its own."""

NONE = Adversary()

HALF = {"emovo": 0.5, "tess": 0.5}
"""Weights of corpora with few speakers."""


@dataclass(frozen=True, eq=False)
class Kit:
    """A task, the statistics of its clips [n, p] and of their copies in another voice, and settings of all heads."""

    task: Task
    statistics: Values
    steps: int
    copies: Values | None = None

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
        copies: whether copies in another voice are learnt too.
        terms: further terms of the loss, or another one in its place.
    """

    adversary: Adversary = NONE
    speaker_view: bool = True
    members: int = 1
    columns: Callable[[int, int], npt.NDArray[np.bool_]] | None = None
    copies: bool = False
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


def read_kit(corpora: Sequence[str], width: int, steps: int, *, voices: bool = False) -> Kit:
    """Return the clips with their statistics, each block projected; and those of a copy of each in another voice."""
    kept = kept_clips("accurate", corpora)
    clips, rows = [clip for clip, _ in kept], np.stack([row for _, row in kept])
    task = make_task(clips, Data(corpora=tuple(corpora), protocol="si", view="seven", weights=HALF))
    standardize, rng = measure(rows), np.random.default_rng(1)
    block = rows.shape[1] // BLOCKS
    maps = [np.linalg.qr(rng.standard_normal((block, width // BLOCKS)).astype(np.float32))[0] for _ in range(BLOCKS)]

    def projected(values: Values) -> Values:
        """Return standardised statistics, each block projected."""
        parts = np.split(standardize(values), BLOCKS, axis=1)
        return np.concatenate([part @ drawn for part, drawn in zip(parts, maps, strict=True)], axis=1)

    return Kit(task, projected(rows), steps, projected(other_voices(clips, rows)) if voices else None)


def other_voices(clips: Sequence[Clip], rows: Values) -> Values:
    """Return the statistics [n, p] of a copy of each clip in a voice of the other sex, computed once and kept.

    A copy without speech has the statistics of its clip.
    """
    found = rows.copy()
    for corpus in dict.fromkeys(clip.corpus for clip in clips):
        here = [number for number, clip in enumerate(clips) if clip.corpus == corpus]
        path, ids = cache_folder() / "adaptation" / f"voices-{corpus}.npz", np.array([clips[i].id for i in here])
        if not path.is_file() or not np.array_equal(load_arrays(path)["ids"], ids):
            graph = Model.load(resolve("accurate"))
            values = [clip_statistics(graph, clips[i].path, change=partial(other_voice, clips[i])) for i in here]
            save_arrays(path, statistics=np.stack(values).astype(np.float16), ids=ids)
        copies = load_arrays(path)["statistics"].astype(np.float32)
        known = np.isfinite(copies[:, 0])
        found[np.array(here)[known]] = copies[known]
    return found


def other_voice(clip: Clip, samples: Samples) -> Samples:
    """Return a clip in the range of the other sex; the factor depends on its name."""
    rng = np.random.default_rng(list(f"{clip.corpus} {clip.id}".encode()))
    return change_voice(samples, float(rng.uniform(0.75, 0.9) if clip.sex == "female" else rng.uniform(1.1, 1.3)))


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
    examples, heads = rows_of(kit, train, variant), []
    plan = Plan(
        loss=Loss(smoothing=0.1),
        adversary=variant.adversary,
        optimiser=Optimiser(steps=kit.steps, warm_up=0.2, grad_clip=0.0, learning_rate=2e-3, batch=128),
        mixup=Mixup(probability=0.5),
    )
    for member in range(variant.members):
        member_seed = 100 * seed + member
        torch.manual_seed(member_seed)
        head = Head(kit.statistics.shape[1], len(kit.task.classes), HeadConfig(hidden=128))
        head.set_statistics(torch.from_numpy(standardize.mean), torch.from_numpy(standardize.deviation))
        columns = variant.columns or (lambda _, width: np.ones(width, np.bool_))
        seen = torch.from_numpy(columns(member, kit.statistics.shape[1])).float()
        network, objectives = Part(head, seen), variant.terms(kit, plan)
        adversary: AbstractContextManager[None] = nullcontext()
        if plan.adversary.on:
            adversary = adversary_attached(network, origin_classifier(network, plan.adversary, kit.task))
        with tempfile.TemporaryDirectory() as folder, adversary:
            learn(network, examples, plan, seed=member_seed, folder=Path(folder), key="study", objectives=objectives)
        with torch.no_grad():
            head.hidden[1].weight.mul_(seen)  # type: ignore[operator]
        heads.append(head)
    return merged(heads)


def rows_of(kit: Kit, clips: Indices, variant: Variant) -> Examples:
    """Return the clips standardised by all of them, again by those of their speaker, and so their copies."""
    standardize, views = measure(kit.statistics[clips]), []
    if variant.copies and kit.copies is None:
        raise SystemExit("the variant learns from copies: add --voices")
    for values in (kit.statistics[clips], *([kit.copies[clips]] if variant.copies and kit.copies is not None else ())):
        views.append(standardize(values))
        if variant.speaker_view:
            own = np.empty_like(values)
            for name in np.unique(kit.speakers[clips]):
                rows = kit.speakers[clips] == name
                own[rows] = measure(values[rows])(values[rows])
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


def print_suite(result: TrustResult, folder: Path) -> None:
    """Print what the trust suite found, topic by topic, and write its report to a folder."""
    print(sentence(tally(result.tests)))
    for row in topic_table(result).rows:
        print(*row, sep="\t")
    print(write_trust(result, folder))
