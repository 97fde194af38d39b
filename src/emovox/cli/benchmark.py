"""`emovox benchmark`: speed on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emovox.benchmark.latency import NEEDS
from emovox.benchmark.turns import MATRIX, MATRIX_SIZE, Spread
from emovox.cli.console import columns
from emovox.cli.form import Form
from emovox.schema.extras import require
from emovox.schema.text import json_document

if TYPE_CHECKING:
    from emovox.benchmark.cold_start import ColdStart
    from emovox.benchmark.features import Comparison
    from emovox.benchmark.latency import LatencyTable, Row
    from emovox.benchmark.machine import Machine
    from emovox.benchmark.streams import StreamTable

app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)

FORM = "For people or for programs."
Models = Annotated[list[str] | None, typer.Option(help="Name or path; repeat for several. Default: all shipped.")]


@app.callback()
def benchmark() -> None:
    """Measure speed on this machine."""


@app.command()
def features(
    format: Annotated[Form, typer.Option(help=FORM)] = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Length of the generated audio.")] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help="Measured rounds; medians are printed.")] = 31,
) -> None:
    """Compare MFCC with deltas, RMS and F0 against librosa on one core, both sides in turn in one run."""
    for module in ("scipy", "numba"):
        require(module, need="emovox benchmark features", extra="features")
    from emovox.benchmark.features import compare_with_librosa

    result = compare_with_librosa(seconds=seconds, repeats=repeats)
    typer.echo(json_document(result) if format is Form.JSON else _features_text(result), nl=False)


@app.command()
def latency(
    model: Models = None,
    format: Annotated[Form, typer.Option(help=FORM)] = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help="Length of the generated audio.")] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help="Measured rounds; medians are printed.")] = 51,
) -> None:
    """Time the models from waveform to probabilities on one core.

    In the same run, where they are installed: librosa's features with the same network in PyTorch's eager mode, and
    openSMILE with a support vector machine.
    """
    from emovox.benchmark.latency import measure_models

    result = measure_models(model or (), seconds=seconds, repeats=repeats)
    typer.echo(json_document(result) if format is Form.JSON else _latency_text(result), nl=False)


@app.command()
def stream(
    model: Models = None,
    format: Annotated[Form, typer.Option(help=FORM)] = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=5, max=3600, help="Audio through each stream.")] = 30.0,
) -> None:
    """Measure what live streams take on one core: an update, an open and silent stream, and how many it carries."""
    from emovox.benchmark.streams import measure_streams

    result = measure_streams(model or (), seconds=seconds)
    typer.echo(json_document(result) if format is Form.JSON else _stream_text(result), nl=False)


@app.command()
def cold_start(
    model: Models = None,
    format: Annotated[Form, typer.Option(help=FORM)] = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="Length of the recording.")] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help="Measured rounds; medians are printed.")] = 5,
) -> None:
    """Time `emovox predict` from the shell prompt to the answer, in processes that have yet to begin."""
    from emovox.benchmark.cold_start import measure_cold_start

    result = measure_cold_start(model or (), seconds=seconds, repeats=repeats)
    typer.echo(json_document(result) if format is Form.JSON else _cold_start_text(result), nl=False)


def _features_text(result: Comparison) -> str:
    rows = [["part", "librosa ms", "emovox ms", "times faster"]]
    rows += [[t.part, f"{t.librosa_ms:.2f}", f"{t.emovox_ms:.2f}", f"{t.ratio:.1f}"] for t in result.timings]
    differences = [["largest difference", ""], *([name, f"{d:.2g}"] for name, d in result.differences.items())]
    differences.append(["f0, share of frames with another minimum", f"{result.f0_other_minimum:.2g}"])
    head = f"{result.seconds:g} s of generated audio, one core, medians of {result.repeats} interleaved rounds\n\n"
    return head + columns(rows) + "\n" + columns(differences) + "\n" + _place(result.matrix_product, result.machine)


def _latency_text(result: LatencyTable) -> str:
    sides = [side for side in NEEDS if any(side in row.sides for row in result.rows)]
    rows = [["model", "parameters", "emovox ms", *(text for side in sides for text in (f"{side} ms", "times faster"))]]
    for row in result.rows:
        others = [
            text
            for side in sides
            for text in (
                (f"{row.sides[side].median:.1f}", f"{row.ratio(side):.1f}") if side in row.sides else ("–", "–")
            )
        ]
        rows.append([row.model, f"{row.parameters:,}", f"{row.emovox.median:.2f}", *others])
    head = f"{result.seconds:g} s of generated audio to probabilities, one core, medians of {result.repeats} rounds\n\n"
    left_out = "".join(
        f"not measured: {side}, which needs pip install 'emovox[{extra}]'\n" for side, extra in result.left_out.items()
    )
    return head + columns(rows) + "\n" + left_out + _place(result.matrix_product, result.machine)


def _other_side(row: Row, side: str) -> tuple[str, str]:
    return (f"{row.sides[side].median:.1f}", f"{row.ratio(side):.1f}") if side in row.sides else ("–", "–")


def _stream_text(result: StreamTable) -> str:
    rows = [["model", "ms an update", "silent stream: of a core", "memory", "talking streams on one core"]]
    rows += [
        [
            row.model,
            f"{row.update_ms:.2f}",
            f"{row.silent_share:.3%}",
            f"{row.silent_bytes / 1e3:.0f} kB",
            f"{row.talking:.0f}",
        ]
        for row in result.rows
    ]
    head = f"{result.seconds:g} s of audio through each stream, one core, an update every 0.5 s of speech\n\n"
    return head + columns(rows) + "\n" + _place(result.matrix_product, result.machine)


def _cold_start_text(result: ColdStart) -> str:
    rows = [["from the shell prompt", "ms", "fastest twentieth"]]
    rows += [
        [f"emovox predict, {name}", f"{time.median:.0f}", f"{time.fastest:.0f}"]
        for name, time in result.commands.items()
    ]
    rows += [[f"python: {part}", f"{time.median:.0f}", f"{time.fastest:.0f}"] for part, time in result.parts.items()]
    head = f"a recording of {result.seconds:g} s, wall time, medians of {result.repeats} interleaved rounds\n\n"
    return head + columns(rows) + "\n" + _place(result.matrix_product, result.machine)


def _place(product: Spread, machine: Machine) -> str:
    """Say how fast the machine was, and which it is."""
    busy = "; the machine was busy, measure again" if product.is_busy else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"fixed {MATRIX_SIZE} x {MATRIX_SIZE} {MATRIX}: {product.median:.2f} ms "
        f"(fastest twentieth {product.fastest:.2f}, slowest {product.slowest:.2f}){busy}\n"
        f"{machine.cpu}, {machine.cores} logical cores, {machine.system}\n{versions}\n"
    )
