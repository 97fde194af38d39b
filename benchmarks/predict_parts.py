"""Find where the time and the memory of `emovox predict` go: graph, decoding, voice activity, start, formats.

    python benchmarks/predict_parts.py [--model svm] [--clips DIR…] [--limit 300] [--hours 2]

Everything runs on one core with one thread. Times are medians, and the fifth percentile in brackets, which is the
steadier on a machine that others use too. A product of two 512 x 512 matrices in numpy is timed before each part: where
it differs from run to run, so do the other figures. `benchmarks/predict.py` has the short table of the README.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from emovox.audio.files import audio_files
from emovox.audio.reader import open_audio
from emovox.audio.types import Samples
from emovox.features.machine import describe_machine
from emovox.features.speech_like import speech_like
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.segmenter import cut_tiles

RATE = 16000
LENGTHS = (0.5, 1.0, 3.0, 4.5, 10.0, 30.0)
STARTS = 9
MATRIX = 512
PIECE_SECONDS = 60
RECORDINGS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS")}
FORMATS = ("table", "json")
COMMAND = "from emovox.cli.main import main; main()"
PEAK = """
import sys
from emovox.cli.main import main
try:
    main()
finally:
    print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")), file=sys.stderr)
"""
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def timed(run: Callable[[], object], *, repeats: int) -> list[float]:
    """Time each of `repeats` runs in seconds, after two to warm up."""
    taken = []
    for _ in range(repeats + 2):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return taken[2:]


def milliseconds(taken: Sequence[float]) -> str:
    """Write median and fifth percentile."""
    return f"{1e3 * np.median(taken):.2f} ms ({1e3 * np.percentile(taken, 5):.2f})"


def print_machine() -> None:
    """Time the fixed matrix product that the figures after it can be compared with."""
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    print(f"  {MATRIX} x {MATRIX} matrix product: {milliseconds(timed(lambda: matrix @ matrix, repeats=60))}")


def print_graph(predictor: Predictor) -> None:
    """Time the graph alone by length and batch."""
    print("graph, from waveform to probabilities")
    print_machine()
    for seconds, rows in [*((seconds, 1) for seconds in LENGTHS), (3.0, 4), (3.0, 16)]:
        batch = np.stack([speech_like(seconds, seed=row) for row in range(rows)])
        repeats = round(20 + 200 / (seconds * rows))
        taken = timed(lambda batch=batch: predictor.model.run(batch), repeats=repeats)  # type: ignore[misc]
        speed = seconds * rows / np.median(taken)
        print(f"  {rows:2d} x {seconds:4.1f} s: {milliseconds(taken)}, {speed:.0f} x real time")


def print_parts(predictor: Predictor, name: str, files: Sequence[Path]) -> None:
    """Time decoding, voice activity with tiles, and the graph over short recordings, and all of it in `predict`."""
    print(f"{name}: {len(files)} recordings, warm")
    print_machine()
    parts = [_parts(predictor, file) for file in files for _ in range(2)][1::2]
    decode, cut, graph, whole, seconds = np.array(parts).T
    for part, taken in (("decode", decode), ("voice activity, tiles", cut), ("graph", graph), ("predict, all", whole)):
        mean = f"{1e3 * taken.mean():.2f} ms a recording of {seconds.mean():.2f} s"
        print(f"  {part:22s}{mean}, {seconds.sum() / taken.sum():.0f} x real time")


def _parts(predictor: Predictor, file: Path) -> tuple[float, float, float, float, float]:
    marks = [time.perf_counter()]
    with open_audio(str(file), sample_rate=RATE) as reader:
        blocks: list[Samples] = [block[0] for block in reader.blocks()]
    marks.append(time.perf_counter())
    tiles = cut_tiles(blocks)
    marks.append(time.perf_counter())
    for tile in tiles:
        predictor.model.run(tile.samples[None])
    marks.append(time.perf_counter())
    result = predictor.predict(str(file))
    marks.append(time.perf_counter())
    decode, cut, graph, whole = np.diff(marks).tolist()
    return decode, cut, graph, whole, result.duration


def print_start(model: str, folder: Path) -> None:
    """Time fresh processes on 3 s of audio, and name the modules that take longest to load."""
    print("start: emovox predict on 3 s of audio, a fresh process each time")
    print_machine()
    recording = folder / "short.wav"
    soundfile.write(recording, speech_like(3), RATE, subtype="PCM_16")
    arguments = ["-c", COMMAND, "predict", str(recording), "--model", model]

    def start(*options: str) -> str:
        command = [sys.executable, *options, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD).stderr

    taken = timed(start, repeats=STARTS)
    print(f"  whole: {1e3 * np.median(taken):.0f} ms, fastest {1e3 * min(taken):.0f} ms")
    lines = [line.removeprefix("import time:").split("|") for line in start("-X", "importtime").splitlines()[1:]]
    loaded = sorted(((int(row[1]), row[2].strip()) for row in lines if len(row) == 3), reverse=True)
    wanted = [entry for entry in loaded if entry[1].count(".") == 0 or entry[1].startswith("emovox.")]
    for microseconds, module in wanted[:10]:
        print(f"  {microseconds / 1e3:6.1f} ms  {module} and what it loads first")


def print_memory(model: str, folder: Path, hours: float) -> None:
    """Run the command on long recordings of three kinds: peak memory and wall time by format."""
    print(f"memory: emovox predict on {hours:g} h")
    print_machine()
    for suffix, kind in RECORDINGS.items():
        recording = folder / f"long.{suffix}"
        _write_long(recording, hours, *kind)
        for form in FORMATS:
            arguments = ["predict", str(recording), "--model", model, "--format", form]
            command = [sys.executable, "-c", PEAK, *arguments]
            begun = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD)
            taken = time.perf_counter() - begun
            peak, size = int(done.stderr.split()[-1]) / 1024, len(done.stdout) / 1e6
            speed = f"{taken:.1f} s, {hours * 3600 / taken:.0f} x real time"
            print(f"  {suffix:4s} {form:5s}: peak {peak:.0f} MB, {speed}, {size:.1f} MB of output")
        recording.unlink()


def _write_long(path: Path, hours: float, kind: str, subtype: str) -> None:
    with soundfile.SoundFile(path, "w", RATE, 1, subtype, format=kind) as file:
        for piece in _pieces(hours):
            file.write(piece)


def _pieces(hours: float) -> Iterator[Samples]:
    whole = [speech_like(PIECE_SECONDS, seed=seed) for seed in range(4)]
    for minute in range(round(hours * 3600 / PIECE_SECONDS)):
        yield whole[minute % len(whole)] * np.float32(0.5 + 0.1 * (minute % 5))


def main() -> None:
    """Measure all parts on one core and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="svm")
    parser.add_argument("--clips", type=Path, nargs="*", default=[], help="folders of short recordings")
    parser.add_argument("--limit", type=int, default=300, help="recordings of each folder, evenly picked")
    parser.add_argument("--hours", type=float, default=2.0)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    machine = describe_machine(("numpy", "onnxruntime"))
    print(
        f"{machine.cpu}, {', '.join(f'{package} {number}' for package, number in machine.versions.items())}; one core"
    )
    predictor = load(options.model)
    print_graph(predictor)
    for folder in options.clips:
        files = audio_files(folder)
        print_parts(predictor, folder.name, files[:: max(1, len(files) // options.limit)][: options.limit])
    with tempfile.TemporaryDirectory() as name:
        print_start(options.model, Path(name))
        print_memory(options.model, Path(name), options.hours)


if __name__ == "__main__":
    main()
