"""From the shell prompt to the answer: how long a command takes whose process has yet to begin."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import soundfile

from emovox.benchmark.machine import Machine, describe_machine
from emovox.benchmark.turns import MATRIX, TimeSpread, in_turn
from emovox.features.speech_like import talk_like
from emovox.runtime.registry import shipped
from emovox.schema.errors import ConfigError, EmovoxError

RATE = 16000
PARTS: Mapping[str, str] = {
    "nothing": "pass",
    "import emovox": "import emovox",
    "import numpy": "import numpy",
    "import onnxruntime": "import onnxruntime",
}
"""What everybody pays who starts Python, and what the two libraries cost."""


class ColdStart(msgspec.Struct, frozen=True):
    """What `emovox benchmark cold-start` tells: wall time in milliseconds, the files in the system's cache.

    `commands` is keyed by model: `emovox predict` on a file of `seconds`. `parts` by what a Python did that did no
    more: they are inside the former, and each holds the start of Python itself.
    """

    seconds: float
    repeats: int
    commands: dict[str, TimeSpread]
    parts: dict[str, TimeSpread]
    matrix_product: TimeSpread
    machine: Machine


def measure_cold_start(names: Sequence[str] = (), *, seconds: float = 3.0, repeats: int = 5) -> ColdStart:
    """Start `emovox predict` again and again, in turn with its parts.

    Args:
        names: models, or paths of theirs; all that are shipped for none.
        seconds: length of the recording, 0.5 to 600.
        repeats: measured rounds, >= 1.

    Raises:
        ConfigError: `seconds` or `repeats` out of range.
        EmovoxError: the command failed.
    """
    if not 0.5 <= seconds <= 600 or repeats < 1:
        raise ConfigError(f"got {seconds} s, {repeats} repeats; expected 0.5 to 600 seconds and 1 or more repeats")
    names = list(names or shipped())
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording.wav"
        soundfile.write(recording, talk_like(seconds, sample_rate=RATE), RATE)
        works = {name: _run("-m", "emovox", "predict", str(recording), "--model", name) for name in names}
        works |= {part: _run("-c", code) for part, code in PARTS.items()}
        times = in_turn(works, repeats=repeats, warm_up=0, clock=time.perf_counter)
    return ColdStart(
        seconds=seconds,
        repeats=repeats,
        commands={name: times[name] for name in names},
        parts={part: times[part] for part in PARTS},
        matrix_product=times[MATRIX],
        machine=describe_machine(["numpy", "onnxruntime"]),
    )


def _run(*arguments: str) -> Callable[[], object]:
    def run() -> None:
        done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        if done.returncode:
            raise EmovoxError(f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr.decode()[-500:]}")

    return run
