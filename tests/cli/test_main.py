from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

import emovox
from emovox.cli import console
from emovox.cli.console import clock, columns
from emovox.cli.main import COMMANDS, create_app, main
from emovox.runtime import registry


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert [line.split()[0] for line in listed.splitlines() if line.strip()] == list(COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"emovox {emovox.__version__}\n"


def test_unknown_command_and_none_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predcit", "a.wav") == 2
    assert "No such command 'predcit'" in capsys.readouterr().err
    assert run() in (0, 2)  # Typer below 0.16 exits with 0 when it shows the help
    assert "Commands:" in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = getattr(import_module(COMMANDS[name].module), COMMANDS[name].attribute)
    assert isinstance(target, typer.Typer) or callable(target)
    assert run(name, "--help") == 0
    assert "Usage: emovox " + name in capsys.readouterr().out


def test_only_the_wanted_command_is_loaded() -> None:
    code = "import sys; from emovox.cli.main import create_app; create_app(['models']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "emovox.cli.models" in loaded
    assert "emovox.cli.predict" not in loaded


def test_app_is_built_afresh_each_time() -> None:
    assert create_app([]) is not create_app([])


def test_module_runs_as_the_installed_command_does() -> None:
    code = "from emovox.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "none-such"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: no model 'none-such'")
    assert done.stderr.count("\n") == 1


def test_columns_count_wide_letters_and_not_colours() -> None:
    rows = [["日本", "x"], [typer.style("abc", fg="red"), "y"]]
    assert columns(rows, gap=1, styled=True).splitlines() == ["日本 x", f"{typer.style('abc', fg='red')}  y"]


def test_clock_rounds() -> None:
    assert [clock(seconds) for seconds in (0.4, 59.6, 3599.6)] == ["0:00", "1:00", "1:00:00"]


def test_only_one_function_writes_to_the_terminal() -> None:
    found = {
        path.name: line.strip()
        for path in Path(console.__file__).parent.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\b(echo|secho|print)\(|sys\.std(out|err)\.write", line)
    }
    assert found.keys() - {"letters.py"} == {"console.py", "screen.py"}  # a doctest prints; the screen draws by rich


def test_the_help_names_the_shipped_models() -> None:
    assert set(console.SHIPPED) == set(registry.shipped())
    assert registry.resolve().stem == console.DEFAULT


def test_a_shell_completes_commands_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_EMOVOX_COMPLETE", "complete_bash")
    for words, expected in (("emovox pre", "predict"), ("emovox predict --thr", "--threshold")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        with pytest.raises(SystemExit):
            main()
        assert capsys.readouterr().out.split() == [expected]


WARNS = """
import sys, warnings
from emovox.augment.conditions import Noisy
from emovox.cli import main

def create_app(arguments):
    Noisy(20, sys.argv[1]).recordings
    warnings.warn("not ours")
    return lambda **_: 0

main.create_app = create_app
main.main([])
"""


def test_a_warning_is_a_line_and_names_no_source(tmp_path: Path) -> None:
    """A user cannot do anything with a line of code; a warning of another package says where it comes from."""
    for name, level in (("hum.wav", 0.1), ("nothing.wav", 0.0)):
        soundfile.write(tmp_path / name, np.full(8000, level), 16000)
    done = subprocess.run([sys.executable, "-c", WARNS, str(tmp_path)], capture_output=True, text=True, check=True)
    first, *others = done.stderr.splitlines()
    assert first == f"warning: {tmp_path}: 1 of 2 noises cannot be used: nothing.wav: silent"
    assert others[0].endswith("UserWarning: not ours")


def options(words: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a command and of its subcommands, with their names on the command line."""
    command: Any = typer.main.get_command(create_app(words))
    for word in words:
        command = command.commands[word]
    if hasattr(command, "commands"):
        for name in command.commands:
            yield from options([*words, name])
        return
    for parameter in command.params:
        yield " ".join([*words, parameter.opts[0]]), parameter.type


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_every_number_has_a_lower_bound(name: str) -> None:
    """A negative seed or count is wrong usage, not a traceback; the service checks its settings itself."""
    checked_later = {
        "listen --hop",
        "predict --coverage",
        "batch --coverage",
        "compress prune --keep",
        "compress prune --learning-rate",
    }
    for option, kind in options([name]):
        if kind.name.startswith(("int", "float")) and option not in checked_later:
            assert getattr(kind, "min", None) is not None, option
