"""`emovox compress distill` and `prune`: smaller networks from a training run, trained in each of its folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emovox.cli.console import ResumeOption, RunFolderOption, WorkersOption, columns, complain, say
from emovox.schema.extras import require

if TYPE_CHECKING:
    from emovox.training.recipe import Recipe

NEED, EXTRA = "emovox compress", "train"


def distill(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER_RUN", help="Run folder of emovox train, finished.")],
    recipe: Annotated[Path, typer.Option(help="Recipe of the student (.toml), with the folds of the run.")],
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe, e.g. teacher.share=1."),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="<folder>",
            help="Folder of recordings without labels: the student learns what the teacher says of them. Repeat for "
            "several. They must not be of speakers that are tested.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(metavar="<name>", help="Name of the model. Default: that of the recipe.")] = "",
    output: RunFolderOption = None,
    resume: ResumeOption = False,
    workers: WorkersOption = 2,
) -> None:
    """Train a student by the scores and embeddings of a run's networks, and write a run with figures and model.

    In each fold the student learns from the network of that fold, which has not heard its test speakers either.
    """
    _require()
    from emovox.training.cache import cache_folder
    from emovox.workflow import read_recipe

    folders = [str(folder.absolute()) for folder in unlabelled or ()]
    changes = [
        *(assignments or ()),
        f"teacher.run={json.dumps(str(teacher.absolute()))}",
        *([f"teacher.unlabelled={json.dumps(folders)}"] if folders else []),
        *([f"name={json.dumps(name)}"] if name else []),
    ]
    student = read_recipe(recipe, changes)
    folder = output or cache_folder() / "runs" / student.name
    _train(student, folder, resume=resume, workers=workers)
    _compare(teacher, folder)


def prune(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of emovox train, finished.")],
    keep: Annotated[float, typer.Option(help="Share of the channels of each layer that stay, above 0, at most 1.")],
    criterion: Annotated[
        Literal["l2", "l1", "random"],
        typer.Option(help="Importance of a channel: squares or absolute values of its weights, or drawn."),
    ] = "l2",
    multiple: Annotated[int, typer.Option(min=1, help="Numbers of channels are rounded down to multiples of it.")] = 16,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the further training.")] = 1000,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of the further training.")] = 1e-3,
    name: Annotated[
        str, typer.Option(metavar="<name>", help="Name of the new model. Default: that of the run and the percentage.")
    ] = "",
    output: RunFolderOption = None,
    resume: ResumeOption = False,
    workers: WorkersOption = 2,
) -> None:
    """Remove channels of a trained network, train it further in each fold, and write a new run with figures and model.

    First stage and teacher are taken over from the run. The result is that of its recipe with the table [prune].
    """
    _require()
    from emovox.training.cache import cache_folder
    from emovox.training.network_recipe import Pruning, recipe_of_run
    from emovox.training.run_folder import is_same_run
    from emovox.training.take_over import pruned_recipe, take_over

    before = recipe_of_run(run, need="prune")
    pruning = Pruning(keep=keep, criterion=criterion, multiple=multiple, steps=steps, learning_rate=learning_rate)
    after = pruned_recipe(before, pruning, name=name)
    folder = output or cache_folder() / "runs" / after.name
    is_same_run(folder, after, resume=resume)
    take_over(run, folder, before=before, after=after)
    _train(after, folder, resume=resume, workers=workers)
    _compare(run, folder)


def _require() -> None:
    for module in ("torch", "torch_pruning", "lightning_fabric", "sklearn"):
        require(module, need=NEED, extra=EXTRA)


def _train(recipe: Recipe, folder: Path, *, resume: bool, workers: int) -> None:
    from emovox.cli.evaluate import evaluate
    from emovox.cli.watcher import Printer
    from emovox.workflow import train

    made = train(recipe, folder=folder, resume=resume, workers=workers, watcher=Printer())
    evaluate([str(made.folder)], output=made.folder / "report")


def _compare(before: Path, after: Path) -> None:
    """Print what compression changed, and write it beside the new model."""
    from emovox.compression.report import REPORT, compression_report

    report = compression_report(before, after)
    old, new = report.before, report.after
    rows = [
        ("", old.name, new.name),
        ("parameters", f"{old.parameters:,}", f"{new.parameters:,}"),
        ("multiply-adds of 3 s, network", _millions(old.multiply_adds), _millions(new.multiply_adds)),
        ("… front end", _millions(old.front_end_multiply_adds), _millions(new.front_end_multiply_adds)),
        ("file", _megabytes(old.size), _megabytes(new.size)),
        *(
            (f"UAR, {corpus}", f"{old.uar[corpus]:.1f}" if corpus in old.uar else "–", f"{value:.1f}")
            for corpus, value in new.uar.items()
        ),
    ]
    say(columns(rows), nl=False)
    parity = [f"{value:.1g} ({seconds} s)" for seconds, value in report.parity.items()]
    complain(f"largest difference of file and network: {', '.join(parity) or 'no file was exported'}")
    complain(f"comparison: {after / REPORT}")


def _millions(number: int) -> str:
    return f"{number / 1e6:.1f} M"


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1e6:.2f} MB"
