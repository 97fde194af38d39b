"""`emovox train`: from a recipe to out-of-fold predictions, figures, and a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emovox.cli.progress import Steps, counting
from emovox.schema.extras import require

if TYPE_CHECKING:
    from emovox.corpora.manifest import Clip
    from emovox.training.data.task import Task
    from emovox.training.network_recipe import NetworkRecipe
    from emovox.training.pretraining import PretrainingRecipe
    from emovox.training.svm.recipe import SvmRecipe


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
    """Train by a recipe: every fold of its protocol, predictions as CSV, a report, and the model if it wants one."""
    for module in ("numba", "sklearn", "matplotlib"):
        require(module, need="emovox train", extra="evaluate")
    from emovox.corpora.load import load_clips
    from emovox.training.cache import cache_folder
    from emovox.training.read import read_recipe

    plan = read_recipe(recipe, assignments)
    if plan.export:
        for module in ("torch", "onnx", "onnxslim"):
            require(module, need=f"export of '{plan.name}'", extra="train")
    folder = output or cache_folder() / "runs" / plan.name
    TRAIN[plan.kind](plan, load_clips(plan.data.corpora), folder, resume=resume, workers=workers)


def _train_svm(plan: SvmRecipe, clips: Sequence[Clip], folder: Path, *, resume: bool, workers: int) -> None:
    from emovox.training.cache import cache_folder
    from emovox.training.run import train as run_training
    from emovox.training.svm.method import SvmMethod
    from emovox.training.svm.pictures import write_pictures
    from emovox.training.svm.task import make_svm_task

    extra = plan.augment.copies
    with counting("clips: features") as progress:
        task = make_svm_task(clips, plan.data, cache=cache_folder(), extra=extra, workers=workers, progress=progress)
    _print_task(task)
    run = run_training(task, plan, folder, SvmMethod(task, plan), resume=resume, report=_report)
    for picture in write_pictures(task, plan, folder / "pictures"):
        typer.echo(f"picture: {picture}", err=True)
    if run.model is not None:
        from emovox.export.svm import export_svm

        typer.echo(f"model: {export_svm(task, plan, run, folder)}", err=True)
    _report_figures(folder)


def _train_network(plan: NetworkRecipe, clips: Sequence[Clip], folder: Path, *, resume: bool, workers: int) -> None:
    from emovox.training.cache import cache_folder
    from emovox.training.data.task import make_task
    from emovox.training.network import NetworkMethod
    from emovox.training.run import check_training, trained_clips
    from emovox.training.run import train as run_training

    task = make_task(clips, plan.data)
    _print_task(task)
    trained = trained_clips(check_training(task, plan, folder, resume=resume))  # before hours of inputs
    _say_what_is_not_augmented(plan, {task.clips[clip].corpus for clip in trained})
    with counting("clips: inputs") as progress:
        method = NetworkMethod.prepared(
            task, plan, folder=cache_folder(), workers=workers, progress=progress, report=Steps()
        )
    run = run_training(task, plan, folder, method, resume=resume, report=_report)
    if run.model is not None:
        from emovox.export.network import export_network

        typer.echo(f"model: {export_network(task, plan, run, folder)}", err=True)
    _report_figures(folder)


def _pretrain(plan: PretrainingRecipe, clips: Sequence[Clip], folder: Path, *, resume: bool, workers: int) -> None:
    from emovox.training.cache import cache_folder
    from emovox.training.pretraining import Pretraining, speaker_task
    from emovox.training.run import is_same_run
    from emovox.training.stages.start import WEIGHTS

    is_same_run(folder, plan, resume=resume)  # before hours of inputs
    task = speaker_task(clips)
    typer.echo(f"{len(task.clips)} clips of {len(task.classes)} speakers", err=True)
    with counting("clips: inputs") as progress:
        pretraining = Pretraining.prepared(task, plan, folder=cache_folder(), workers=workers, progress=progress)
    found = pretraining.run(folder, resume=resume, report=Steps())
    typer.echo(
        f"{found.speakers} speakers, {found.held_out_clips} clips of held-out videos: accuracy {found.accuracy:.1f} %, "
        f"UAR {found.uar:.1f} %, chance {found.chance:.1f} %"
    )
    typer.echo(f"encoder: {folder / WEIGHTS}; start from it with start={folder}", err=True)


TRAIN: dict[str, Callable[..., None]] = {"svm": _train_svm, "network": _train_network, "pretraining": _pretrain}
"""By the recipe's kind; the libraries that a kind needs are loaded by its own."""


def _print_task(task: Task) -> None:
    typer.echo(f"{len(task.clips)} clips, {len(task.classes)} classes: {', '.join(task.classes)}", err=True)


def _say_what_is_not_augmented(plan: NetworkRecipe, corpora: set[str], *, where: str = "") -> None:
    switched_on = any(getattr(plan.augment, name).probability for name in plan.augment.__struct_fields__)
    without = sorted(corpus for corpus in corpora if not plan.copies.get(corpus))
    if switched_on and without:
        names = ", ".join(without)
        typer.echo(f"note: no [{where}copies] of {names}, so [{where}augment] changes nothing there", err=True)
    if plan.teacher is not None:
        _say_what_is_not_augmented(plan.teacher.recipe, corpora, where="teacher.recipe.")


def _report(done: int, total: int, sentence: str) -> None:
    typer.echo(f"[{done}/{total}] {sentence}", err=True)


def _report_figures(folder: Path) -> None:
    """Print the figures, and write their report into the run folder: 20 s for five corpora in all their views."""
    from emovox.cli.evaluate import evaluate

    evaluate([str(folder)], output=folder / "report")
