from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from emovox.benchmark.features import Comparison, compare_with_librosa
from emovox.cli.benchmark import app
from emovox.schema.errors import MissingExtraError

SHORT = ["features", "--seconds", "0.2", "--repeats", "1"]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare_with_librosa(seconds=0.2, repeats=1)


@pytest.fixture
def measured(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer with one real comparison: each starts a process, which takes seconds."""

    def compare(*, seconds: float, repeats: int) -> Comparison:
        assert (seconds, repeats) == (0.2, 1)
        return comparison

    monkeypatch.setattr("emovox.benchmark.features.compare_with_librosa", compare)


@pytest.mark.usefixtures("measured")
def test_table_shows_times_differences_and_the_machine() -> None:
    result = CliRunner().invoke(app, SHORT)
    assert result.exit_code == 0
    for text in (
        "librosa ms",
        "emovox ms",
        "times faster",
        "mfcc+delta+delta2",
        "set",
        "f0_relative",
        "matrix product",
    ):
        assert text in result.stdout
    assert "numba" in result.stdout.splitlines()[-1]


@pytest.mark.usefixtures("measured")
def test_json_is_one_document() -> None:
    result = CliRunner().invoke(app, [*SHORT, "--format", "json"])
    document = json.loads(result.stdout)
    assert document["timings"][-1]["part"] == "set"
    assert document["parameters"]["f0_length"] == 2048
    assert document["machine"]["versions"].keys() >= {"python", "numpy", "scipy", "numba", "librosa"}


@pytest.mark.parametrize("arguments", [["--repeats", "0"], ["--seconds", "0"], ["--format", "xml"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["features", *arguments]).exit_code == 2


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _module: None)
    result = CliRunner().invoke(app, SHORT)
    assert isinstance(result.exception, MissingExtraError)
    assert "emovox[features]" in str(result.exception)
