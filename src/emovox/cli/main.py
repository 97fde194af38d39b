"""The command `emovox`: only the module of the command that was typed is imported, so that start-up stays short."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, NamedTuple

import typer

from emovox import __version__
from emovox.cli.signals import ended_by_signals
from emovox.schema.errors import EmovoxError


class Command(NamedTuple):
    """Where a command lives: `attribute` of `module` is its function, or a `typer.Typer` with commands of its own."""

    module: str
    attribute: str
    help: str


COMMANDS: dict[str, Command] = {
    "predict": Command("emovox.cli.predict", "predict", "Tell the emotions in recordings, as a timeline."),
    "listen": Command("emovox.cli.listen", "listen", "Tell the emotions in a voice while it speaks."),
    "serve": Command("emovox.cli.serve", "serve", "Serve recordings by HTTP and live audio by WebSocket."),
    "batch": Command("emovox.cli.batch", "batch", "Tell the emotions in an archive, on all cores or a cluster."),
    "features": Command("emovox.cli.features", "features", "Write acoustic features of recordings as tables."),
    "data": Command("emovox.cli.data", "app", "Describe, index, verify and count corpora."),
    "train": Command("emovox.cli.train", "train", "Train a model from a recipe."),
    "evaluate": Command("emovox.cli.evaluate", "evaluate", "Measure a model, or recompute figures from predictions."),
    "models": Command("emovox.cli.models", "models", "List the models that come with emovox, with their figures."),
    "benchmark": Command("emovox.cli.benchmark", "app", "Measure speed on this machine."),
}


def create_app(arguments: Sequence[str]) -> typer.Typer:
    """Build the command line for these arguments.

    The command that they name is loaded; the others are only listed.

    Args:
        arguments: what follows `emovox` on the command line.
    """
    app = typer.Typer(
        help="Emotion in speech: from a recording to a timeline of emotions, with small models.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, command in COMMANDS.items():
        if name != wanted:
            app.command(name, help=command.help)(_listed)
            continue
        target = getattr(import_module(command.module), command.attribute)
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, help=command.help)
        else:
            app.command(name, no_args_is_help=False)(target)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 something failed (one line on stderr), 2 wrong usage.

    A termination or a hang-up ends the process as an interrupt does: no unfinished file and no worker process is left.

    Args:
        arguments: what follows `emovox`; the process's own unless given.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name that the terminal's encoding does not have
    try:
        with ended_by_signals():
            create_app(arguments)(args=arguments, prog_name="emovox")
    except EmovoxError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # reading and writing give errors of their own; this is stdout on a full disk
        typer.echo(f"error: {error}; make room, or check where the output goes", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer cannot be written either
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"emovox {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


def _listed() -> None:
    """Stand for a command that is listed in the help and was not typed."""
