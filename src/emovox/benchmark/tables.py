"""Results of the benchmarks as rows of text, the head first, for the terminal and for the documentation."""

from __future__ import annotations

from emovox.benchmark.cold_start import ColdStart
from emovox.benchmark.latency import NEEDS, LatencyRow, LatencyTable
from emovox.benchmark.machine import Machine
from emovox.benchmark.streams import StreamTable
from emovox.benchmark.throughput import ThroughputTable
from emovox.benchmark.turns import MATRIX, MATRIX_SIZE, TimeSpread

NOTHING = "–"
"""Stands for a time that was not measured."""

Rows = list[list[str]]


def latency_rows(result: LatencyTable) -> Rows:
    """Return one row per model; for each alternative its time, and how many times faster emovox is."""
    sides = [side for side in NEEDS if any(side in row.sides for row in result.rows)]
    head = ["model", "parameters", "emovox ms", *(text for side in sides for text in (f"{side} ms", "times faster"))]
    return [head, *(_latency_row(row, sides) for row in result.rows)]


def stream_rows(result: StreamTable) -> Rows:
    """Return one row per model."""
    head = ["model", "ms an update", "silent stream: of a core", "memory", "talking streams on one core"]
    return [
        head,
        *(
            [
                row.model,
                f"{row.update_ms:.2f}",
                f"{row.silent_share:.3%}",
                f"{row.silent_bytes / 1e3:.0f} kB",
                f"{row.talking:.0f}",
            ]
            for row in result.rows
        ),
    ]


def cold_start_rows(result: ColdStart) -> Rows:
    """Return one row per command, then one per part of it."""
    titles = {f"emovox predict, {name}": time for name, time in result.commands.items()}
    titles |= {f"python: {part}": time for part, time in result.parts.items()}
    rows = [[title, f"{time.median:.0f}", f"{time.fastest:.0f}"] for title, time in titles.items()]
    return [["from the shell prompt", "ms", "fastest twentieth"], *rows]


def throughput_rows(result: ThroughputTable) -> Rows:
    """Return two rows per model, with and without VAD."""
    head = ["model", "voice activity", "by the clock", "a core, by its time"]
    return [
        head,
        *(
            [row.model, "yes" if row.vad else "no", f"{row.real_time:.0f} ×", f"{row.a_core:.0f} ×"]
            for row in result.rows
        ),
    ]


def place(product: TimeSpread, machine: Machine) -> str:
    """Return three lines: the speed of the machine during the measurement, the machine, and the versions."""
    busy = "; the machine was busy, measure again" if product.is_busy else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"fixed {MATRIX_SIZE} x {MATRIX_SIZE} {MATRIX}: {product.median:.2f} ms "
        f"(fastest twentieth {product.fastest:.2f}, slowest {product.slowest:.2f}){busy}\n"
        f"{machine.cpu}, {machine.cores} logical cores, {machine.system}\n{versions}\n"
    )


def _latency_row(row: LatencyRow, sides: list[str]) -> list[str]:
    others = [
        text
        for side in sides
        for text in (
            (f"{row.sides[side].median:.1f}", f"{row.ratio(side):.1f}") if side in row.sides else (NOTHING, NOTHING)
        )
    ]
    return [row.model, f"{row.parameters:,}", f"{row.emovox.median:.2f}", *others]
