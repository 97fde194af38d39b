"""Stage: the temperature and the UAR of the network, from held-out training speakers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from emovox.training.data.task import Indices
from emovox.training.held_out import held_out_temperature, held_out_uar, inner_splits
from emovox.training.stages.encoder import held_out_logits
from emovox.training.stages.head import fit_head, logits
from emovox.training.stages.stage import INNER, UNCALIBRATED, Context, Fitted, HeldOutLogits


@dataclass(frozen=True)
class Calibrate:
    """Fits the temperature on clips that the network was not trained on.

    A head that was trained on all training clips cannot be measured on them. So for each split another head is trained
    on one side and measured on the other.
    """

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Return the network with temperature and UAR; see `Stage`."""
        parts = list(_held_out_logits(context, fitted))
        if not parts:
            return fitted
        held, values = context.tiles(parts)
        temperature = held_out_temperature(context.task, held, values) if len(values) else UNCALIBRATED
        return replace(fitted, temperature=temperature, held_out_uar=held_out_uar(context.task, held, values))


def _held_out_logits(context: Context, fitted: Fitted) -> Iterable[HeldOutLogits]:
    encoder, plan, held = fitted.network.encoder, context.recipe.head_learning, fitted.held
    if plan is None:
        return [] if held is None or not len(held) else [held_out_logits(context, fitted.network, held)]
    parts = []
    for number, (learnt, left_out) in enumerate(_splits(context, held), start=1):
        head = fit_head(context, encoder, plan, learnt, INNER + number, f"inner-{number}")
        parts.append((left_out, logits(head, context.statistics(encoder).values(context.inputs.select(left_out)))))
    return parts


def _splits(context: Context, held: Indices | None) -> Iterable[tuple[Indices, Indices]]:
    """Return pairs of training and held-out clips; none if the encoder was trained on all of them."""
    if held is None:
        by_clip = context.recipe.data.protocol == "sd"
        n_splits, seed = context.recipe.inner_folds, context.recipe.seed
        return inner_splits(context.task, context.train, n_splits=n_splits, by_clip=by_clip, seed=seed)
    return [(np.setdiff1d(context.train, held), held)] if len(held) else []
