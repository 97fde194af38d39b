from __future__ import annotations

import contextlib
import csv
import io
import re
from operator import attrgetter
from pathlib import Path

import pytest

from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.metrics import uar
from emovox.schema.figure import FigureKey

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found
    return [str(block) for block in found]


def test_the_python_of_the_page_runs() -> None:
    _, code = blocks("python")
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
    from emovox.cli.transfer import transfer

    first, second = blocks("console")
    assert set(re.findall(r"--([a-z-]+)", first)) <= set(evaluate.__annotations__)
    assert set(re.findall(r"--([a-z-]+)", second)) <= {*transfer.__annotations__, "with", "no-pairs"}


def test_the_file_name_of_the_page_tells_its_protocol() -> None:
    assert "`ravdess_ravdess-8_si_tile.csv`" in PAGE
    assert FigureKey.parse("svm", "ravdess_ravdess-8_si_tile").words == "speaker-independent"


def test_a_stranger_recomputes_a_figure_with_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(ROOT)
    code, _ = blocks("python")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "docs/evaluation.md", "exec"), {})
    found = uar(*attrgetter("label", "predicted")(read_predictions(ROOT / "results/accurate/casia_own_joint_tile.csv")))
    assert out.getvalue() == f"UAR {100 * found:.1f}\n"
