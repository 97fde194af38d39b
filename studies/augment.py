"""What each change of the waveform costs: milliseconds of one core a clip (median), as a table.

    OMP_NUM_THREADS=1 python -m studies.augment [--seconds 2] [--rounds 200]

Generated voices and noises, 16 simulated rooms; the time to read $EMOVOX_NOISE is added where it is set.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from emovox.audio.types import Samples
from emovox.augment.augment import Augmenter
from emovox.augment.config import ORDER, Augment
from emovox.augment.room import simulate_rooms
from emovox.augment.sources import VARIABLE, Sources, load_sources
from emovox.schema.config import convert

RATE = 16000
FAST = ["mu-law", "a-law", "band"]


def rows() -> dict[str, Augment]:
    """Name of a row → what is always on in it."""
    on = {"probability": 1.0}
    tables: dict[str, dict[str, object]] = {name: {name: on} for name in ORDER if name != "codec"}
    tables |= {f"codec: {kind}": {"codec": {**on, "kinds": [kind]}} for kind in (*FAST, "mp3", "opus")}
    tables["all, codec of the three fast kinds"] = dict.fromkeys(ORDER, on)
    tables["all off"] = {}
    return {name: convert(table, Augment, where=name) for name, table in tables.items()}


def clip(seconds: float, seed: int) -> Samples:
    """[n]: noise in syllables, whose spectrum falls as a voice's does."""
    rng, n = np.random.default_rng(seed), round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(n)) / np.maximum(np.arange(n // 2 + 1), 400 * seconds)
    samples = np.fft.irfft(spectrum, n) * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(n) / RATE))
    return np.asarray(0.3 * samples / np.abs(samples).max(), np.float32)


def timed(action: Callable[[], object]) -> float:
    """Seconds of processor that an action takes, whatever else the machine is doing."""
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    rooms = simulate_rooms(16, shortest=0.2, longest=0.6)
    sources = Sources(noises=tuple(clip(5.0, seed) for seed in range(16)), simulated=rooms)
    clips = [clip(arguments.seconds, 100 + seed) for seed in range(8)]
    print(f"| {arguments.seconds:g} s of audio | ms |\n|---|---|")
    for name, config in rows().items():
        change, rng = Augmenter(config, sources), np.random.default_rng(0)
        change(clips[0], rng)  # the first call loads what it needs
        took = [timed(lambda: change(clips[k % 8], rng)) for k in range(arguments.rounds)]  # noqa: B023
        print(f"| {name} | {1e3 * np.median(took):.2f} |")
    print(f"\n64 simulated rooms: {timed(lambda: simulate_rooms(64, shortest=0.2, longest=0.6)):.2f} s, once a process")
    if VARIABLE in os.environ:
        whole = convert({"noise": {"probability": 1.0}}, Augment, where="benchmark")
        start = time.process_time()
        noises = load_sources(whole).noises
        seconds = time.process_time() - start
        print(f"{len(noises)} noises, {sum(map(len, noises)) * 4 / 1e6:.0f} MB: {seconds:.2f} s, once a process")


if __name__ == "__main__":
    main()
