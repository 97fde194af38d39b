"""`emovox transfer`: how a recipe carries over from corpus to corpus and from language to language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emovox.cli.console import ResumeOption, WorkersOption, complain, say


def transfer(
    recipe: Annotated[Path, typer.Argument(help="A recipe (.toml) of a network or of the baseline.")],
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the recipe, e.g. members=1.")
    ] = None,
    further: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="<path>",
            help="Recordings beside those of the recipe: a manifest (.jsonl), a table (.csv), or the name of a "
            "published corpus. Repeat for several.",
        ),
    ] = None,
    pairs: Annotated[
        bool, typer.Option(help="Learn from each corpus alone too, not only from all other languages.")
    ] = True,
    output: Annotated[Path, typer.Option(help="Folder of the tables, the picture and the models.")] = Path("transfer"),
    resume: ResumeOption = False,
    workers: WorkersOption = 2,
) -> None:
    """Train on each corpus, and on all other languages; test on every corpus that was not heard.

    Writes a table of UAR with intervals, plain and adapted, as Markdown and CSV, and a heat map.
    """
    from emovox.cli.train import with_further
    from emovox.cli.watcher import Printer
    from emovox.workflow import transfer as run_transfer

    page = run_transfer(
        recipe,
        with_further(recipe, assignments or (), further or ()),
        folder=output,
        pairs=pairs,
        resume=resume,
        workers=workers,
        watcher=Printer(),
    )
    say(page.read_text(encoding="utf-8"), nl=False)
    complain(f"table and picture: {page.parent}")
