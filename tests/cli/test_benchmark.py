from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from emovox.benchmark.cold_start import ColdStart
from emovox.benchmark.features import FeatureComparison, compare_with_librosa
from emovox.benchmark.latency import EAGER, OPENSMILE, LatencyRow, LatencyTable
from emovox.benchmark.machine import describe_machine
from emovox.benchmark.streams import StreamRow, StreamTable
from emovox.benchmark.throughput import ThroughputRow, ThroughputTable
from emovox.benchmark.turns import TimeSpread
from emovox.cli.benchmark import app
from emovox.schema.errors import MissingExtraError

SHORT = ["features", "--seconds", "0.2", "--repeats", "1"]


@pytest.fixture(scope="module")
def comparison() -> FeatureComparison:
    return compare_with_librosa(seconds=0.2, repeats=1)


@pytest.fixture
def measured(comparison: FeatureComparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer with one real comparison: each starts a process, which takes seconds."""

    def compare(*, seconds: float, repeats: int) -> FeatureComparison:
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


PRODUCT = TimeSpread(2.0, 1.9, 2.1)
MACHINE = describe_machine(["numpy"])


def test_latency_shows_every_side_and_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        LatencyRow("small", 1000, TimeSpread(2.0, 1.9, 2.1), {EAGER: TimeSpread(11.0, 10.0, 12.0)}),
        LatencyRow("other", 2_000_000, TimeSpread(5.0, 4.0, 6.0), {}),
    )
    table = LatencyTable(3.0, 5, rows, {OPENSMILE: "opensmile"}, PRODUCT, MACHINE)
    asked: list[object] = []

    def measure(names: list[str], *, seconds: float, repeats: int, together: bool) -> LatencyTable:
        asked.extend([names, seconds, repeats, together])
        return table

    monkeypatch.setattr("emovox.benchmark.latency.measure_models", measure)
    result = CliRunner().invoke(app, ["latency", "--model", "small", "--model", "other", "--repeats", "5"])
    assert asked == [["small", "other"], 3.0, 5, False]
    lines = result.stdout.splitlines()
    assert lines[2].split("  ")[0] == "model"
    assert lines[3].split() == ["small", "1,000", "2.00", "11.0", "5.5"]
    assert lines[4].split() == ["other", "2,000,000", "5.00", "–", "–"]
    assert f"not measured: {OPENSMILE}, which needs pip install 'emovox[opensmile]'" in lines
    document = json.loads(CliRunner().invoke(app, ["latency", "--format", "json"]).stdout)
    assert document["rows"][0]["sides"][EAGER]["median"] == 11.0


def test_stream_shows_what_a_stream_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    table = StreamTable(6.0, (StreamRow("small", 3.456, 0.00061, 85_000, 140.4),), PRODUCT, MACHINE)
    monkeypatch.setattr("emovox.benchmark.streams.measure_streams", lambda _names, **_options: table)
    text = CliRunner().invoke(app, ["stream", "--seconds", "6"]).stdout
    assert ["small", "3.46", "0.061%", "85", "kB", "140"] in [line.split() for line in text.splitlines()]
    assert json.loads(CliRunner().invoke(app, ["stream", "--format", "json"]).stdout)["rows"][0]["talking"] == 140.4


def test_throughput_shows_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (ThroughputRow("small", True, 812.4, 450.6), ThroughputRow("small", False, 900.1, 500.0))
    table = ThroughputTable(2.0, 14.0, 2, rows, PRODUCT, MACHINE)
    asked: list[object] = []

    def measure(names: list[str], *, hours: float, workers: int) -> ThroughputTable:
        asked.append((names, hours, workers))
        return table

    monkeypatch.setattr("emovox.benchmark.throughput.measure_throughput", measure)
    text = CliRunner().invoke(app, ["throughput", "--hours", "2"]).stdout
    assert asked == [((), 2.0, 2)]
    assert ["small", "yes", "812", "×", "451", "×"] in [line.split() for line in text.splitlines()]
    assert ["small", "no", "900", "×", "500", "×"] in [line.split() for line in text.splitlines()]


def test_cold_start_shows_commands_and_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ColdStart(3.0, 2, {"small": TimeSpread(432.1, 400.0, 500.0)}, {"import numpy": PRODUCT}, PRODUCT, MACHINE)
    monkeypatch.setattr("emovox.benchmark.cold_start.measure_cold_start", lambda _names, **_options: found)
    text = CliRunner().invoke(app, ["cold-start"]).stdout
    assert "emovox predict, small  432  400" in text
    assert "python: import numpy   2    2" in text
    document = json.loads(CliRunner().invoke(app, ["cold-start", "--format", "json"]).stdout)
    assert document["commands"]["small"]["median"] == 432.1


@pytest.mark.parametrize(
    "arguments", [["latency", "--seconds", "0"], ["stream", "--seconds", "1"], ["cold-start", "--repeats", "0"]]
)
def test_values_out_of_range_are_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_help_loads_no_benchmark() -> None:
    code = (
        "import sys\nfrom emovox.cli.main import main\ntry: main(['benchmark', '--help'])\n"
        "except SystemExit: print([name for name in sys.modules if name.startswith('emovox.benchmark.')]"
        " + [name for name in ('numpy', 'onnxruntime') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
