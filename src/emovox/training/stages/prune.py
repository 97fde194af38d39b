"""Stage: channels of the encoder are removed, and the smaller network learns further."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emovox.models.pruning import prune
from emovox.training.data.sampler import derived_seed
from emovox.training.network_recipe import pruning_plan
from emovox.training.stages.encoder import fit_encoder
from emovox.training.stages.stage import PRUNE, Context, Fitted


@dataclass(frozen=True)
class Prune:
    """Prunes by `prune` and trains further, with the same teacher and held-out speakers; skipped without the table.

    The weights decide which channels go, so no further clip is looked at for that.
    """

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Return the smaller network; see `Stage`."""
        recipe, pruning = context.recipe, context.recipe.prune
        if pruning is None:
            return fitted
        seed = derived_seed(recipe.seed, PRUNE)
        network = prune(fitted.network, recipe.final_encoder, criterion=pruning.criterion, seed=seed)
        held = context.train[:0] if fitted.held is None else fitted.held
        learnt, plan = np.setdiff1d(context.train, held), pruning_plan(pruning, recipe.learning)
        fit_encoder(context, network, plan, learnt, held, PRUNE, "pruned")
        return replace(fitted, network=network)
