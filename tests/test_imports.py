"""The light core is light: proved in fresh processes, not by looking at import statements."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from emovox.testing import RATE, speech, write_toy

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "sklearn", "scipy", "librosa", "numba", "pandas", "matplotlib", "av", "onnx", "hypothesis"}

WATCH = """
import json, sys
before = set(sys.modules)
{code}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=sys.stderr)
"""

COMMAND = """
from emovox.cli.main import main
try:
    main({arguments!r})
except SystemExit as stop:
    assert stop.code in (0, None), stop.code
"""


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH.format(code=code)], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("imports")
    soundfile.write(folder / "a.wav", speech(150.0, seconds=2.0), RATE)
    return str(write_toy(folder)), str(folder / "a.wav")


def test_the_watch_sees_what_is_loaded() -> None:
    assert "xml" in loaded("import xml.dom")
    assert "xml" not in loaded("pass")


def test_importing_the_package_loads_no_library_at_all() -> None:
    code = "import emovox; assert emovox.EMOTIONS[0] == 'neutral' and 'load' in dir(emovox)"
    assert loaded(code) & {*HEAVY, "numpy", "onnxruntime", "soundfile", "soxr", "typer", "rich"} == set()


def test_help_loads_neither_numpy_nor_a_model_runtime() -> None:
    modules = loaded(COMMAND.format(arguments=["--help"]))
    assert "typer" in modules
    assert modules & {*HEAVY, "numpy", "onnxruntime", "soundfile"} == set()


def test_a_prediction_loads_nothing_heavy(files: tuple[str, str]) -> None:
    model, recording = files
    modules = loaded(f"import emovox; assert emovox.load({model!r}).predict({recording!r}).label")
    assert {"numpy", "onnxruntime", "soundfile"} <= modules
    assert modules & {*HEAVY, "typer", "rich"} == set()


@pytest.mark.parametrize("format", ["table", "json", "csv", "vtt", "textgrid"])
def test_the_command_loads_nothing_heavy(files: tuple[str, str], format: str) -> None:
    model, recording = files
    modules = loaded(COMMAND.format(arguments=["predict", recording, "--model", model, "--format", format]))
    assert "onnxruntime" in modules
    assert modules & HEAVY == set()


def test_models_needs_no_model_runtime() -> None:
    modules = loaded(COMMAND.format(arguments=["models"]))
    assert modules & {*HEAVY, "onnxruntime", "soundfile"} == set()


def test_the_light_layers_name_nothing_heavy() -> None:
    """Also inside functions, which a run may not reach; import-linter checks the same with the import graph."""
    root = ROOT / "src" / "emovox"
    layers = ("schema", "audio", "runtime", "batch", "serving")
    sources = [path for layer in layers for path in (root / layer).rglob("*.py")]
    assert len(sources) >= 25
    forbidden = HEAVY - {"av"}  # audio.media decodes with PyAV when the extra is there
    for path in sources:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        named = {line[1].partition(".")[0] for line in lines if line[:1] in (["import"], ["from"]) and len(line) > 1}
        assert named & forbidden == set(), path


def test_the_service_loads_nothing_heavy() -> None:
    modules = loaded("import emovox.serving.run, emovox.serving.app")
    assert {"fastapi", "uvicorn", "onnxruntime"} <= modules
    assert modules & HEAVY == set()


def test_the_flags_of_the_service_load_no_web_framework() -> None:
    modules = loaded(COMMAND.format(arguments=["serve", "--help"]))
    assert modules & {*HEAVY, "numpy", "onnxruntime", "fastapi", "uvicorn"} == set()


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would leave a session file among the temporary ones."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = f"import emovox; emovox.load('mobile').predict({str(ROOT / 'examples' / 'demo.flac')!r})"
    subprocess.run([sys.executable, "-c", code], env=environment | {"TMPDIR": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
