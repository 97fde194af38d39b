from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from emovox.evaluation.figures.predictions import Predictions, Row
from emovox.evaluation.figures.transfer import OTHERS, Transfer, measure_transfer
from emovox.evaluation.report.style import png_of
from emovox.evaluation.report.transfer import heat_map, transfer_table, write_transfer_report
from tests.evaluation.pictures import assert_drawn, texts


def figure(learnt: str, tested: str, view: str = "plain", uar: float = 61.4) -> Transfer:
    return Transfer(learnt, tested, view, classes=4, speakers=6, clips=120, uar=uar, low=uar - 4.2, high=uar + 3.9)


FIGURES = (
    figure("emodb", "casia"),
    figure("casia", "emodb", uar=25.0),
    figure(OTHERS, "casia", uar=70.2),
    figure(OTHERS, "我的录音", uar=98.0),
    figure("emodb", "casia", "source", uar=66.0),
)


def test_a_table_has_what_was_learnt_as_rows_and_the_test_as_columns() -> None:
    table = transfer_table(FIGURES, "plain")
    assert table.head == ("learnt from", "emodb", "casia", "我的录音")
    assert table.rows == (
        ("emodb", "–", "61.4 [57, 65]", "–"),
        ("casia", "25.0 [21, 29]", "–", "–"),
        (OTHERS, "–", "70.2 [66, 74]", "98.0 [94, 102]"),
    )
    assert transfer_table(FIGURES, "source").rows == (("emodb", "–", "66.0 [62, 70]", "–"),)


def test_the_heat_map_writes_every_figure() -> None:
    made = heat_map(FIGURES, title="Transfer of svm")
    assert {"61", "25", "70", "98", "66", OTHERS, "emodb", "plain", "source"} <= texts(made)
    assert_drawn(png_of(made))


def test_three_files_are_written(tmp_path: Path) -> None:
    page = write_transfer_report(FIGURES, tmp_path, title="Transfer of svm")
    text = page.read_text(encoding="utf-8")
    assert "![Heat map of UAR by training and test corpus](transfer.png)" in text
    assert "| emodb | – | 4 (25.0) | – |" in text
    with (tmp_path / "transfer.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(FIGURES)
    assert rows[0]["learnt"] == "emodb"
    assert float(rows[0]["uar"]) == 61.4
    assert_drawn((tmp_path / "transfer.png").read_bytes())


@pytest.mark.parametrize("draws", [1, 5])
def test_the_draws_of_a_clip_stay_together_in_the_bootstrap(draws: int) -> None:
    """Five draws of the same clips are no further people: the interval stays as wide."""
    rng = np.random.default_rng(0)
    right = {number: rng.random() < 0.7 for number in range(60)}
    rows = [
        Row("own", f"{n}", f"s{n % 6}", "1", "ab"[n % 2], "ab"[(n + 1 - right[n]) % 2], (0.5, 0.5))
        for _ in range(draws)
        for n in range(60)
    ]
    found = measure_transfer(Predictions.from_rows(rows, ("a", "b")), learnt="x", tested="own", view="plain")
    assert (found.clips, found.speakers, found.classes, found.chance) == (60, 6, 2, 50)
    assert found.high - found.low > 10
