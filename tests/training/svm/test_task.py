"""The baseline's task: what `make_task` chose, with the functionals of those clips."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from emovox.corpora.registry import index
from emovox.schema.errors import ProtocolError
from emovox.training.data.task import make_task
from emovox.training.data.views import WHOLE
from emovox.training.recipe import Data
from emovox.training.svm.rows import clip_rows
from emovox.training.svm.task import make_svm_task
from tests.corpora.trees import clip
from tests.sounds import write_sounds

OWN = Data(corpora=("own.jsonl",), protocol="si")


def test_rows_are_those_of_the_chosen_clips(tmp_path: Path) -> None:
    clips = list(index("table", write_sounds(tmp_path / "voices", takes=1)))
    clips[0] = msgspec.structs.replace(clips[0], label=None)
    task, plain = make_svm_task(clips, OWN, cache=tmp_path, workers=1), make_task(clips, OWN)
    assert (task.clips, task.classes) == (plain.clips, plain.classes)
    assert task.labels.tolist() == plain.labels.tolist()
    assert task.allowed.tolist() == plain.allowed.tolist()
    assert set(task.rows.owner) == set(range(11))
    (first,) = task.rows.select([0], (WHOLE,))
    assert task.rows.values[first].tolist() == clip_rows(clips[1].path).values[0].tolist()


def test_clips_without_speakers_are_refused_before_features_are_computed(tmp_path: Path) -> None:
    clips = [clip("own", number, None, ("keen", "cross")[number % 2]) for number in range(6)]  # no such files
    with pytest.raises(ProtocolError, match="6 of 6 clips have no speaker"):
        make_svm_task(clips, OWN, cache=tmp_path, workers=1)
