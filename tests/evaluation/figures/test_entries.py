"""Which files an evaluation reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emovox.evaluation.figures.entries import run_files
from emovox.evaluation.figures.predictions import Predictions, write_predictions
from emovox.schema.errors import PredictionsError


def test_the_path_of_predict_comes_before_the_other_views(
    tmp_path: Path, generated: Callable[..., Predictions]
) -> None:
    (tmp_path / "predictions").mkdir()
    for name in (
        "ravdess-7-joint-seven",
        "ravdess-8-joint-whole",
        "ravdess-8-joint",
        "casia-joint-seven",
        "casia-joint",
    ):
        write_predictions(generated(), tmp_path / "predictions" / f"{name}.csv")
    assert [file.stem for file in run_files(str(tmp_path))] == [
        *("casia-joint", "casia-joint-seven"),
        *("ravdess-8-joint", "ravdess-7-joint-seven", "ravdess-8-joint-whole"),
    ]
    assert [file.stem for file in run_files(str(tmp_path), views=False)] == ["casia-joint", "ravdess-8-joint"]


def test_a_folder_without_predictions_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="expected one that emovox train has made"):
        run_files(str(tmp_path))
