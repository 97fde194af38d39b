"""`emovox benchmark`: speed on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emovox.benchmark.turns import MATRIX, MATRIX_SIZE, Spread
from emovox.cli.console import columns
from emovox.cli.form import Form
from emovox.schema.extras import require
from emovox.schema.text import json_document

if TYPE_CHECKING:
    from emovox.benchmark.features import Comparison
    from emovox.benchmark.machine import Machine

app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)


@app.callback()
def benchmark() -> None:
    """Measure speed on this machine."""


@app.command()
def features(
    format: Annotated[Form, typer.Option(help="For people or for programs.")] = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Length of the generated audio.")] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help="Measured rounds; medians are printed.")] = 31,
) -> None:
    """Compare MFCC with deltas, RMS and F0 against librosa on one core, both sides in turn in one run."""
    for module in ("scipy", "numba"):
        require(module, need="emovox benchmark features", extra="features")
    from emovox.benchmark.features import compare_with_librosa

    result = compare_with_librosa(seconds=seconds, repeats=repeats)
    typer.echo(json_document(result) if format is Form.JSON else _render(result), nl=False)


def _render(result: Comparison) -> str:
    rows = [["part", "librosa ms", "emovox ms", "times faster"]]
    rows += [[t.part, f"{t.librosa_ms:.2f}", f"{t.emovox_ms:.2f}", f"{t.ratio:.1f}"] for t in result.timings]
    differences = [["largest difference", ""], *([name, f"{d:.2g}"] for name, d in result.differences.items())]
    differences.append(["f0, share of frames with another minimum", f"{result.f0_other_minimum:.2g}"])
    head = f"{result.seconds:g} s of generated audio, one core, medians of {result.repeats} interleaved rounds\n\n"
    return head + columns(rows) + "\n" + columns(differences) + "\n" + _place(result.matrix_product, result.machine)


def _place(product: Spread, machine: Machine) -> str:
    """Say how fast the machine was, and which it is."""
    busy = "; the machine was busy, measure again" if product.is_busy else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"fixed {MATRIX_SIZE} x {MATRIX_SIZE} {MATRIX}: {product.median:.2f} ms "
        f"(fastest twentieth {product.fastest:.2f}, slowest {product.slowest:.2f}){busy}\n"
        f"{machine.cpu}, {machine.cores} logical cores, {machine.system}\n{versions}\n"
    )
