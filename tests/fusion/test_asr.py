from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.fusion.asr import Transcriber
from emovox.schema.errors import ConfigError, MissingExtraError, TranscriptError, UndecodableError, WeightsError
from tests.tiny_whisper import LINES, make_whisper


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_whisper(tmp_path_factory.mktemp("whisper")))


def sound(seconds: float, *, channels: int = 1) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], int]:
    noise = np.random.default_rng(0).normal(scale=0.1, size=(channels, int(8000 * seconds)))
    return noise.astype(np.float32), 8000


def test_the_lines_of_a_recording_have_times_and_text(model: str) -> None:
    transcriber = Transcriber(model)
    lines = transcriber.lines(sound(3.0, channels=2))
    assert [(line.start, line.end, line.text) for line in lines] == list(LINES)
    assert (
        transcriber.lines(sound(1.7))[-1].end == 1.7
    )  # Whisper hears 30 s; a line ends with the recording at the latest


def test_what_is_no_model_is_an_error_that_says_what_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"cannot load the speech recogniser '.*'.*give a folder with model.bin"):
        Transcriber(str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="to work offline, download it once"):
        Transcriber("nobody/has-this-model")


def test_a_recording_that_cannot_be_read_or_is_too_long(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").write_text("text")
    transcriber = Transcriber(model)
    with pytest.raises(UndecodableError):
        transcriber.lines(tmp_path / "a.wav")
    monkeypatch.setattr("emovox.fusion.asr.LONGEST_HOURS", 0.0005)
    with pytest.raises(TranscriptError, match="cut it into parts"):
        transcriber.lines(sound(3.0))
    with pytest.raises(ConfigError, match="does not know the language 'xx', expected one of en"):
        Transcriber(model, language="xx")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="asr"):
        Transcriber("small")
