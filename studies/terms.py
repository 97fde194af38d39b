"""Terms of the loss that were tried for heads: alignment of corpora, pairs across languages, weights of groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from emovox.training.data.examples import Batch
from emovox.training.objectives import Outputs, Weighted, classification_loss, make_objectives
from emovox.training.plan import Plan
from studies.kit import Kit


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
