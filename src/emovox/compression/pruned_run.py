"""Prune the networks of a run: each fold's network loses channels, then learns again on the clips of its fold."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from emovox.compression.pruning import Prunable, pruned, pruned_config
from emovox.corpora.load import load_clips
from emovox.export.network import export_network
from emovox.models.network import Network
from emovox.models.trained import ABOUT, TrainedModel
from emovox.schema.config import convert
from emovox.schema.errors import CompressionError, RecipeError
from emovox.schema.progress import Progress, no_progress
from emovox.training.cache import cache_folder
from emovox.training.data.task import make_task
from emovox.training.log import Report
from emovox.training.network import STAGES, NetworkMethod
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.run import MODEL, RESOLVED, Run, check_training, model_folder, train
from emovox.training.run import Report as FoldReport
from emovox.training.stages.stage import INITIAL, Context, Fitted


@dataclass(frozen=True)
class StartPruned:
    """Stage: takes the network of the same fold of another run, and prunes its encoder.

    Attributes:
        source: folder of that run.
        config: sizes after pruning.
    """

    source: Path
    config: Prunable

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Replace the network; see `Stage`."""
        whole = TrainedModel.load(self.source / "folds" / context.folder.name / MODEL)
        encoder = pruned(whole.network.encoder, self.config)
        return replace(fitted, network=Network(encoder, context.new_head(encoder, INITIAL)).eval())


def pruned_recipe(source: Path, keep: float, *, steps: int | None = None) -> NetworkRecipe:
    """Return the recipe of a run with a smaller encoder, named after it and the share of channels.

    Args:
        source: folder of the run.
        keep: share of the channels that stay, above 0 and below 1.
        steps: of the encoder's training after pruning; None: those of the run.

    Raises:
        CompressionError: the run has no layers to prune, or `keep` is out of range.
        RecipeError: the folder holds no run of a network.
    """
    try:
        data: dict[str, Any] = json.loads((source / RESOLVED).read_bytes())
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{source}: not the folder of a run ({error}); expected one that emovox train has made"
        ) from error
    if data.get("kind") != "network":
        raise CompressionError(
            f"{source}: has no layers to prune (kind '{data.get('kind')}'), expected mobile or hybrid"
        )
    recipe = convert(data, NetworkRecipe, where=str(source / RESOLVED))
    learning = recipe.learning
    if steps is not None:
        optimiser = msgspec.structs.replace(learning.optimiser, steps=steps)
        learning = msgspec.structs.replace(learning, optimiser=optimiser)
    return msgspec.structs.replace(
        recipe,
        name=f"{recipe.name}-{round(100 * keep)}",
        encoder=pruned_config(recipe.encoder, keep),
        learning=learning,
    )


def prune_run(
    source: Path,
    keep: float,
    folder: Path,
    *,
    steps: int | None = None,
    resume: bool = False,
    workers: int = 2,
    progress: Progress = no_progress,
    report: Report | None = None,
    fold: FoldReport | None = None,
) -> Run[Any]:
    """Prune all networks of a finished run, train them again, and write a new run with figures and, perhaps, a model.

    The teacher of the recipe teaches again; no network hears a test speaker of its fold.

    Args:
        source: folder of the run.
        keep: share of the channels that stay.
        folder: of the new run.
        steps: of the encoder's training after pruning; None: those of the run.
        resume: continue a run that was stopped.
        workers: number of processes that compute inputs.
        progress: called after each clip whose inputs are computed.
        report: called with the progress of the loop.
        fold: called after each fold.

    Raises:
        CompressionError: as `pruned_recipe`, or a fold of the run has no network.
    """
    recipe = pruned_recipe(source, keep, steps=steps)
    task = make_task(load_clips(recipe.data.corpora, name=recipe.data.name), recipe.data)
    folds = check_training(task, recipe, folder, resume=resume)
    for number in [*(found.number for found in folds), *([None] if recipe.export else [])]:
        if not (model_folder(source, number) / ABOUT).is_file():
            raise CompressionError(
                f"{model_folder(source, number)}: has no network, expected a finished run; end it by emovox train "
                "RECIPE --resume"
            )
    method = NetworkMethod.prepared(
        task, recipe, folder=cache_folder(), workers=workers, progress=progress, report=report
    )
    assert isinstance(recipe.encoder, Prunable)
    method = replace(method, stages=(StartPruned(source, recipe.encoder), *STAGES))
    run = train(task, recipe, folder, method, resume=resume, report=fold or (lambda *_: None))
    if run.model is not None:
        export_network(run, folder)
    return run
