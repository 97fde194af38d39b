"""docs/languages.md shows the figures of results/transfer, and commands that exist."""

from __future__ import annotations

import csv
import re
from dataclasses import fields
from pathlib import Path

from emovox.cli.train import train
from emovox.cli.transfer import transfer
from emovox.evaluation.figures.transfer import OTHERS, Transfer
from emovox.evaluation.report.document import to_markdown
from emovox.evaluation.report.transfer import transfer_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "languages.md").read_text(encoding="utf-8")


def figures() -> list[Transfer]:
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Transfer)}
    with (ROOT / "results/transfer/accurate.csv").open(encoding="utf-8", newline="") as file:
        return [Transfer(**{name: kinds[name](row[name]) for name in kinds}) for row in csv.DictReader(file)]


def test_the_map_is_that_of_the_results() -> None:
    written = to_markdown("", [transfer_table(figures(), "plain")]).split("\n", 2)[2].strip()
    assert written.replace("\\", "") in PAGE


def test_the_row_of_each_adaptation_is_that_of_the_results() -> None:
    for view, words in (("source", "60 clips of other speakers"), ("speaker", "10 clips of the speaker, mean removed"),
                        ("mixture", "10 clips of the speaker, mixture")):  # fmt: skip
        found = [one.uar for one in figures() if one.learnt == OTHERS and one.view == view]
        (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {words}")]
        cells = [float(cell) for cell in line.strip("| ").split("|")[1:]]
        expected = sorted([*found, sum(found) / len(found)])
        assert all(abs(cell - value) <= 0.051 for cell, value in zip(sorted(cells), expected, strict=True))


def test_the_commands_have_options_that_exist() -> None:
    for name, command in (("transfer", transfer), ("train", train)):
        lines = re.findall(rf"^\$ emovox {name} (.*)$", PAGE, flags=re.MULTILINE)
        assert lines
        options = {option for line in lines for option in re.findall(r"--([a-z-]+)", line)}
        assert options <= {"with", *command.__annotations__}
