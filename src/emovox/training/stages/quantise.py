"""Stage: a copy of the network learns to compute in INT8; the network itself stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from emovox.training.data.sampler import derived_seed
from emovox.training.quantisation import learn_quantisation
from emovox.training.stages.stage import QUANTISE, Context, Fitted, named


@dataclass(frozen=True)
class LearnQuantisation:
    """Trains by the table `quantise`, on clips of training; skipped without that table."""

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Add the network for INT8; see `Stage`."""
        if context.recipe.quantise is None:
            return fitted
        made = learn_quantisation(
            context.task,
            fitted.network,
            context.train,
            context.recipe.quantise,
            seed=derived_seed(context.recipe.seed, QUANTISE),
            folder=context.folder / "quantise",
            key=f"{context.key} quantise",
            report=named(context.report, "quantise"),
        )
        return replace(fitted, quantised=made)
