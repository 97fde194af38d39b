"""The time of `emovox predict` from the shell prompt to the result, including the start of the process."""

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
"""Name → code of processes that do less: the start of Python, and the imports of the package and two libraries."""


class ColdStart(msgspec.Struct, frozen=True):
    """The result of `emovox benchmark cold-start`: wall times, with all files in the system's cache.

    Attributes:
        seconds: length of the recording.
        repeats: measured rounds.
        commands: model → time of `emovox predict` on the recording.
        parts: name in `PARTS` → time of that code. It is part of the commands' times and includes the start of Python.
        matrix_product: time of a 512 × 512 float32 product in the same rounds.
        machine: the machine of the measurement.
    """

    seconds: float
    repeats: int
    commands: dict[str, TimeSpread]
    parts: dict[str, TimeSpread]
    matrix_product: TimeSpread
    machine: Machine


def measure_cold_start(names: Sequence[str] = (), *, seconds: float = 3.0, repeats: int = 5) -> ColdStart:
    """Time `emovox predict` in new processes, in turn with its parts.

    Args:
        names: names or paths of models; none stands for all shipped models.
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
        """Run the command to its end."""
        done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        if done.returncode:
            raise EmovoxError(f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr.decode()[-500:]}")

    return run
