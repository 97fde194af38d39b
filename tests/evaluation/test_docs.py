from __future__ import annotations

import contextlib
import csv
import io
import re
from pathlib import Path

from emovox.evaluation.figures.comparison import describe_protocol
from emovox.evaluation.figures.predictions import read_predictions

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found
    return [str(block) for block in found]


def test_the_python_of_the_page_runs() -> None:
    (code,) = blocks("python")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "docs/evaluation.md", "exec"), {})
    assert "UAR 0.875 [" in out.getvalue()
    assert "over speakers" in out.getvalue()


def test_the_csv_of_the_page_can_be_read(tmp_path: Path) -> None:
    (text,) = blocks("csv")
    (tmp_path / "page.csv").write_text(text, encoding="utf-8")
    assert read_predictions(tmp_path / "page.csv").predicted.tolist() == ["happy", ""]
    assert len({len(row) for row in csv.reader(text.splitlines())}) == 1


def test_the_commands_of_the_page_have_options_that_exist() -> None:
    from emovox.cli.evaluate import evaluate

    (text,) = blocks("console")
    options = set(re.findall(r"--([a-z-]+)", text))
    assert options <= set(evaluate.__annotations__)


def test_the_file_name_of_the_page_tells_its_protocol() -> None:
    assert "`ravdess-8-si.csv`" in PAGE
    assert describe_protocol("ravdess-8-si") == "speaker-independent"
