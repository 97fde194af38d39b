from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import typer
from typer.testing import CliRunner, Result

from emovox.cli import features as command
from emovox.features.frames import columns, frame_features
from emovox.features.speech_like import speech_like
from emovox.runtime.model import Model
from emovox.schema.errors import MissingExtraError, UnknownModelError
from emovox.testing import write_toy

app = typer.Typer()
app.command()(command.features)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "声音"
    folder.mkdir()
    soundfile.write(folder / "a.wav", speech_like(0.5), 16000, subtype="FLOAT")
    soundfile.write(folder / "b.flac", speech_like(0.4), 16000)
    return folder


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def test_frames_of_a_folder_as_csv(recordings: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    result = run(recordings, "--output", output)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 of 2 recordings" in result.stderr
    header, rows = read_csv(output)
    assert header == ["file", "time", *columns()]
    assert [row[0] for row in rows] == [str(recordings / "a.wav")] * 51 + [str(recordings / "b.flac")] * 41
    numbers = np.array([row[2:] for row in rows[:51]], np.float64)
    np.testing.assert_allclose(numbers, frame_features(speech_like(0.5)).to_matrix(), rtol=1e-6, atol=1e-9)


def test_functionals_as_npz(recordings: Path, tmp_path: Path) -> None:
    output = tmp_path / "OUT.NPZ"
    assert run(recordings, "--output", output, "--set", "functionals").exit_code == 0
    with np.load(output) as data:
        assert data["values"].shape == (2, data["columns"].size)
        assert data["recording"].tolist() == [0, 1]


def test_good_files_are_done_and_bad_ones_listed(recordings: Path, tmp_path: Path) -> None:
    (recordings / "text.wav").write_text("hello")
    (tmp_path / "empty_folder").mkdir()
    output = tmp_path / "out.csv"
    result = run(recordings, tmp_path / "missing.wav", tmp_path / "empty_folder", "--output", output)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    for name in ("text.wav", "missing.wav", "empty_folder"):
        assert sum(name in line for line in errors) == 1
    assert "2 of 5 recordings" in result.stderr
    assert len(read_csv(output)[1]) == 92


def test_when_all_fail_nothing_is_written(tmp_path: Path) -> None:
    result = run(tmp_path / "missing.wav", "--output", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "out.parquet"], "expected a name that ends in .csv or .npz"),
        (["--output", "out.csv", "--model", "svm"], "uses no model"),
        (["--output", "out.csv", "--set", "chroma"], "chroma"),
        (["--output", "out.csv", "--workers", "0"], "'--workers'"),
    ],
)
def test_wrong_usage_exits_with_2(recordings: Path, arguments: list[str], message: str) -> None:
    result = run(recordings, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_a_missing_extra_is_named(recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _module: None)
    result = run(recordings, "--output", tmp_path / "out.csv")
    assert isinstance(result.exception, MissingExtraError)
    assert "pip install 'emovox[features]'" in str(result.exception)


class FakeModel:
    """A model of at most 0.2 s whose embedding is the length and the mean of its input."""

    def run(self, batch: npt.NDArray[np.float32]) -> SimpleNamespace:
        assert batch.shape[1] <= 3200
        return SimpleNamespace(embedding=np.array([[batch.shape[1], batch.mean()]], np.float32))


@pytest.fixture
def fake_model(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(sample_rate=16000, longest=0.2)
    monkeypatch.setattr(command, "_load", lambda _model: SimpleNamespace(model=FakeModel(), card=card))


@pytest.mark.usefixtures("fake_model")
def test_embedding_is_one_row_a_recording(recordings: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert run(recordings, "--output", output, "--set", "embedding", "--workers", 1).exit_code == 0
    header, rows = read_csv(output)
    assert header == ["file", "embedding_0", "embedding_1"]
    assert [row[0] for row in rows] == [str(recordings / "a.wav"), str(recordings / "b.flac")]
    assert float(rows[1][1]) == 3200


def test_embedding_of_a_model_in_other_processes(recordings: Path, tmp_path: Path) -> None:
    model, output = write_toy(tmp_path), tmp_path / "out.npz"
    result = run(recordings, "--output", output, "--set", "embedding", "--model", model, "--workers", 2)
    assert result.exit_code == 0, result.stderr
    expected = Model.load(model).run(speech_like(0.5)[None]).embedding[0]
    with np.load(output) as data:
        assert data["columns"].tolist() == [f"embedding_{i}" for i in range(expected.size)]
        np.testing.assert_allclose(data["values"][0], expected, rtol=1e-5)


@pytest.mark.usefixtures("fake_model")
def test_a_long_recording_is_the_mean_of_equal_pieces() -> None:
    samples = np.concatenate([np.zeros(3000), np.ones(3000), np.full(3000, 2)]).astype(np.float32)
    table = command.embedding(samples, None)
    np.testing.assert_allclose(table.values, [[3000, 1]])
    assert table.times is None


def test_recordings_too_short_for_the_model_are_failures(recordings: Path, tmp_path: Path) -> None:
    for name, n, rate in (("none.wav", 1, 96000), ("short.wav", 160, 16000)):
        soundfile.write(recordings / name, np.full(n, 0.1), rate)
    model, output = write_toy(tmp_path), tmp_path / "out.csv"
    arguments = ("--set", "embedding", "--model", model, "--workers", 1)
    result = run(recordings, "--output", output, *arguments)
    assert result.exit_code == 1
    assert "none.wav: input has 0 samples, model 'toy' takes" in result.stderr
    assert "short.wav: input has 160 samples" in result.stderr
    assert len(read_csv(output)[1]) == 2


def test_an_unknown_model_is_one_error(recordings: Path, tmp_path: Path) -> None:
    result = run(recordings, "--output", tmp_path / "out.csv", "--set", "embedding", "--model", "nobody")
    assert isinstance(result.exception, UnknownModelError)
    assert not (tmp_path / "out.csv").exists()
