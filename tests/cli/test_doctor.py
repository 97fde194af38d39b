from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from emovox.cli import doctor as module
from emovox.runtime import golden, registry
from emovox.testing import write_toy
from tests.commands import command


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with a toy in place of the shipped ones."""
    write_toy(tmp_path, name="toy")
    monkeypatch.setattr(registry, "_folders", lambda _: [tmp_path])
    return tmp_path


emovox = partial(command, "doctor")


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def test_all_that_is_installed_works(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox()
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if line and line[0] != " "] == [
        *("versions", "extras", "devices", "models", "folders", "mirrors", "nothing is broken"),
    ]


def test_a_model_that_gives_other_scores_is_broken(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(models / "toy.json", models / "gone.json")
    monkeypatch.setattr(golden, "check_golden", lambda _: 0.5)
    emovox("--format", "json", status=1)
    checks = found(capsys)
    assert (checks["toy"]["state"], checks["gone"]["state"]) == ("broken", "broken")
    assert "its golden sound gives scores that are off by 5.0e-01" in checks["toy"]["found"]
    assert "gone.onnx: cannot be read" in checks["gone"]["found"]


def test_folders_that_do_not_exist_are_broken(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVOX_CORPORA", str(models / "none"))
    monkeypatch.delenv("EMOVOX_NOISE", raising=False)
    emovox("--format", "json", status=1)
    checks = found(capsys)
    assert (checks["EMOVOX_CORPORA"]["state"], checks["EMOVOX_NOISE"]["state"]) == ("broken", "absent")


def test_an_extra_that_lacks_a_package_says_how_to_install_it(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_has", lambda name: name != "scipy")
    emovox("--format", "json")
    checks = found(capsys)
    assert checks["features"]["next"] == "pip install 'emovox[features]'"
    assert (checks["features"]["found"], checks["train"]["found"]) == ("without scipy", "without scipy")
    assert checks["ray"]["state"] == "works"


def test_no_secret_is_shown(models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@example.org/simple?token=secret")
    emovox("--format", "json")
    text = capsys.readouterr().out
    assert "https://example.org/simple" in text
    assert "secret" not in text
