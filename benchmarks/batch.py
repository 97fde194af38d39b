"""Measure how fast `emovox batch` goes through an archive: decoding, voice activity, graph, Parquet, start and all.

    python benchmarks/batch.py [--model mobile] [--hours 4] [--seconds 14] [--workers 2] [--engines local ray]

The archive is the demo recording, 16-bit wav at 16 kHz, in files of `--seconds`, each begun at another place. Figures
are seconds of audio a second by the clock, and a second of processor time of one core (the command and its processes
together; not on Ray, whose processes are not the command's): where others use the machine, the second is the steadier.
A product of two 512 x 512 matrices is timed before each run: where it differs, others used the machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from emovox.features.machine import describe_machine

DEMO = Path(__file__).parents[1] / "examples" / "demo.flac"
MATRIX, PRODUCTS = 512, 60
COMMAND = (sys.executable, "-c", "from emovox.cli.main import main\nif __name__ == '__main__': main()", "batch")
VOICE = {"with": (), "without": ("--no-vad",)}


def product_ms() -> float:
    """Median time of the fixed matrix product on one core, in milliseconds."""
    matrix, taken = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32), []
    for _ in range(PRODUCTS):
        begun = time.perf_counter()
        matrix @ matrix
        taken.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(taken))


def write_archive(folder: Path, *, hours: float, seconds: float) -> int:
    """Write files of the demo recording in a circle, and return how many."""
    samples, rate = soundfile.read(DEMO, dtype="int16")
    length, count = round(seconds * rate), max(1, round(hours * 3600 / seconds))
    circle = np.tile(samples, 1 + -(-length // len(samples)))
    for number in range(count):
        start = number * 997 % len(samples)
        soundfile.write(folder / f"{number:06d}.wav", circle[start : start + length], rate)
    return count


def measure(folder: Path, output: Path, *options: str) -> tuple[float, float]:
    """Run the command: seconds by the clock, and of processor time."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [*COMMAND, str(folder), "--output", str(output), *options]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    taken, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure with and without voice activity, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=14.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=["local"], choices=["local", "ray"])
    options = parser.parse_args()
    machine = describe_machine(("numpy", "onnxruntime", "pyarrow"))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "archive")
        folder.mkdir()
        files = write_archive(folder, hours=options.hours, seconds=options.seconds)
        given = ("--model", options.model, "--workers", str(options.workers))
        for engine in options.engines:
            for voice, switch in VOICE.items():
                product = product_ms()
                clock, processor = measure(folder, Path(name, "out.parquet"), "--engine", engine, *given, *switch)
                seconds = files * options.seconds
                core = f"{seconds / processor:.0f} ×" if engine == "local" else "–"
                rows.append(f"| {engine} | {voice} | {seconds / clock:.0f} × | {core} | {product:.2f} ms |")
    versions = ", ".join(f"{package} {number}" for package, number in machine.versions.items())
    print(f"{machine.cpu}, {versions}; {options.model}, {options.workers} processes")
    print(f"{files} files of {options.seconds:g} s\n")
    print("| engine | voice activity | real time, by the clock | a core, by its time | matrix product |")
    print("|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
