"""The code blocks of the READMEs and some pages: read, run, compare, and written anew by `make readme`.

A `console` block holds commands behind `$ ` and, below each, what it prints; a `python` block is followed by a `text`
block with what it prints. A last line `…` stands for the rest.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
STARTS = (ROOT / "docs" / "start.md", ROOT / "docs" / "zh" / "start.md")
PREDICT, STREAMING, TESTING = (ROOT / "docs" / name for name in ("predict.md", "streaming.md", "testing.md"))
PICTURE = ROOT / "docs" / "demo.png"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EMOVOX = [sys.executable, "-c", "from emovox.cli.main import main; main()"]

GROUPS = ("compress", "data", "speaker", "benchmark")
"""Commands that have commands."""

DEMO = "make demo"
DEMO_COMMAND = "emovox predict examples/demo.flac --plot demo.png"
DEMO_CLOSING = "picture: demo.png\n"
"""What `make demo` runs and says; the test compares both with the Makefile."""


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str


class Command(NamedTuple):
    """A command of a console block, and what the page says it prints (empty: nothing is shown)."""

    line: str
    output: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(language, text) for language, text in FENCE.findall(page)]


def commands(page: str) -> list[Command]:
    """All commands of a page, in order."""
    found = []
    for block in blocks(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                line, _, output = part.partition("\n")
                found.append(Command(line, output))
    return found


def scripts(page: str) -> list[tuple[str, str]]:
    """All pairs of a `python` block and the text that it prints."""
    pairs = pairwise(blocks(page))
    return [(code.text, shown.text) for code, shown in pairs if (code.language, shown.language) == ("python", "text")]


def can_run(line: str) -> bool:
    """Whether the test runs a command itself; making environments and training are left to CI and to people."""
    return line == DEMO or line.startswith("emovox ")


def run(line: str, folder: Path) -> str:
    """What a command prints, run in `folder`."""
    if line == DEMO:
        return run(DEMO_COMMAND, folder) + DEMO_CLOSING
    program, *arguments = shlex.split(line)
    assert program == "emovox"
    return _output([*EMOVOX, *arguments], folder)


def run_script(code: str, folder: Path) -> str:
    """What a Python block prints, run in `folder`."""
    return _output([sys.executable, "-c", code], folder)


def help_text(line: str) -> str:
    """The help of the command that a line calls."""
    words = shlex.split(line)[1:3]
    return _help(*words[: 2 if words[0] in GROUPS else 1])


@cache
def _help(*words: str) -> str:
    return _output([*EMOVOX, *words, "--help"], ROOT)


def workplace(folder: Path) -> Path:
    """Put what the commands read into an empty folder, so that they can write there."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


def renewed(page: str, folder: Path) -> str:
    """The page with the output of everything that it runs."""
    for command in commands(page):
        if command.output and can_run(command.line):
            before = f"$ {command.line}\n{command.output}"
            page = page.replace(before, f"$ {command.line}\n{_cut_like(command.output, run(command.line, folder))}")
    for code, shown in scripts(page):
        page = page.replace(f"{code}```\n\n```text\n{shown}", f"{code}```\n\n```text\n{run_script(code, folder)}")
    return page


def _cut_like(old: str, new: str) -> str:
    """Where the page shows the first lines only, show as many of the new ones."""
    head, ellipsis, _ = old.partition("…\n")
    return "".join(new.splitlines(keepends=True)[: head.count("\n")]) + ellipsis if ellipsis else new


def _output(arguments: list[str], folder: Path) -> str:
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, check=False, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> None:
    """Run everything, and rewrite the pages and their picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = workplace(Path(name))
        for path in (*READMES, *STARTS, PREDICT, STREAMING, TESTING):
            path.write_text(renewed(path.read_text(encoding="utf-8"), folder), encoding="utf-8", newline="\n")
        shutil.copyfile(folder / "demo.png", PICTURE)


if __name__ == "__main__":
    main()
