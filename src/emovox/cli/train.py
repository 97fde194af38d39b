"""`emovox train`: from a recipe to out-of-fold predictions, figures, and a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emovox.cli.progress import counting
from emovox.schema.extras import require


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe (.toml); see the folder recipes/.")],
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe, e.g. svm.c=[10].")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Run folder; runs/NAME in the cache folder ($EMOVOX_CACHE) unless given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that compute features.")] = 2,
) -> None:
    """Train by a recipe: every fold of its protocol, predictions as CSV, and a model where the recipe wants one."""
    for module in ("numba", "sklearn", "matplotlib"):
        require(module, need="emovox train", extra="evaluate")
    from emovox.corpora.load import load_clips
    from emovox.training.cache import cache_folder
    from emovox.training.pictures import write_pictures
    from emovox.training.recipe import read_recipe
    from emovox.training.run import train as run_training
    from emovox.training.task import make_task
    from emovox.training.views import copies

    plan = read_recipe(recipe, assignments)
    if plan.export:
        for module in ("torch", "onnx"):
            require(module, need=f"export of '{plan.name}'", extra="train")
    folder = output or cache_folder() / "runs" / plan.name
    clips = load_clips(plan.data.corpora)
    extra = copies(plan.augment)
    with counting("clips: features") as progress:
        task = make_task(clips, plan.data, cache=cache_folder(), extra=extra, workers=workers, progress=progress)
    typer.echo(f"{len(task.clips)} clips, {len(task.classes)} classes: {', '.join(task.classes)}", err=True)
    run = run_training(task, plan, folder, resume=resume, report=_report)
    for picture in write_pictures(task, plan, folder / "pictures"):
        typer.echo(f"picture: {picture}", err=True)
    if run.model is not None:
        from emovox.export.svm import export_svm

        typer.echo(f"model: {export_svm(task, plan, run, folder)}", err=True)
    _print_figures(folder)


def _report(done: int, total: int, sentence: str) -> None:
    typer.echo(f"[{done}/{total}] {sentence}", err=True)


def _print_figures(folder: Path) -> None:
    from emovox.cli.evaluate import evaluate

    evaluate(str(folder))
