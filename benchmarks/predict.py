"""Measure what `emovox predict` costs: start, throughput, memory; prints the table that the README shows.

    python benchmarks/predict.py [--model svm] [--hours 2] [--clips DIR]

Every figure comes from processes that do nothing else. Start: a fresh process on 3 s of audio, the median of nine.
Throughput: the library in a warm process with one thread, voice activity included, over the recordings below `--clips`
or, without it, over 200 pieces of 3 s of the demo recording. Long: the command on the demo recording over and over, and
its peak memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from emovox.audio.files import audio_files
from emovox.features.machine import describe_machine
from emovox.runtime.predictor import load

DEMO = Path(__file__).parents[1] / "examples" / "demo.flac"
PIECES, SECONDS = 200, 3
STARTS = 9
COMMAND = [sys.executable, "-c", "from emovox.cli.main import main; main()", "predict"]
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def run(*arguments: str) -> float:
    """Run `emovox predict` and return its wall time in seconds."""
    begun = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL, env=ONE_THREAD)
    return time.perf_counter() - begun


def cut_demo(folder: Path) -> None:
    """Write pieces of the demo recording, each from another place, as 16-bit wav at 16 kHz."""
    samples, rate = soundfile.read(DEMO, dtype="int16")
    for number in range(PIECES):
        start = number * 997 % (len(samples) - SECONDS * rate)
        soundfile.write(folder / f"{number:03d}.wav", samples[start : start + SECONDS * rate], rate)


def throughput(folder: str, model: str, answer: multiprocessing.SimpleQueue[tuple[float, float]]) -> None:
    """Put the seconds of audio below `folder`, and the seconds that their predictions took after one to warm up."""
    predictor = load(model)
    files = audio_files(Path(folder))
    predictor.predict(files[0])
    begun = time.perf_counter()
    audio = sum(predictor.predict(file).duration for file in files)
    answer.put((audio, time.perf_counter() - begun))


def long_run(path: Path, model: str) -> tuple[float, float]:
    """Run the command on one recording: wall time in seconds, peak resident memory in MB as the system counts it."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    arguments = [sys.executable, "-c", code, *COMMAND, str(path), "--model", model]
    begun = time.perf_counter()
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=ONE_THREAD)
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return time.perf_counter() - begun, int(done.stdout) * unit / 1e6


def write_long(path: Path, hours: float) -> None:
    """Write the demo recording over and over, by blocks."""
    samples, rate = soundfile.read(DEMO, dtype="int16")
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for _ in range(int(np.ceil(hours * 3600 * rate / len(samples)))):
            file.write(samples)


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="svm")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--clips", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cut_demo(folder)
        first = str(folder / "000.wav")
        starts = [run(first, "--model", options.model) for _ in range(STARTS)]
        context = multiprocessing.get_context("spawn")
        answer: multiprocessing.SimpleQueue[tuple[float, float]] = context.SimpleQueue()
        worker = context.Process(target=throughput, args=(str(options.clips or folder), options.model, answer))
        worker.start()
        audio, taken = answer.get()
        worker.join()
        write_long(folder / "long.wav", options.hours)
        long, memory = long_run(folder / "long.wav", options.model)
    machine = describe_machine(("numpy", "onnxruntime"))
    versions = ", ".join(f"{package} {number}" for package, number in machine.versions.items())
    print(f"{machine.cpu}, {versions}; one thread\n")
    print("| what | figure |\n|---|---|")
    print(f"| `emovox predict` on 3 s, fresh process | {statistics.median(starts):.2f} s |")
    print(f"| short recordings in one warm process | {audio / taken:.0f} × real time |")
    print(f"| one recording of {options.hours:g} h | {long:.0f} s ({options.hours * 3600 / long:.0f} × real time) |")
    print(f"| peak memory on it | {memory:.0f} MB |")


if __name__ == "__main__":
    main()
