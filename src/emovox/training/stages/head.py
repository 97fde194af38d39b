"""Stage: a new head learns from statistics that are there already, as they are and normalised by each speaker's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import torch
from torch import Tensor

from emovox.models.head import BaseHead, Head
from emovox.models.network import Encoder, Network
from emovox.models.scores import Matrix
from emovox.training.data.statistics import Values, measure
from emovox.training.data.task import Indices
from emovox.training.plan import Plan
from emovox.training.stages.stage import HEAD, Context, Fitted


@dataclass(frozen=True)
class LearnHead:
    """Learn by `head_learning` from all training clips; left out without that table."""

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Put a new head in the place of the present one; see `Stage`."""
        if context.recipe.head_learning is None:
            return fitted
        encoder = fitted.network.encoder
        head = fit_head(context, encoder, context.recipe.head_learning, context.train, HEAD, "head")
        return replace(fitted, network=Network(encoder, head).eval())


def fit_head(context: Context, encoder: Encoder, plan: Plan, clips: Indices, purpose: int, name: str) -> Head:
    """Let the recipe's number of heads learn from some training clips, and join them into one that averages them."""
    statistics, rows = context.statistics(encoder), context.rows(clips)
    standardize = measure(statistics.values(rows))
    examples, heads = statistics.examples(rows, standardize), []
    for member in range(context.recipe.members):
        head = context.new_head(encoder, HEAD, member)
        head.set_statistics(torch.from_numpy(standardize.mean), torch.from_numpy(standardize.deviation))
        seed, place = ((purpose, member), f"{name}-{member}") if member else ((purpose,), name)
        context.learn(HeadAlone(head), examples, plan, seed, place)
        heads.append(head)
    return merged(heads)


class Pooled(Encoder):
    """Stand in for an encoder whose statistics are there already; they take the place of the waveform."""

    def inputs(self, samples: Tensor) -> Tensor:
        """Take statistics [b, p] as a clip of one frame, [b, 1, p]."""
        return samples[:, None]

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Take the one frame."""
        return inputs[:, 0]


class HeadAlone(Network):
    """A head, for the loop: learns from statistics [b, 1, p] that are standardised already, each row in its own way."""

    def __init__(self, head: Head) -> None:
        super().__init__(Pooled(), head)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the outputs."""
        return self.head.outputs(self.encoder.pool(inputs, mask))


def merged(heads: Sequence[Head]) -> Head:
    """Join heads that learnt from the same statistics into one, whose logits are the mean of theirs.

    The hidden layers stand side by side, so the last map stays affine.
    """
    if len(heads) == 1:
        return heads[0]
    first = heads[0]
    n_classes, n_statistics = first.classify.out_features, len(first.mean)
    config = msgspec.structs.replace(first.config, hidden=sum(head.config.hidden for head in heads))
    whole = Head(n_statistics, n_classes, config)
    states = [head.state_dict() for head in heads]
    together = {}
    for name, value in states[0].items():
        if name.startswith("standard.") or not value.ndim:
            together[name] = value
        elif name.startswith("classify."):
            parts = [state[name] / len(heads) for state in states]
            together[name] = torch.cat(parts, dim=1) if value.ndim == 2 else torch.stack(parts).sum(0)
        else:
            together[name] = torch.cat([state[name] for state in states])
    whole.load_state_dict(together)
    return whole.to(first.mean.device).eval()


def logits(head: BaseHead, statistics: Values, mean: Values | None = None, deviation: Values | None = None) -> Matrix:
    """Compute the logits [n, classes] of statistics [n, p], standardised by the training set or as is given."""
    with torch.inference_mode():
        return _matrix(head.classify(_embedded(head, statistics, mean, deviation)))


def embeddings(head: BaseHead, statistics: Values) -> Matrix:
    """Compute the embeddings [n, d] of statistics [n, p], standardised by the training set."""
    with torch.inference_mode():
        return _matrix(_embedded(head, statistics))


def _embedded(head: BaseHead, statistics: Values, *speaker: Values | None) -> Tensor:
    head.eval()
    device = head.mean.device
    scale = (None if value is None else torch.from_numpy(value).to(device) for value in speaker)
    return head.embed(torch.from_numpy(statistics).to(device), *scale)


def _matrix(found: Tensor) -> Matrix:
    values: Matrix = found.cpu().numpy().astype(np.float64)
    return values
