from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest

from emovox.benchmark.cold_start import PARTS, ColdStart, measure_cold_start
from emovox.schema.errors import ConfigError, EmovoxError


def test_a_command_and_its_parts() -> None:
    found = measure_cold_start(["mobile"], repeats=1)
    assert list(found.commands) == ["mobile"]
    assert list(found.parts) == list(PARTS)
    assert found.commands["mobile"].median > found.parts["nothing"].median
    assert msgspec.json.decode(msgspec.json.encode(found), type=ColdStart) == found


def test_a_command_that_fails_is_no_figure() -> None:
    with pytest.raises(EmovoxError, match=r"--model huge exited with 1: error: no model 'huge'"):
        measure_cold_start(["huge"], repeats=1)


def test_wrong_arguments() -> None:
    for seconds, repeats in ((0.1, 5), (601.0, 5), (3.0, 0)):
        with pytest.raises(ConfigError, match="expected"):
            measure_cold_start(seconds=seconds, repeats=repeats)


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(EmovoxError):
        measure_cold_start(["huge"], repeats=1)
    assert list(tmp_path.iterdir()) == []
