"""Devices of ONNX Runtime: which there are, and what is said where one is missing."""

from __future__ import annotations

import pickle
from pathlib import Path

import onnxruntime
import pytest

import emovox
from emovox.runtime.model import Model
from emovox.runtime.session import DEVICE, chosen_device
from emovox.schema.errors import ModelError
from emovox.testing import RATE, speech, write_toy
from tests.commands import command

here = onnxruntime.get_available_providers()
needs_none = pytest.mark.skipif("CUDAExecutionProvider" in here, reason="this ONNX Runtime has CUDA")
needs_cuda = pytest.mark.skipif("CUDAExecutionProvider" not in here, reason="this ONNX Runtime has no CUDA")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"), labels=("low", "high"))


def test_the_cpu_is_the_default_and_a_pickle_keeps_the_device(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICE, raising=False)
    assert chosen_device(None) == "cpu"
    model = pickle.loads(pickle.dumps(Model.load(toy, device="cpu")))
    sound = (speech(200.0, seconds=1.0), RATE)
    assert emovox.load(str(toy), device="cpu").predict(sound).scores == emovox.load(str(toy)).predict(sound).scores
    monkeypatch.setenv(DEVICE, "moon")
    assert pickle.loads(pickle.dumps(model)).card == model.card


@needs_none
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_absent_is_an_error_with_what_to_do(device: str, toy: Path) -> None:
    message = f"device is '{device}', but this ONNX Runtime has only .*CPUExecutionProvider; install onnxruntime-gpu"
    with pytest.raises(ModelError, match=message):
        emovox.load(str(toy), device=device)


def test_an_unknown_device_is_an_error(toy: Path) -> None:
    with pytest.raises(ModelError, match="device is 'gpu', expected one of cpu, cuda, tensorrt"):
        emovox.load(str(toy), device="gpu")


@needs_none
def test_the_environment_chooses_for_all_commands(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DEVICE, "cuda")
    command("predict", "examples/demo.flac", "--model", str(toy), status=1)
    assert "device is 'cuda', but this ONNX Runtime has only" in capsys.readouterr().err


@needs_none
def test_a_device_that_does_not_start_is_no_silent_cpu(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *here])
    with pytest.raises(ModelError, match="device 'cuda' does not start: ONNX Runtime took CPUExecutionProvider"):
        emovox.load(str(toy), device="cuda")


@needs_cuda
def test_cuda_gives_the_scores_of_the_cpu() -> None:
    sound = (speech(200.0, seconds=3.0), RATE)
    first, second = (emovox.load("mobile", device=device).predict(sound).scores for device in ("cpu", "cuda"))
    assert first is not None
    assert second is not None
    assert max(abs(first[label] - second[label]) for label in first) < 1e-3
