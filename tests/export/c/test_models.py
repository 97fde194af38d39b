"""Whole models in C against ONNX Runtime."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from emovox.adaptation.profile import Profile
from emovox.export.c.compiled import Compiled, compiler
from emovox.export.c.files import CFiles, write_c
from emovox.export.fixed import fixed_graphs
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.schema.errors import ExportError
from emovox.testing import speech, write_toy
from tests.commands import command

LARGEST = 1_000_000
"""Bytes of memory besides weights, the stack of 16 kB included."""

STACK = 16_000

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler 'cc' on the path")


def differences(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+e?-?\d*(?= of )", text)]


@pytest.fixture(scope="module")
def mobile(tmp_path_factory: pytest.TempPathFactory) -> CFiles:
    return write_c(resolve("mobile"), tmp_path_factory.mktemp("c") / "mine.c", seconds=[3.0, 0.5])


@pytest.fixture(scope="module")
def native(mobile: CFiles) -> Compiled:
    return Compiled(mobile.path, fixed_graphs(resolve("mobile")))


def check_equal(made: CFiles) -> None:
    found = differences(made.difference)
    assert len(found) == 3  # statistics, scores, probability of speech
    assert max(found) <= 1e-5
    assert made.arena + STACK <= LARGEST
    assert not re.search(r"\b(malloc|calloc|realloc|free|alloca)\b", made.path.read_text())


@needs_compiler
def test_mobile_gives_the_scores_of_onnx_runtime(mobile: CFiles) -> None:
    check_equal(mobile)


@needs_compiler
@pytest.mark.slow
def test_hybrid_gives_the_scores_of_onnx_runtime(tmp_path: Path) -> None:
    check_equal(write_c(resolve("hybrid"), tmp_path / "hybrid.c"))


@needs_compiler
def test_samples_of_no_window_are_refused(mobile: CFiles, native: Compiled) -> None:
    assert mobile.windows == (8000, 48000)
    with pytest.raises(ExportError, match="mine has no window of 16000 samples"):
        native.statistics(np.zeros(16000, np.float32))


@needs_compiler
def test_a_profile_adapts_the_c_as_it_does_the_model(native: Compiled) -> None:
    model = Model.load(resolve("mobile"))
    samples = speech(140.0, seconds=3.0, level=0.2, glide=0.1, seed=3)
    outputs = model.run(samples[None])
    default = model.default_profile
    other = Profile(default.mean + 0.5 * default.scale, 0.5 * default.scale)
    expected = model.run(samples[None], [other]).scores[0]
    np.testing.assert_allclose(native.scores(native.statistics(samples), other), expected, atol=1e-5)
    assert np.abs(expected - outputs.scores[0]).max() > 0.05


@needs_compiler
def test_speech_is_told_from_noise_as_by_the_model(mobile: CFiles, native: Compiled) -> None:
    model = Model.load(resolve("mobile"))
    voice = speech(140.0, seconds=3.0, level=0.2, glide=0.1, seed=3)
    noise = np.random.default_rng(1).normal(0, 0.1, voice.size).astype(np.float32)
    found = [native.hear(samples)[1].item() for samples in (voice, noise)]
    expected = model.run(np.stack([voice, noise])).speech
    assert expected is not None
    assert model.card.speech is not None
    assert found == pytest.approx(expected.tolist(), abs=1e-5)
    header = mobile.path.with_suffix(".h").read_text()
    (threshold,) = re.findall(r"#define MINE_SPEECH_THRESHOLD ([\d.]+)f", header)
    assert float(threshold) == model.card.speech.threshold
    assert found[1] < float(threshold)


@needs_compiler
def test_a_model_that_does_not_tell_has_statistics_alone(tmp_path: Path) -> None:
    made = write_c(write_toy(tmp_path, labels=("low", "high")), tmp_path / "small.c", seconds=[1.0])
    assert "small_hear" not in made.path.read_text() + made.path.with_suffix(".h").read_text()
    assert len(differences(made.difference)) == 2


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("mobile", 700_000), ("hybrid", 1_500_000)])
def test_weights_of_8_bits_are_small_and_change_scores_little(name: str, most: int, tmp_path: Path) -> None:
    made = write_c(resolve(name), tmp_path / "mine.c", store="int8")
    assert made.constants < most
    assert differences(made.difference)[1] < 0.03


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    toy = write_toy(tmp_path, labels=("low", "high"))
    with pytest.raises(ExportError, match=r"expected NAME\.c, where NAME has letters"):
        write_c(resolve("mobile"), tmp_path / "my-model.c")
    with pytest.raises(ExportError, match=r"seconds is 60, model 'mobile' takes 0\.\d+ to \d+ seconds"):
        write_c(resolve("mobile"), tmp_path / "mine.c", seconds=[60])
    with pytest.raises(ExportError, match="is a head alone, expected a whole model such as mobile"):
        write_c(resolve("permissive"), tmp_path / "mine.c")
    assert not list(tmp_path.glob("mine.*"))
    assert toy.is_file()


@pytest.mark.slow
def test_the_command_names_operator_and_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command("export", "svm", "--to", "c", "--output", str(tmp_path / "svm.c"), status=1)
    assert "operator TopK of layer '/encoder/front_end/TopK_2' has no C code: take a model" in capsys.readouterr().err


def test_lengths_that_are_no_numbers_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    command("export", "mobile", "--to", "c", "--seconds", "3;4", status=2)
    assert "'3;4', expected numbers, such as 3, or 1.5,3" in " ".join(capsys.readouterr().err.split())


def test_without_a_compiler_the_command_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    toy = write_toy(tmp_path, labels=("low", "high"))
    monkeypatch.setenv("PATH", str(tmp_path))
    command("export", str(toy), "--to", "c", "--output", str(tmp_path / "small.c"))
    assert "not compared: no C compiler 'cc' on the path" in capsys.readouterr().out
    assert "small_scores(const float statistics[SMALL_STATISTICS]" in (tmp_path / "small.h").read_text()
