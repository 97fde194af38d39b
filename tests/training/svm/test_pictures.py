"""Pictures of what a model learns from: which are drawn, and that they show the labels they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from emovox.evaluation.report.scatter import tsne
from emovox.training import pictures
from emovox.training.svm.method import SvmMethod
from emovox.training.svm.pictures import write_pictures
from tests.training.tasks import CloudTask, cloud_task, small_recipe


def method(task: CloudTask) -> SvmMethod:
    return SvmMethod(task, task.inputs, small_recipe())


def test_one_corpus_is_drawn_by_emotion_and_speaker(tmp_path: Path) -> None:
    files = write_pictures(method(cloud_task()), tmp_path)
    assert [file.name for file in files] == ["tsne-emotion.png", "tsne-speaker.png", "pca-variance.png"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert len({file.read_bytes() for file in files}) == len(files)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_several_corpora_are_drawn_by_corpus_too(tmp_path: Path) -> None:
    files = write_pictures(method(cloud_task(corpora=("one", "two"), takes=1)), tmp_path)
    assert "tsne-corpus.png" in {file.name for file in files}


def test_many_clips_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def counted(matrix: npt.NDArray[np.float64], *, seed: int) -> npt.NDArray[np.float64]:
        drawn.append(len(matrix))
        return tsne(matrix, seed=seed)

    monkeypatch.setattr(pictures, "MOST_CLIPS", 10)
    monkeypatch.setattr(pictures, "tsne", counted)
    write_pictures(method(cloud_task()), tmp_path)
    assert drawn == [10]
