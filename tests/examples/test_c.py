"""The program in examples/c: it gives the scores of Python, under sanitizers and on ARM as well."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.export.c.compiled import WARNINGS, compiler
from emovox.export.c.files import write_c
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.testing import speech, write_toy

SOURCE = Path(__file__).parents[2] / "examples" / "c" / "emotion.c"
RATE = 16000
SECONDS = (0.5, 3.0)
TOOLS = "examples/c/tools.sh installs it"

needs_compiler = pytest.mark.skipif(compiler() is None, reason=f"no C compiler 'cc' on the path; {TOOLS}")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "speech.wav"
    soundfile.write(path, speech(140.0, seconds=3.7, level=0.2, glide=0.1, seed=3), RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"), labels=("low", "high"))


def build(model: Path, folder: Path, *options: str, tool: str = "cc") -> Path:
    """Write a model beside the program, and compile both without a message of the compiler."""
    if not (folder / "model.c").exists():
        write_c(model, folder / "model.c", seconds=SECONDS)
    shutil.copy(SOURCE, folder)
    program = folder / "emotion"
    command = [tool, *WARNINGS, *options, "emotion.c", "model.c", "-o", str(program), "-lm"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return program


def run(command: Sequence[str | Path]) -> list[tuple[float, float, list[float]]]:
    """Return start, end and scores of each line of the program."""
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return [(float(row[0]), float(row[1]), [float(cell.split("=")[1]) for cell in row[3:]]) for row in rows]


def check(rows: list[tuple[float, float, list[float]]], model: Path, recording: Path) -> None:
    """Compare the lines with the scores of Python: a window of 3 s, then one of the half second that is left."""
    samples: Samples = soundfile.read(recording, dtype="float32")[0]
    assert [(start, end) for start, end, _ in rows] == [(0.0, 3.0), (3.0, 3.5)]
    loaded = Model.load(model)
    for start, end, scores in rows:
        expected = loaded.run(samples[None, round(start * RATE) : round(end * RATE)]).scores[0]
        np.testing.assert_allclose(scores, expected, atol=1e-5)


@needs_compiler
def test_it_prints_the_scores_of_python(toy: Path, recording: Path, tmp_path: Path) -> None:
    check(run([build(toy, tmp_path, "-O1"), recording]), toy, recording)


@needs_compiler
def test_it_says_what_is_wrong_with_a_recording(toy: Path, tmp_path: Path) -> None:
    program = build(toy, tmp_path, "-O0")
    soundfile.write(tmp_path / "fast.wav", np.zeros(100), 44100, subtype="PCM_16")
    soundfile.write(tmp_path / "float.wav", np.zeros(100), RATE, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no sound here")
    (tmp_path / "cut.wav").write_bytes((tmp_path / "fast.wav").read_bytes()[:30])
    messages = {
        "fast.wav": "expected 16-bit samples at 16000 Hz",
        "float.wav": "expected 16-bit samples at 16000 Hz",
        "text.wav": "this is no wav file",
        "cut.wav": "the wav file has no samples",
        "missing.wav": "missing.wav: cannot be read",
    }
    for name, message in messages.items():
        ended = subprocess.run([program, tmp_path / name], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert message in ended.stderr
    assert "usage:" in subprocess.run([program], capture_output=True, text=True, check=False).stderr


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobile", "hybrid"])
def test_sanitizers_and_valgrind_find_nothing(name: str, recording: Path, tmp_path: Path) -> None:
    model = resolve(name).with_suffix(".onnx")
    sanitizers = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    check(run([build(model, tmp_path, *sanitizers), recording]), model, recording)
    if shutil.which("valgrind") is None:
        pytest.skip(f"no valgrind on the path; {TOOLS}")
    program = build(model, tmp_path, "-g", "-O1")
    check(run(["valgrind", "--quiet", "--error-exitcode=1", "--leak-check=full", program, recording]), model, recording)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobile", "hybrid"])
@pytest.mark.parametrize(
    ("tool", "emulator", "options"),
    [("aarch64-linux-gnu-gcc", "qemu-aarch64", ()), ("arm-linux-gnueabihf-gcc", "qemu-arm", ("-mfpu=neon",))],
    ids=["64 bits", "32 bits"],
)
def test_a_cortex_a_gives_the_same_scores(
    name: str, tool: str, emulator: str, options: Sequence[str], recording: Path, tmp_path: Path
) -> None:
    for needed in (tool, emulator):
        if shutil.which(needed) is None:
            pytest.skip(f"no {needed} on the path; {TOOLS}")
    model = resolve(name).with_suffix(".onnx")
    program = build(model, tmp_path, "-O2", "-static", *options, tool=tool)
    check(run([emulator, program, recording]), model, recording)
