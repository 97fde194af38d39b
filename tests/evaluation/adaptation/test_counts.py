"""Counts survive as a CSV, and a damaged one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from emovox.evaluation.adaptation.counts import AdaptationCounts, read_counts, write_counts
from emovox.schema.errors import PredictionsError

ROWS = (
    AdaptationCounts("casia", "ann, b.", "own", "mixture", "all", "", 5, ("sad", "calm"), (4, 6), (1, 2), (3, 6)),
    AdaptationCounts("casia", "bo", "seven", "mean", "one", "sad", 10, ("sad",), (9,), (0,), (9,)),
)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_counts(tmp_path / "a" / "x.csv", ROWS)
    assert read_counts(tmp_path / "a" / "x.csv") == ROWS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4 6", "4", "got 1, 2 and 2 counts for 2 classes"),
        ("4 6", "4 x", "invalid literal for int"),
        ("corpus", "korpus", "its columns are korpus, speaker"),
        (",all", "", "zip"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "x.csv"
    write_counts(path, ROWS)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(PredictionsError, match=f"not the counts of an adaptation .*{message}"):
        read_counts(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="not the counts of an adaptation"):
        read_counts(tmp_path / "x.csv")
