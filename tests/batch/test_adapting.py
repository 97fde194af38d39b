"""An archive whose scores are adapted: to known voices, to each recording, or to all recordings of a voice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from emovox.adaptation.speaker import SpeakerProfile
from emovox.adaptation.store import SpeakerStore
from emovox.batch import plan
from emovox.batch.local import LocalEngine
from emovox.batch.table import METADATA_KEY
from emovox.batch.voices import Adapting
from emovox.runtime.folder_pass import FolderPass
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.schema.card import CardSpeech
from emovox.schema.errors import AdaptError, ArchiveError, ConfigError, UnknownSpeakerError
from emovox.schema.result import Result
from emovox.testing import RATE, speech, write_toy
from tests.batch.archives import Here, Rows, analysed, opened, rows_of, same_rows, stopped_after, unobserved

SAME = 1e-5
"""Scores from the statistics, and from the values of the head's first map."""

FILES = ("a/0.wav", "a/1.wav", "b/2.wav", "b/3.wav", "silent.wav", "text.wav")
PITCHES = ((300.0, 1200.0), (2400.0, 500.0), (400.0, 900.0), (1800.0, 250.0))


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plan, "GROUP_FILES", 2)
    monkeypatch.setenv("EMOVOX_SPEAKERS", str(tmp_path / "speakers"))


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Four recordings of two tiles or more in two folders, a silent one, and one that is no audio."""
    write_toy(tmp_path)
    folder = tmp_path / "calls"
    for name, pitches in zip(FILES, PITCHES, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pause = np.zeros(RATE, np.float32)
        soundfile.write(
            folder / name, np.concatenate([x for hz in pitches for x in (speech(hz, seconds=2), pause)]), RATE
        )
    soundfile.write(folder / "silent.wav", np.zeros(RATE, np.float32), RATE)
    (folder / "text.wav").write_text("This is no audio.")
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def predictor_of(calls: Path) -> Predictor:
    return Predictor(Model.load(calls.parent / "toy.onnx"))


def learn(calls: Path, name: str, *files: str) -> None:
    predictor = predictor_of(calls)
    for file in files:
        predictor.learn(str(calls / file))
    assert predictor.speaker is not None
    store(name, predictor.speaker)


def store(name: str, profile: SpeakerProfile) -> None:
    SpeakerStore().update(name, lambda _: profile)


def adapted(calls: Path, output: Path, **adapting: Any) -> Rows:
    analysed(calls, output, adapting=Adapting(**adapting))
    return rows_of(output)


def check(rows: Rows, expected: dict[str, Result], *, source: str | None = None) -> None:
    """Compare the rows of some files with results, which may name another source."""
    for file, result in expected.items():
        mine = [row for row in rows if row["file"] == file]
        assert len(mine) == len(result.segments) >= 2
        assert result.adapted is not None
        for row, segment in zip(mine, result.segments, strict=True):
            assert segment.plain_scores is not None
            assert {label: row[f"score_{label}"] for label in segment.scores} == pytest.approx(segment.scores, abs=SAME)
            plain = {label: row[f"plain_{label}"] for label in segment.scores}
            assert plain == pytest.approx(segment.plain_scores, abs=SAME)
            assert (row["label"], row["start"]) == (segment.label, segment.start)
            told = [row[f"adapted_{name}"] for name in ("source", "clips", "seconds")]
            assert told == [source or result.adapted.source, result.adapted.clips, result.adapted.seconds]


def check_others(rows: Rows, source: str) -> None:
    """Check the rows of the silent recording and of the one that is no audio."""
    silent, text = ([row for row in rows if row["file"] == name] for name in FILES[-2:])
    assert [(row["adapted_source"], row["adapted_clips"], row["warnings"]) for row in silent] == [
        (source, 0, ["no_speech"])
    ]
    assert [(row["adapted_source"], row["error_code"]) for row in text] == [(None, "undecodable")]


def in_groups(calls: Path, *groups: Sequence[str], source: str | None = None) -> dict[str, Result]:
    """Adapt each group of recordings together, as predict does with a folder."""
    predictor = predictor_of(calls)
    if source is not None:
        predictor = predictor.for_speaker(source=SpeakerStore().load(source))
    files = [(file, str(number)) for number, group in enumerate(groups) for file in group]
    with FolderPass(predictor) as together:
        for file, group in files:
            together.add(predictor.hear(str(calls / file), threshold=0.0), group)
        return dict(zip([file for file, _ in files], together.results(), strict=True))


def write_table(path: Path, *rows: str, header: str = "file,caller") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("adapt", ["recording", "channel"])
def test_recordings_adapt_to_themselves(calls: Path, output: Path, adapt: Any) -> None:
    predictor = predictor_of(calls)
    expected = {file: predictor.predict(str(calls / file), threshold=0.0, adapt=adapt) for file in FILES[:4]}
    rows = adapted(calls, output, adapt=adapt)
    check(rows, expected)
    check_others(rows, adapt)
    assert any(row["score_sad"] != pytest.approx(row["plain_sad"], abs=0.01) for row in rows if row["start"])


def test_a_known_speaker_and_source_travel_in_the_job(calls: Path, output: Path) -> None:
    learn(calls, "ana", "a/0.wav", "a/1.wav")
    learn(calls, "room", "b/2.wav", "b/3.wav")
    kept = SpeakerStore()
    known = predictor_of(calls).for_speaker(kept.load("ana"), name="ana", source=kept.load("room"))
    expected = {file: known.predict(str(calls / file), threshold=0.0) for file in FILES[:4]}
    with opened(calls, output, adapting=Adapting(speaker="ana", source="room")) as archive:
        for name in ("ana", "room"):
            kept.delete(name)  # other machines do not have them
        archive.run(LocalEngine(1), unobserved)
    check(rows_of(output), expected)
    stored = json.loads(pq.read_schema(output).metadata[METADATA_KEY])
    assert (stored["speaker"], stored["source"], len(stored["profiles"])) == ("ana", "room", 64)


@pytest.mark.parametrize("source", [None, "room"])
def test_folders_are_adapted_as_predict_does(calls: Path, output: Path, source: str | None) -> None:
    learn(calls, "room", "b/2.wav", "b/3.wav")
    rows = adapted(calls, output, adapt="folder", source=source)
    check(rows, in_groups(calls, FILES[:2], FILES[2:4], source=source))
    check_others(rows, "folder")
    assert not output.with_name("out.parquet.parts").exists()


def test_a_column_tells_the_voices_and_an_empty_value_is_one_of_its_own(calls: Path, output: Path) -> None:
    cells = zip(FILES, ("x", "", "x", "", "", ""), strict=True)
    table = write_table(calls.parent / "calls.csv", *map(",".join, cells), "elsewhere.wav,y")
    rows = adapted(calls, output, adapt="column", column="caller", table=table)
    groups = (FILES[0], FILES[2]), (FILES[1],), (FILES[3],)
    check(rows, in_groups(calls, *groups), source="column")
    check_others(rows, "column")


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (
            ("a/0.wav,x",),
            "file,caller",
            r"got no row for 5 of 6 recordings \(a/1\.wav, .*add them, with an empty value",
        ),
        (("a/0.wav,x", "a/0.wav,y"), "file,caller", "got 'a/0.wav' with 'x' and with 'y', expected one value"),
        (("a/0.wav,x",), "file;caller", "got the columns file;caller, expected 'file' and 'caller', separated by"),
        (("a/0.wav,x",), "\0", "calls.csv: "),
        (('"a',), "file,caller", "cannot be read .*expected a CSV table in UTF-8"),
    ],
)
def test_bad_tables_are_told_before_the_work(
    calls: Path, output: Path, lines: Sequence[str], header: str, message: str
) -> None:
    table = write_table(calls.parent / "calls.csv", *lines, header=header)
    with pytest.raises(ConfigError, match=message):
        adapted(calls, output, adapt="column", column="caller", table=table)
    assert not output.with_name("out.parquet.parts").exists()


@pytest.mark.parametrize("count", range(1, 7))
def test_stopped_in_the_first_pass_and_resumed(calls: Path, tmp_path: Path, output: Path, count: int) -> None:
    whole = tmp_path / "whole.parquet"
    adapted(calls, whole, adapt="folder")
    stopped_after(count, calls, output, adapting=Adapting("folder"))
    engine = Here()
    with opened(calls, output, adapting=Adapting("folder"), resume=True) as archive:
        tally = archive.run(engine, unobserved)
    assert len(engine.seen) == 6 - count // 2 * 2
    assert same_rows(output, whole)
    assert sum(tally.labels.values()) > 0
    assert tally.files == 6
    assert not output.with_name("out.parquet.parts").exists()


def test_a_part_of_the_first_pass_that_is_cut_off_is_made_again(calls: Path, tmp_path: Path, output: Path) -> None:
    adapted(calls, tmp_path / "whole.parquet", adapt="folder")
    stopped_after(5, calls, output, adapting=Adapting("folder"))
    part = output.with_name("out.parquet.parts") / "0000001.heard"
    part.write_bytes(part.read_bytes()[:-1])
    engine = Here()
    with opened(calls, output, adapting=Adapting("folder"), resume=True) as archive:
        archive.run(engine, unobserved)
    assert [os.fsdecode(name) for name in engine.seen] == [*FILES[2:]]
    assert same_rows(output, tmp_path / "whole.parquet")


def test_other_voices_are_other_settings(calls: Path, output: Path, tmp_path: Path) -> None:
    learn(calls, "ana", "a/0.wav", "a/1.wav")
    stopped_after(3, calls, output, adapting=Adapting(speaker="ana"))
    other = predictor_of(calls).learn(str(calls / "b/2.wav"))
    store("ana", other)
    for adapting, change in (
        (Adapting(speaker="ana"), "profiles was"),
        (Adapting(), "speaker was ana, is None"),
        (Adapting("folder"), "adapt was off, is folder"),
    ):
        with (
            pytest.raises(ArchiveError, match=change),
            opened(calls, output, resume=True, adapting=adapting),
        ):
            raise AssertionError("was not refused")


def test_what_cannot_be_adapted(calls: Path, output: Path) -> None:
    write_toy(calls.parent, name="stiff", adapts=False)
    table = calls.parent / "calls.csv"
    for adapting, model, error in (
        (Adapting("folder"), "stiff", AdaptError),
        (Adapting("recording"), "stiff", AdaptError),
        (Adapting(speaker="nobody"), "toy", UnknownSpeakerError),
        (Adapting("folder", speaker="ana"), "toy", ConfigError),
        (Adapting("column", column="caller"), "toy", ConfigError),
        (Adapting("folder", column="caller", table=table), "toy", ConfigError),
        (Adapting("column", column="caller", table=table), "toy", ConfigError),
    ):
        with pytest.raises(error), opened(calls, output, model=model, adapting=adapting):
            raise AssertionError("was not refused")
    assert not output.with_name("out.parquet.parts").exists()


def test_plain_archives_have_no_further_columns(calls: Path, output: Path) -> None:
    assert not [name for name in adapted(calls, output)[0] if name.startswith(("plain", "adapted"))]


def test_other_sounds_than_speech_keep_their_scores_and_teach_nothing(calls: Path, output: Path) -> None:
    write_toy(calls.parent, speech=CardSpeech(threshold=0.01, kept=1.0, refused=1.0))  # 2400 Hz is speech
    siren = np.concatenate([speech(3300.0, seconds=2), np.zeros(RATE, np.float32)])
    soundfile.write(calls / "a" / "2.wav", siren, RATE)
    soundfile.write(calls / "c.wav", siren, RATE)
    rows = adapted(calls, output, adapt="folder")
    check(rows, in_groups(calls, FILES[:2], FILES[2:4], source=None))
    others = {row["file"]: row for row in rows if row["code"] == "not_speech"}
    assert set(others) == {"a/2.wav", "c.wav"}
    assert [others[name]["adapted_clips"] > 0 for name in sorted(others)] == [False, False]
    assert all(row["label"] is None and row["score_sad"] == row["plain_sad"] for row in others.values())
