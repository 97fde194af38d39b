"""`emovox train`: train by a recipe; out-of-fold predictions, figures, and a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from emovox.cli.console import ResumeOption, RunFolderOption, WorkersOption, complain, say


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe (.toml); see the folder recipes/.")],
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe, e.g. svm.c=[10].")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<path>",
            help="Recordings to learn from, in place of those of the recipe: a folder of LABEL/SPEAKER/x.wav, a table "
            "(.csv), a manifest (.jsonl), or the name of a published corpus. Repeat for several.",
        ),
    ] = None,
    further: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="<path>", help="Recordings beside those of the recipe, as for --data."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="<name>", help="Name of the model, and of the corpus of your recordings.")
    ] = None,
    output: RunFolderOption = None,
    resume: ResumeOption = False,
    workers: WorkersOption = 2,
) -> None:
    """Train by a recipe: all folds of its protocol, predictions as CSV, a report, and the model if it has export."""
    from emovox.cli.evaluate import evaluate
    from emovox.cli.watcher import Printer
    from emovox.workflow import train as run_recipe

    changes = [
        *([f"data.corpora={json.dumps(data)}"] if data else []),
        *([f"name={name}", f"data.name={json.dumps(name)}"] if name else []),
        *(assignments or ()),
    ]
    changes = with_further(recipe, changes, further or ())
    run = run_recipe(recipe, changes, folder=output, resume=resume, workers=workers, watcher=Printer())
    if run.predictions:  # the report of five corpora under all conditions takes 20 s
        evaluate([str(run.folder)], output=run.folder / "report")
        return
    from emovox.training.stages.start import WEIGHTS, read_start

    found = read_start(str(run.folder))
    say(
        f"{found.speakers} speakers, {found.held_out_clips} clips of held-out videos: accuracy {found.accuracy:.1f} %, "
        f"UAR {found.uar:.1f} %, chance {found.chance:.1f} %"
    )
    complain(f"encoder: {run.folder / WEIGHTS}; start from it with start={run.folder}")


def with_further(recipe: Path, assignments: Sequence[str], further: Sequence[str]) -> list[str]:
    """Return the changes to a recipe that add further corpora to those that it has.

    Raises:
        RecipeError: the recipe cannot be read.
    """
    from emovox.workflow import read_recipe

    if not further:
        return list(assignments)
    known = read_recipe(recipe, assignments).data.corpora
    return [*assignments, f"data.corpora={json.dumps([*known, *further])}"]
