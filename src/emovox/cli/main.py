"""The command `emovox`. It imports only the module of the command that was typed, so that start-up stays short."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from emovox import __version__
from emovox.cli.console import complain, say
from emovox.cli.signals import ended_by_signals
from emovox.schema.errors import EmovoxError

_UsageError: Any = typer.BadParameter.__base__  # typer names it nowhere


class Command(NamedTuple):
    """Where a command is defined: `attribute` of `module` is its function, or a `typer.Typer` of subcommands."""

    module: str
    attribute: str
    help: str


COMMANDS: dict[str, Command] = {
    "predict": Command("emovox.cli.predict", "predict", "Predict the emotions in recordings, as a timeline."),
    "report": Command("emovox.cli.report", "report", "Write a report of a call as one page: how the customer sounded."),
    "listen": Command("emovox.cli.listen", "listen", "Predict the emotions in live speech from a microphone."),
    "serve": Command("emovox.cli.serve", "serve", "Serve recordings by HTTP and live audio by WebSocket."),
    "batch": Command("emovox.cli.batch", "batch", "Predict the emotions in an archive, on all cores."),
    "speaker": Command("emovox.cli.speaker", "app", "Teach a model the voice of a speaker, and manage such profiles."),
    "features": Command("emovox.cli.features", "features", "Write acoustic features of recordings as a table."),
    "data": Command("emovox.cli.data", "app", "Describe, index, verify and count corpora of speech."),
    "train": Command("emovox.cli.train", "train", "Train a model from a recipe."),
    "evaluate": Command("emovox.cli.evaluate", "evaluate", "Evaluate a model, or recompute figures from predictions."),
    "transfer": Command("emovox.cli.transfer", "transfer", "Measure how a recipe carries over from corpus to corpus."),
    "compress": Command("emovox.cli.compress", "app", "Make a model smaller and faster: distillation, pruning, INT8."),
    "export": Command("emovox.cli.export", "export", "Write a model for other programs: C, ONNX, wasm, TensorRT."),
    "models": Command("emovox.cli.models", "models", "List the models that come with emovox, with their figures."),
    "doctor": Command("emovox.cli.doctor", "doctor", "Check this installation: what works here, and what does not."),
    "benchmark": Command("emovox.cli.benchmark", "app", "Measure the speed of emovox on this machine."),
}


def create_app(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line for these arguments.

    It loads the command that they name, and only lists the others.

    Args:
        arguments: what follows `emovox` on the command line.
    """
    app = typer.Typer(
        help="Recognise emotion in speech: from a recording to a timeline of emotions, with small models.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    typed = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, command in COMMANDS.items():
        if name != typed:
            app.command(name, help=command.help)(_listed)
            continue
        target = getattr(import_module(command.module), command.attribute)
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, help=command.help)
        else:
            app.command(name, no_args_is_help=False)(target)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 is success, 1 an error (one line on standard error), 2 wrong usage.

    A termination or a hang-up ends the process as an interrupt does: no unfinished file and no worker process remain.

    Args:
        arguments: what follows `emovox`; None takes those of the process.
    """
    arguments = _typed() if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names that the terminal cannot encode
    _open_closed()
    try:
        with ended_by_signals(), _plain_warnings():
            status = create_app(arguments)(args=arguments, prog_name="emovox", standalone_mode=False)
        sys.exit(status or 0)
    except _UsageError as error:
        text = io.StringIO()
        error.show(text)
        say(text.getvalue(), err=True, nl=False)
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(1)
    except EmovoxError as error:
        complain(f"error: {error}")
        sys.exit(1)
    except OSError as error:  # reading and writing raise an EmovoxError; this is standard output on a full disk
        complain(f"error: {error}; make room, or check where the output goes")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the rest of the buffer cannot be written either
        sys.exit(1)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print warnings of emovox as lines for its user; those of other packages say where they come from."""
    package, shown = str(Path(__file__).parent.parent), warnings.showwarning

    def show(message: Warning | str, category: type[Warning], filename: str, *rest: Any, **named: Any) -> None:
        """Print a warning."""
        if category is UserWarning and filename.startswith(package):
            complain(f"warning: {message}")
        else:
            shown(message, category, filename, *rest, **named)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown


class _Closed(io.TextIOBase):
    """Standard output that the caller has closed (`>&-`): what is written to it is lost, which is an error."""

    def write(self, text: str) -> int:  # noqa: ARG002
        """Raise the error that the system would raise."""
        raise OSError(errno.EBADF, "standard output is closed")


def _open_closed() -> None:
    """Let a write to a closed standard output fail, and let no file get its number."""
    if sys.stdout is None:
        sys.stdout = _Closed()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _typed() -> list[str]:
    """Return the arguments of the process; while a shell asks for completions, what was typed so far."""
    if "_EMOVOX_COMPLETE" not in os.environ:
        return sys.argv[1:]
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    return line.split()[1:]


def _version(given: bool) -> None:
    if given:
        say(f"emovox {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options before the command."""


def _listed() -> None:
    """Stand in for a command that is listed in the help and was not typed."""
