"""Which files an evaluation reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emovox.evaluation.figures.entries import run_files
from emovox.evaluation.figures.files import write_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.errors import PredictionsError


def test_the_path_of_predict_comes_before_the_other_views(
    tmp_path: Path, generated: Callable[..., Predictions]
) -> None:
    (tmp_path / "predictions").mkdir()
    for name in (
        "ravdess_seven_joint_tile",
        "ravdess_ravdess-8_joint_whole",
        "ravdess_ravdess-8_joint_tile",
        "casia_seven_joint_tile",
        "casia_own_joint_tile",
    ):
        write_predictions(generated(), tmp_path / "predictions" / f"{name}.csv")
    assert [file.stem for file in run_files(str(tmp_path))] == [
        *("casia_own_joint_tile", "casia_seven_joint_tile"),
        *("ravdess_ravdess-8_joint_tile", "ravdess_ravdess-8_joint_whole", "ravdess_seven_joint_tile"),
    ]
    assert [file.stem for file in run_files(str(tmp_path), views=False)] == [
        "casia_own_joint_tile",
        "ravdess_ravdess-8_joint_tile",
    ]


def test_a_folder_without_predictions_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="expected one that emovox train has made"):
        run_files(str(tmp_path))
