"""Rows of text from figures; `tests/cli/test_benchmark.py` has them as the commands print them."""

from __future__ import annotations

import pytest

from emovox.benchmark.cold_start import ColdStart
from emovox.benchmark.latency import EAGER, EAGER_SPARSE, OPENSMILE, LatencyRow, LatencyTable
from emovox.benchmark.machine import Machine
from emovox.benchmark.streams import StreamRow, StreamTable
from emovox.benchmark.tables import (
    NOTHING,
    Rows,
    cold_start_rows,
    latency_rows,
    place,
    stream_rows,
    throughput_rows,
)
from emovox.benchmark.throughput import ThroughputRow, ThroughputTable
from emovox.benchmark.turns import TimeSpread

CALM, BUSY = TimeSpread(2.0, 1.9, 2.125), TimeSpread(3.0, 2.0, 4.0)
MACHINE = Machine("Fast Chip 9000", 8, "Linux x86_64", {"python": "3.12.1", "numpy": "2.0.0"})


def milliseconds(median: float) -> TimeSpread:
    return TimeSpread(median, median / 2, 2 * median)


def latency(*rows: LatencyRow) -> LatencyTable:
    return LatencyTable(3.0, 5, rows, {}, CALM, MACHINE)


def test_sides_stand_in_one_order_whatever_order_they_were_measured_in() -> None:
    sides = {OPENSMILE: milliseconds(30.0), EAGER: milliseconds(20.0)}
    head, row = latency_rows(latency(LatencyRow("small", 1_234_567, milliseconds(4.0), sides)))
    assert head[3:] == [f"{EAGER} ms", "times faster", f"{OPENSMILE} ms", "times faster"]
    assert row == ["small", "1,234,567", "4.00", "20.0", "5.0", "30.0", "7.5"]


def test_a_side_that_no_model_has_takes_no_column() -> None:
    head, _ = latency_rows(latency(LatencyRow("small", 1, milliseconds(4.0), {EAGER: milliseconds(8.0)})))
    assert not [name for name in head if EAGER_SPARSE in name or OPENSMILE in name]


def test_a_side_that_one_model_lacks_is_a_dash_there() -> None:
    rows = latency_rows(
        latency(
            LatencyRow("small", 1, milliseconds(4.0), {EAGER: milliseconds(8.0)}),
            LatencyRow("other", 2, milliseconds(4.0), {OPENSMILE: milliseconds(8.0)}),
        )
    )
    assert [row[3:] for row in rows[1:]] == [["8.0", "2.0", NOTHING, NOTHING], [NOTHING, NOTHING, "8.0", "2.0"]]


@pytest.mark.parametrize(
    "rows",
    [
        latency_rows(latency(LatencyRow("a", 1, CALM, {EAGER: CALM}), LatencyRow("b", 1, CALM, {}))),
        stream_rows(StreamTable(6.0, (StreamRow("a", 3.0, 0.001, 1000, 9.0),), CALM, MACHINE)),
        cold_start_rows(ColdStart(3.0, 2, {"a": CALM}, {"import numpy": CALM}, CALM, MACHINE)),
        throughput_rows(ThroughputTable(2.0, 14.0, 2, (ThroughputRow("a", True, 9.0, 8.0),), CALM, MACHINE)),
    ],
    ids=["latency", "stream", "cold-start", "throughput"],
)
def test_every_row_is_as_wide_as_its_head(rows: Rows) -> None:
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}


def test_commands_stand_before_their_parts() -> None:
    parts = {"nothing": milliseconds(10.0), "import numpy": milliseconds(80.0)}
    found = ColdStart(3.0, 2, {"small": milliseconds(400.0)}, parts, CALM, MACHINE)
    assert cold_start_rows(found)[1:] == [
        ["emovox predict, small", "400", "200"],
        ["python: nothing", "10", "5"],
        ["python: import numpy", "80", "40"],
    ]


def test_units_of_a_stream_are_shares_of_a_core_and_thousands_of_bytes() -> None:
    table = StreamTable(6.0, (StreamRow("small", 3.456, 0.01234, 85_400, 140.4),), CALM, MACHINE)
    assert stream_rows(table)[1] == ["small", "3.46", "1.234%", "85 kB", "140"]


def test_the_place_names_the_machine_and_its_versions() -> None:
    product, machine, versions = place(CALM, MACHINE).splitlines()
    assert product == "fixed 512 x 512 matrix product: 2.00 ms (fastest twentieth 1.90, slowest 2.12)"
    assert machine == "Fast Chip 9000, 8 logical cores, Linux x86_64"
    assert versions == "python 3.12.1, numpy 2.0.0"


def test_a_machine_that_was_busy_is_owned_up_to() -> None:
    assert place(BUSY, MACHINE).splitlines()[0].endswith("; the machine was busy, measure again")
