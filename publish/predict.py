"""Measure what `emovox predict` costs and where it goes: start, graph, short recordings, long ones, memory.

    python -m publish.predict [--model svm] [--hours 2] [--clips DIR …] [--limit 300]

Prints the parts, and last the table that the README shows. Everything runs on one core with one thread. Start: fresh
processes on 3 s of audio. Short recordings: the library in a warm process, voice activity included, over the recordings
below each folder of `--clips` or, without it, over 200 pieces of 3 s of the demo recording. Long: the command on the
demo recording over and over. A product of two 512 x 512 matrices is timed before each part: where it differs from run
to run, others used the machine, and the figures differ too. Times in brackets are the fifth percentile, the steadier
then.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from emovox.audio.files import audio_files
from emovox.audio.reader import open_audio
from emovox.benchmark.machine import describe_machine
from emovox.features.speech_like import speech_like
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.segmenter import cut_tiles

DEMO = Path(__file__).parents[1] / "examples" / "demo.flac"
PIECES, SECONDS = 200, 3
LENGTHS = (0.5, 1.0, 3.0, 4.5, 10.0, 30.0)
STARTS = 9
MATRIX = 512
RECORDINGS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS")}
FORMATS = ("table", "json")
COMMAND = ("-c", "from emovox.cli.main import main; main()", "predict")
# A process in between: the peak that the system counts for a child begins with that of the process it is forked from.
PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes


class Long(NamedTuple):
    """One long recording: seconds that the command took, its peak resident memory and its output in MB."""

    seconds: float
    peak: float
    output: float


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a fresh process with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, env=environment)


def timed(work: Callable[[], object], *, repeats: int) -> list[float]:
    """Time each of `repeats` runs in seconds, after two to warm up."""
    taken = []
    for _ in range(repeats + 2):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return taken[2:]


def milliseconds(taken: Sequence[float]) -> str:
    """Write median and fifth percentile."""
    return f"{1e3 * np.median(taken):.2f} ms ({1e3 * np.percentile(taken, 5):.2f})"


def print_head(title: str) -> None:
    """Begin a part, with the fixed matrix product that its figures can be compared with."""
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    print(f"{title}\n  {MATRIX} x {MATRIX} matrix product: {milliseconds(timed(lambda: matrix @ matrix, repeats=60))}")


def measure_graph(predictor: Predictor) -> None:
    """Time the graph alone by length and batch."""
    print_head("graph, from waveform to probabilities")
    for seconds, rows in [*((seconds, 1) for seconds in LENGTHS), (3.0, 4), (3.0, 16)]:
        batch = np.stack([speech_like(seconds, seed=row) for row in range(rows)])
        taken = timed(partial(predictor.model.run, batch), repeats=round(20 + 200 / (seconds * rows)))
        speed = seconds * rows / np.median(taken)
        print(f"  {rows:2d} x {seconds:4.1f} s: {milliseconds(taken)}, {speed:.0f} x real time")


def measure_short(predictor: Predictor, name: str, files: Sequence[Path]) -> float:
    """Time decoding, voice activity with tiles, and the graph, and all of it in `predict`: times faster than speech."""
    print_head(f"{name}: {len(files)} short recordings, warm")
    parts = [_parts(predictor, file) for file in files for _ in range(2)][1::2]  # each once to warm up
    decode, cut, graph, whole, seconds = np.array(parts).T
    for part, taken in (("decode", decode), ("voice activity, tiles", cut), ("graph", graph), ("predict, all", whole)):
        mean = f"{1e3 * taken.mean():.2f} ms a recording of {seconds.mean():.2f} s"
        print(f"  {part:22s}{mean}, {seconds.sum() / taken.sum():.0f} x real time")
    return float(seconds.sum() / whole.sum())


def _parts(predictor: Predictor, file: Path) -> tuple[float, float, float, float, float]:
    marks = [time.perf_counter()]
    with open_audio(file, sample_rate=predictor.card.sample_rate) as reader:
        blocks = [block[0] for block in reader.blocks()]
    marks.append(time.perf_counter())
    tiles = cut_tiles(blocks)
    marks.append(time.perf_counter())
    for tile in tiles:
        predictor.model.run(tile.samples[None])
    marks.append(time.perf_counter())
    result = predictor.predict(file)
    marks.append(time.perf_counter())
    decode, cut, graph, whole = np.diff(marks).tolist()
    return decode, cut, graph, whole, result.duration


def measure_start(recording: Path, model: str) -> float:
    """Time fresh processes, and name the modules that take longest to load: median of the whole in seconds."""
    print_head(f"start: emovox predict on {SECONDS} s of audio, a fresh process each time")
    arguments = (*COMMAND, str(recording), "--model", model)
    taken = timed(lambda: run(*arguments), repeats=STARTS)
    print(f"  whole: {1e3 * np.median(taken):.0f} ms, fastest {1e3 * min(taken):.0f} ms")
    report = run("-X", "importtime", *arguments).stderr
    lines = [line.removeprefix("import time:").split("|") for line in report.splitlines()[1:]]
    loaded = sorted(((int(row[1]), row[2].strip()) for row in lines if len(row) == 3), reverse=True)
    wanted = [entry for entry in loaded if entry[1].count(".") == 0 or entry[1].startswith("emovox.")]
    for microseconds, module in wanted[:10]:
        print(f"  {microseconds / 1e3:6.1f} ms  {module} and what it loads first")
    return float(np.median(taken))


def measure_long(folder: Path, model: str, hours: float) -> Long:
    """Run the command on long recordings of three kinds, in two formats; return the figures of the first."""
    print_head(f"long: emovox predict on {hours:g} h")
    found = []
    for suffix, (kind, subtype) in RECORDINGS.items():
        recording = folder / f"long.{suffix}"
        write_long(recording, hours, kind, subtype)
        for form in FORMATS:
            output = folder / f"long.{form}"
            arguments = (str(recording), "--model", model, "--format", form, "--output", str(output))
            begun = time.perf_counter()
            peak = int(run("-c", PEAK, sys.executable, *COMMAND, *arguments).stdout) * PEAK_UNIT / 1e6
            found.append(Long(time.perf_counter() - begun, peak, output.stat().st_size / 1e6))
            speed = f"{found[-1].seconds:.1f} s, {hours * 3600 / found[-1].seconds:.0f} x real time"
            print(f"  {suffix:4s} {form:5s}: peak {peak:.0f} MB, {speed}, {found[-1].output:.1f} MB of output")
        recording.unlink()
    return found[0]


def write_long(path: Path, hours: float, kind: str, subtype: str) -> None:
    """Write the demo recording over and over, by blocks."""
    samples, rate = soundfile.read(DEMO, dtype="int16")
    with soundfile.SoundFile(path, "w", rate, 1, subtype, format=kind) as file:
        for _ in range(int(np.ceil(hours * 3600 * rate / len(samples)))):
            file.write(samples)


def cut_demo(folder: Path) -> list[Path]:
    """Write pieces of the demo recording, each from another place, as 16-bit wav at its rate."""
    samples, rate = soundfile.read(DEMO, dtype="int16")
    files = [folder / f"{number:03d}.wav" for number in range(PIECES)]
    for number, file in enumerate(files):
        start = number * 997 % (len(samples) - SECONDS * rate)
        soundfile.write(file, samples[start : start + SECONDS * rate], rate)
    return files


def main() -> None:
    """Measure all parts on one core; print them, and a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="accurate")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--clips", type=Path, nargs="+", default=[], help="folders of short recordings")
    parser.add_argument("--limit", type=int, default=300, help="recordings of each folder, evenly picked")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    machine = describe_machine(("numpy", "onnxruntime"))
    versions = ", ".join(f"{package} {number}" for package, number in machine.versions.items())
    predictor = load(options.model)
    measure_graph(predictor)
    with tempfile.TemporaryDirectory() as name:
        pieces = cut_demo(Path(name))
        sets = {folder.name: audio_files(folder) for folder in options.clips} or {DEMO.name: pieces}
        faster = {
            title: measure_short(predictor, title, files[:: max(1, len(files) // options.limit)][: options.limit])
            for title, files in sets.items()
        }
        start = measure_start(pieces[0], options.model)
        long = measure_long(Path(name), options.model, options.hours)
    print(f"\n{machine.cpu}, {versions}; one core\n")
    print("| what | figure |\n|---|---|")
    print(f"| `emovox predict` on {SECONDS} s, fresh process | {start:.2f} s |")
    for title, factor in faster.items():
        source = f" ({title})" if options.clips else ""
        print(f"| short recordings in one warm process{source} | {factor:.0f} × real time |")
    speed = options.hours * 3600 / long.seconds
    print(f"| one recording of {options.hours:g} h | {long.seconds:.0f} s ({speed:.0f} × real time) |")
    print(f"| peak memory on it | {long.peak:.0f} MB |")


if __name__ == "__main__":
    main()
