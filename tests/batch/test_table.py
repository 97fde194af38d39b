from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emovox.adaptation.familiarity import to_half
from emovox.batch import plan
from emovox.batch.job import Answer, Settings
from emovox.batch.table import METADATA_KEY, row_schema, to_table
from emovox.batch.voices import Adapting
from emovox.runtime.predictor import load
from emovox.schema.errors import ArchiveError, ConfigError, NoSetsError
from emovox.schema.result import Notice, Result, Segment
from emovox.schema.trust import CardFamiliarity, CardSets, CardTrust
from emovox.testing import write_toy
from tests.batch.archives import analysed, opened, rows_of, stopped_after, write_archive, write_bad

SETTINGS = Settings(
    emovox="1",
    model="toy",
    version="2",
    sha256="ab",
    licence="CC0-1.0",
    licence_risk="none",
    channels="mix",
    threshold=0.5,
    vad=True,
)
SCHEMA = row_schema(("low", "high"), SETTINGS)
SEGMENTS = (
    Segment(0.5, 2.0, 1, "low", 0.75, {"low": 0.75, "high": 0.25}),
    Segment(2.0, 3.0, 1, None, 0.5, {"low": 0.5, "high": 0.5}, code="not_speech"),
)


def result(*segments: Segment, warnings: tuple[Notice, ...] = ()) -> Result:
    return Result("/calls/a.wav", 4.0, None, None, None, {}, warnings, segments)


def test_columns_and_types() -> None:
    assert {field.name: str(field.type) for field in SCHEMA} == {
        "file": "string",
        "duration": "double",
        "channel": "int32",
        "start": "double",
        "end": "double",
        "label": "string",
        "confidence": "float",
        "score_low": "float",
        "score_high": "float",
        "code": "string",
        "unfamiliarity": "float",
        "warnings": "list<element: string>" if "element" in str(pa.list_(pa.string())) else "list<item: string>",
        "error_code": "string",
        "error_message": "string",
    }


def test_a_row_a_segment() -> None:
    warned = result(*SEGMENTS, warnings=(Notice("clipped", "too loud"),))
    table = to_table([(b"b/a.wav", Answer(0, (1, 2), warned))], SCHEMA)
    base = {"file": "b/a.wav", "duration": 4.0, "channel": 1, "error_code": None, "error_message": None}
    assert table.to_pylist() == [
        {**base, "start": 0.5, "end": 2.0, "label": "low", "confidence": 0.75, "score_low": 0.75, "score_high": 0.25}
        | {"code": None, "unfamiliarity": None, "warnings": ["clipped"]},
        {**base, "start": 2.0, "end": 3.0, "label": None, "confidence": 0.5, "score_low": 0.5, "score_high": 0.5}
        | {"code": "not_speech", "unfamiliarity": None, "warnings": ["clipped"]},
    ]


def test_sets_of_labels_and_the_distance_have_columns() -> None:
    schema = row_schema(("low", "high"), msgspec.structs.replace(SETTINGS, coverage=90, least=0.2))
    assert schema.names.index("label_set") == schema.names.index("code") + 1
    far = msgspec.structs.replace(result(*SEGMENTS), unfamiliarity=1.25)
    bad = Answer(1, None, error=Notice("unreadable", "got no such file"))
    rows = to_table([(b"a.wav", Answer(0, (1, 2), far)), (b"b.wav", bad)], schema).to_pylist()
    assert [row["label_set"] for row in rows] == [["low", "high"], None, None]
    assert [row["unfamiliarity"] for row in rows] == [1.25, 1.25, None]


def test_a_row_without_speech_and_a_row_for_an_error() -> None:
    silent = Answer(0, (1, 2), result(warnings=(Notice("no_speech", "nothing"),)))
    bad = Answer(1, None, error=Notice("unreadable", "got no such file"))
    first, second = to_table([(b"a.wav", silent), (b"b.wav", bad)], SCHEMA).to_pylist()
    told = {key: value for key, value in first.items() if value is not None}
    assert told == {"file": "a.wav", "duration": 4.0, "warnings": ["no_speech"]}
    told = {key: value for key, value in second.items() if value not in (None, [])}
    assert told == {"file": "b.wav", "error_code": "unreadable", "error_message": "got no such file"}


def test_no_answers_are_an_empty_table() -> None:
    table = to_table([], SCHEMA)
    assert (table.num_rows, table.schema) == (0, SCHEMA)


def test_names_that_are_no_utf8_stay_apart() -> None:
    answers = [(name, Answer(0, None, result())) for name in (b"\xff.wav", b"\xfe.wav", "é.wav".encode())]
    assert to_table(answers, SCHEMA)["file"].to_pylist() == [r"\xff.wav", r"\xfe.wav", "é.wav"]


def test_the_file_says_what_made_it(tmp_path: Path) -> None:
    calls = write_archive(tmp_path, files=1)
    analysed(calls, tmp_path / "out.parquet", threshold=0.25, channels=0)
    stored = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[METADATA_KEY])
    assert stored["model"] == "toy"
    assert len(stored["sha256"]) == 64
    assert {key: stored[key] for key in ("version", "licence", "threshold", "channels", "vad")} == {
        "version": "1.2.0",
        "licence": "Apache-2.0",
        "threshold": 0.25,
        "channels": 0,
        "vad": True,
    }


def test_bad_recordings_are_rows_and_harm_no_other(tmp_path: Path) -> None:
    calls = write_archive(tmp_path, files=2)
    write_bad(calls)
    tally = analysed(calls, tmp_path / "out.parquet")
    rows = rows_of(tmp_path / "out.parquet")
    codes = {row["file"]: row["error_code"] for row in rows}
    assert codes == {
        "0/00.wav": None,
        "1/01.wav": None,
        "empty.wav": "empty",
        "gone.wav": "unreadable",
        "half.flac": "undecodable",
        "nan.wav": "non_finite",
        "silent.wav": None,
        "text.wav": "undecodable",
    }
    assert tally.errors == {"empty": 1, "unreadable": 1, "undecodable": 2, "non_finite": 1}
    assert (tally.files, tally.failed, tally.segments) == (8, 5, sum(row["start"] is not None for row in rows))
    (message,) = [row["error_message"] for row in rows if row["file"] == "gone.wav"]
    assert message.startswith("got no such file")  # the name stands in a column of its own
    (silent,) = [row for row in rows if row["file"] == "silent.wav"]
    assert (silent["duration"], silent["warnings"], silent["label"]) == (1.0, ["no_speech"], None)


TRUST = CardTrust(
    sets=(CardSets(coverage=90, least=0.05, mean=90.0, worst=80.0, size=2.0, speakers=20),),
    familiarity=CardFamiliarity(
        step=1,
        axes=to_half(np.eye(2)),
        centres=((5.0, 5.0),),
        voices=(4,),
        spread=(0.1, 0.1),
        limits=((1, 1.0),),
        slope=0.1,
        known=2.5,
        unheard=90.0,
    ),
)


@pytest.mark.parametrize("adapt", ["off", "recording", "folder"])
def test_sets_and_distance_are_those_of_predict(tmp_path: Path, adapt: str) -> None:
    calls = write_archive(tmp_path, files=2)
    write_toy(tmp_path, trust=TRUST)
    analysed(calls, tmp_path / "out.parquet", coverage=90, adapting=Adapting(adapt))  # type: ignore[arg-type]
    predictor = load(str(tmp_path / "toy.onnx"))
    how = "off" if adapt == "off" else "recording"  # each folder has one recording
    for row in rows_of(tmp_path / "out.parquet"):
        expected = predictor.predict(str(calls / row["file"]), adapt=how, coverage=90)  # type: ignore[arg-type]
        assert row["label_set"] == list(expected.segments[0].label_set or ())
        assert row["unfamiliarity"] == pytest.approx(expected.unfamiliarity)
        assert row["unfamiliarity"] > 1
        assert row["warnings"] == [notice.code for notice in expected.warnings]
    stored = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[METADATA_KEY])
    assert (stored["coverage"], stored["least"]) == (90, 0.05)


def test_a_coverage_that_the_model_lacks_or_that_changes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "GROUP_FILES", 1)
    calls, output = write_archive(tmp_path, files=2), tmp_path / "out.parquet"
    with pytest.raises(NoSetsError, match="has no sets of labels"), opened(calls, output, coverage=90):
        raise AssertionError("was not refused")
    write_toy(tmp_path, trust=TRUST)
    with pytest.raises(ConfigError, match="coverage is 85, expected"), opened(calls, output, coverage=85):
        raise AssertionError("was not refused")
    stopped_after(2, calls, output, coverage=90)
    with pytest.raises(ArchiveError, match="coverage was 90, is None"), opened(calls, output, resume=True):
        raise AssertionError("was not refused")
