"""What callers of the Python interface give: numbers, text, tensors, sound files; and pickles of a predictor."""

from __future__ import annotations

import copy
import io
import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import emovox
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import AudioError, CardError, ConfigError, EmovoxError, UnknownModelError
from emovox.testing import RATE, speech, write_toy

TALK = np.stack([speech(120.0, seconds=1.5), speech(200.0, seconds=1.5)]).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy(folder)
    soundfile.write(folder / "a.wav", TALK.T, RATE, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return emovox.load(str(folder / "toy.onnx"))


@pytest.mark.parametrize("channels", [np.int64(1), np.uint8(1), "1", np.array(1), 1.0])
def test_a_channel_is_a_whole_number_of_any_type(predictor: Predictor, channels: Any) -> None:
    assert predictor.predict((TALK, RATE), channels=channels) == predictor.predict((TALK, RATE), channels=1)


@pytest.mark.parametrize("rate", [str(RATE), np.int32(RATE), float(RATE), np.array(RATE)])
def test_a_rate_is_a_whole_number_of_any_type(predictor: Predictor, rate: Any) -> None:
    assert predictor.predict((TALK, rate)) == predictor.predict((TALK, RATE))


@pytest.mark.parametrize("threshold", ["0.9", np.float32(0.9), np.float64(0.9), np.array(0.9)])
def test_a_threshold_is_a_number_of_any_type(predictor: Predictor, threshold: Any) -> None:
    assert (
        predictor.predict((TALK, RATE), threshold=threshold).label
        == predictor.predict((TALK, RATE), threshold=0.9).label
    )
    given: dict[str, Any] = {"channels": np.int64(2), "threshold": threshold, "hop": "0.5"}
    assert predictor.stream(**given).feed(TALK)


@pytest.mark.parametrize("wrong", [None, True, "left", 0.5, [0], np.array([0, 1]), object()])
def test_other_channels_are_a_typed_error(predictor: Predictor, wrong: Any) -> None:
    with pytest.raises(EmovoxError, match=r"got channel .*, expected 0 to 1"):
        predictor.predict((TALK, RATE), channels=wrong)


@pytest.mark.parametrize("wrong", [None, True, "fast", 16000.5, np.array([1, 2]), object()])
def test_another_rate_is_a_typed_error(predictor: Predictor, wrong: Any) -> None:
    with pytest.raises(AudioError, match=r"got sample rate .*, expected a whole number of Hz"):
        predictor.predict((TALK, wrong))


@pytest.mark.parametrize("wrong", ["high", True, [0.5], np.array([0.1, 0.2]), object()])
def test_other_numbers_are_a_typed_error(predictor: Predictor, wrong: Any) -> None:
    calls: list[dict[str, Any]] = [{"threshold": wrong}, {"hop": wrong}]
    for given in calls:
        with pytest.raises(ConfigError, match=r"is .*, expected a number"):
            predictor.stream(**given)
    with pytest.raises(ConfigError, match=r"threshold is .*, expected a number"):
        predictor.predict((TALK, RATE), threshold=wrong)


def test_a_model_is_named_by_text_or_a_path() -> None:
    for wrong in (3, b"svm", ["svm"]):
        with pytest.raises(UnknownModelError, match="expected a shipped name or a path"):
            emovox.load(wrong)  # type: ignore[arg-type]


def test_tensors(predictor: Predictor) -> None:
    torch = pytest.importorskip("torch")
    expected = predictor.predict((TALK, RATE))
    tensor = torch.tensor(TALK, requires_grad=True)
    assert predictor.predict((tensor, RATE)) == expected
    assert predictor.predict((tensor, torch.tensor(RATE))) == expected
    assert predictor.predict((tensor.bfloat16(), RATE)).duration == expected.duration
    assert predictor.stream(channels=2).feed(tensor) == predictor.stream(channels=2).feed(TALK)
    with pytest.raises(AudioError, match="got samples that are no array"):
        predictor.predict((torch.empty(16000, device="meta"), RATE))


def test_sound_files_are_read_from_their_beginning_and_stay_open(predictor: Predictor, folder: Path) -> None:
    expected = predictor.predict(str(folder / "a.wav"))
    for place in (str(folder / "a.wav"), io.BytesIO((folder / "a.wav").read_bytes())):
        with soundfile.SoundFile(place) as file:
            file.seek(1000)
            assert predictor.predict(file).segments == expected.segments
            assert (file.tell(), file.closed) == (1000, False)
    with pytest.raises(AudioError, match="got a SoundFile that cannot be read"):
        predictor.predict(file)


def test_bytes_of_any_type(predictor: Predictor, folder: Path) -> None:
    data = (folder / "a.wav").read_bytes()
    for given in (bytearray(data), memoryview(data)):
        assert predictor.predict(given) == predictor.predict(data)  # type: ignore[arg-type]


def test_a_pickle_loads_the_model_by_its_path(
    predictor: Predictor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    data = pickle.dumps(emovox.load("toy.onnx"))
    monkeypatch.chdir(tmp_path)
    assert len(data) < 1000
    for again in (pickle.loads(data), copy.deepcopy(predictor)):
        assert again.predict((TALK, RATE)) == predictor.predict((TALK, RATE))


def test_a_pickle_of_another_model_is_refused(tmp_path: Path) -> None:
    write_toy(tmp_path)
    data = pickle.dumps(emovox.load(str(tmp_path / "toy.onnx")))
    write_toy(tmp_path, threshold=0.9)
    assert json.loads((tmp_path / "toy.json").read_bytes())["threshold"] == 0.9
    with pytest.raises(CardError, match="got another model than the one that was pickled"):
        pickle.loads(data)


def test_a_shipped_model_is_found_where_the_package_is_elsewhere(predictor: Predictor) -> None:
    rebuild, (_, *others) = emovox.load("mobile").model.__reduce__()
    assert rebuild("/gone/mobile.onnx", *others).card.name == "mobile"


def test_a_process_pool_that_spawns(predictor: Predictor, folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(predictor.predict, str(folder / "a.wav")).result()
    assert found == predictor.predict(str(folder / "a.wav"))
