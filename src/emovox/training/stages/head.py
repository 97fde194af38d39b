"""Stage: a new head learns from pooled statistics, as they are and normalised by those of each speaker."""

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
    """Trains a head by `head_learning` on all training clips; skipped without that table."""

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Replace the present head by a new one; see `Stage`."""
        if context.recipe.head_learning is None:
            return fitted
        encoder = fitted.network.encoder
        head = fit_head(context, encoder, context.recipe.head_learning, context.train, HEAD, "head")
        return replace(fitted, network=Network(encoder, head).eval())


def fit_head(
    context: Context,
    encoder: Encoder,
    plan: Plan,
    clips: Indices,
    purpose: int,
    name: str,
    *,
    members: int | None = None,
) -> Head:
    """Train a number of heads on these clips, by default the recipe's, and return one head that averages them."""
    statistics, rows = context.statistics(encoder), context.rows(clips)
    standardize = measure(statistics.values(rows))
    examples, heads = statistics.examples(rows, standardize), []
    for member in range(context.recipe.members if members is None else members):
        head = context.new_head(encoder, HEAD, member)
        head.set_statistics(torch.from_numpy(standardize.mean), torch.from_numpy(standardize.deviation))
        seed, place = ((purpose, member), f"{name}-{member}") if member else ((purpose,), name)
        context.learn(HeadAlone(head), examples, plan, seed, place)
        heads.append(head)
    return merged(heads)


class Pooled(Encoder):
    """Takes the place of an encoder when statistics are computed already; they replace the waveform."""

    def inputs(self, samples: Tensor) -> Tensor:
        """Return statistics [b, p] as a clip of one frame, [b, 1, p]."""
        return samples[:, None]

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the one frame, [b, p]."""
        return inputs[:, 0]


class HeadAlone(Network):
    """A head as a network, for the loop; its inputs are statistics [b, 1, p] that are standardised already."""

    def __init__(self, head: Head) -> None:
        super().__init__(Pooled(), head)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the outputs."""
        return self.head.outputs(self.encoder.pool(inputs, mask))


def merged(heads: Sequence[Head]) -> Head:
    """Return one head whose logits are the mean of those of several heads, trained on the same statistics.

    Their hidden layers are concatenated, so the last map stays affine.
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
    """Compute the logits [n, classes] of statistics [n, p], standardised by the training set unless `mean` is given."""
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
