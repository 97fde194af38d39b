"""`emovox benchmark`: the speed of emovox on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emovox.cli.console import Form, columns, present
from emovox.schema.extras import require

if TYPE_CHECKING:
    from emovox.benchmark.cold_start import ColdStart
    from emovox.benchmark.features import FeatureComparison
    from emovox.benchmark.latency import LatencyTable
    from emovox.benchmark.streams import StreamTable
    from emovox.benchmark.throughput import ThroughputTable

app = typer.Typer(help="Measure the speed of emovox on this machine.", no_args_is_help=True)

Models = Annotated[
    list[str] | None,
    typer.Option(help="Name or path of a model; repeat for several. Default: all shipped models."),
]
Format = Annotated[Form, typer.Option(help="Format of the output.")]
LENGTH = "Seconds of generated audio."
ROUNDS = "Measured rounds; the output shows medians."


@app.callback()
def benchmark() -> None:
    """Measure the speed of emovox on this machine."""


@app.command()
def features(
    format: Format = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help=LENGTH)] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help=ROUNDS)] = 31,
) -> None:
    """Compare the features with librosa on one core.

    The features are MFCC with both deltas, RMS and F0. Both sides run in turn. Needs the extra dev.
    """
    for module in ("scipy", "numba"):
        require(module, need="emovox benchmark features", extra="features")
    from emovox.benchmark.features import compare_with_librosa

    result = compare_with_librosa(seconds=seconds, repeats=repeats)
    present(format, result, _features_text(result))


@app.command()
def latency(
    model: Models = None,
    format: Format = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help=LENGTH)] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help=ROUNDS)] = 51,
    together: Annotated[bool, typer.Option("--together", help="Run all models in one process, not one each.")] = False,
) -> None:
    """Time the models from waveform to scores on one core.

    If they are installed, two alternatives run in turn with them: librosa's features with the same network in PyTorch's
    eager mode, and openSMILE with a support vector machine.
    """
    from emovox.benchmark.latency import measure_models

    result = measure_models(model or (), seconds=seconds, repeats=repeats, together=together)
    present(format, result, _latency_text(result))


@app.command()
def throughput(
    model: Models = None,
    format: Format = Form.TABLE,
    hours: Annotated[float, typer.Option(min=0.01, max=1000, help="Hours of generated audio.")] = 0.5,
    workers: Annotated[int, typer.Option(min=1, help="Processes of emovox batch.")] = 2,
) -> None:
    """Time emovox batch on a generated archive.

    The output shows how many times faster than real time each model is, with and without VAD.
    """
    from emovox.benchmark.throughput import measure_throughput

    result = measure_throughput(model or (), hours=hours, workers=workers)
    present(format, result, _throughput_text(result))


@app.command()
def stream(
    model: Models = None,
    format: Format = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=5, max=3600, help="Seconds of audio in each stream.")] = 30.0,
) -> None:
    """Measure the cost of live streams on one core.

    The output shows the time of an update, the cost of an open but silent stream, and how many streams a core carries.
    """
    from emovox.benchmark.streams import measure_streams

    result = measure_streams(model or (), seconds=seconds)
    present(format, result, _stream_text(result))


@app.command()
def cold_start(
    model: Models = None,
    format: Format = Form.TABLE,
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="Seconds of the generated recording.")] = 3.0,
    repeats: Annotated[int, typer.Option(min=1, help=ROUNDS)] = 5,
) -> None:
    """Time emovox predict from the shell prompt to the result.

    Each run starts a new process. The output also shows how much of the time Python and the libraries take.
    """
    from emovox.benchmark.cold_start import measure_cold_start

    result = measure_cold_start(model or (), seconds=seconds, repeats=repeats)
    present(format, result, _cold_start_text(result))


def _features_text(result: FeatureComparison) -> str:
    from emovox.benchmark.tables import place

    rows = [["part", "librosa ms", "emovox ms", "times faster"]]
    rows += [[t.part, f"{t.librosa_ms:.2f}", f"{t.emovox_ms:.2f}", f"{t.ratio:.1f}"] for t in result.timings]
    differences = [["largest difference", ""], *([name, f"{d:.2g}"] for name, d in result.differences.items())]
    differences.append(["f0, share of frames with another minimum", f"{result.f0_other_minimum:.2g}"])
    head = f"{result.seconds:g} s of generated audio, one core, medians of {result.repeats} interleaved rounds\n\n"
    return head + columns(rows) + "\n" + columns(differences) + "\n" + place(result.matrix_product, result.machine)


def _latency_text(result: LatencyTable) -> str:
    from emovox.benchmark.tables import latency_rows, place

    left_out = "".join(
        f"not measured: {side}, which needs pip install 'emovox[{extra}]'\n" for side, extra in result.left_out.items()
    )
    head = f"{result.seconds:g} s of generated audio to probabilities, one core, medians of {result.repeats} rounds\n\n"
    return head + columns(latency_rows(result)) + "\n" + left_out + place(result.matrix_product, result.machine)


def _throughput_text(result: ThroughputTable) -> str:
    from emovox.benchmark.tables import place, throughput_rows

    head = (
        f"emovox batch, {result.workers} processes, {result.hours:.2f} hours in files of {result.file_seconds:g} s; "
        "times faster than real time\n\n"
    )
    return head + columns(throughput_rows(result)) + "\n" + place(result.matrix_product, result.machine)


def _stream_text(result: StreamTable) -> str:
    from emovox.benchmark.tables import place, stream_rows

    head = f"{result.seconds:g} s of audio through each stream, one core, an update every 0.5 s of speech\n\n"
    return head + columns(stream_rows(result)) + "\n" + place(result.matrix_product, result.machine)


def _cold_start_text(result: ColdStart) -> str:
    from emovox.benchmark.tables import cold_start_rows, place

    head = f"a recording of {result.seconds:g} s, wall time, medians of {result.repeats} interleaved rounds\n\n"
    return head + columns(cold_start_rows(result)) + "\n" + place(result.matrix_product, result.machine)
