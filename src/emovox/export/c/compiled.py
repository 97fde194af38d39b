"""Compile the C file of a model and call it, to compare it with ONNX Runtime."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.export.fixed import FixedGraphs
from emovox.runtime.golden import golden_input
from emovox.runtime.model import Model
from emovox.schema.errors import ExportError

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror")
"""Options under which the file compiles without a message."""


def compiler() -> str | None:
    """Return the path of the C compiler `cc`, or None if there is none."""
    return shutil.which("cc")


def library(source: Path, *, options: Sequence[str] = ("-O1",)) -> ctypes.CDLL:
    """Compile a C file into a shared library beside it, and load it.

    Args:
        source: path of the file.
        options: of the compiler, besides `WARNINGS`.

    Raises:
        ExportError: there is no compiler, or it reports something.
    """
    tool = compiler()
    if tool is None:
        raise ExportError("no C compiler 'cc' on the path; install gcc or clang")
    made = source.with_suffix(".so")
    command = [tool, *WARNINGS, *options, "-shared", "-fPIC", str(source), "-o", str(made), "-lm"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise ExportError(f"{source}: {Path(tool).name} reports: {run.stderr.strip()[:300]}")
    return ctypes.CDLL(str(made))


class Compiled:
    """The functions of a compiled model.

    Args:
        source: path of its C file.
        graphs: what the file was written from, of any window.
        options: see `library`.

    Raises:
        ExportError: the file does not compile.
    """

    def __init__(self, source: Path, graphs: FixedGraphs, *, options: Sequence[str] = ("-O1",)) -> None:
        self._library, self._name, self._graphs = library(source, options=options), source.stem, graphs

    def statistics(self, samples: Samples) -> Samples:
        """Return the statistics [p] of samples [n], float32.

        Raises:
            ExportError: the file has no window of this length.
        """
        return self._call("statistics", samples)

    def hear(self, samples: Samples) -> tuple[Samples, Samples]:
        """Return the statistics [p] of samples [n], float32, and the probability [1] that they are speech.

        Raises:
            ExportError: the file has no window of this length.
        """
        speech = np.zeros(1, np.float32)
        return self._call("hear", samples, speech), speech

    def _call(self, function: str, samples: Samples, *more: Samples) -> Samples:
        result, given = np.zeros(self._graphs.mean.dims[1], np.float32), np.ascontiguousarray(samples, np.float32)
        called = getattr(self._library, f"{self._name}_{function}")
        if called(_pointer(given), len(given), _pointer(result), *map(_pointer, more)):
            raise ExportError(f"{self._name} has no window of {len(given)} samples")
        return result

    def scores(self, statistics: Samples, profile: Profile) -> Samples:
        """Return the scores [labels] of statistics [p] that a profile standardises."""
        result = np.zeros(len(self._graphs.card.labels), np.float32)
        given = [np.ascontiguousarray(one, np.float32) for one in (statistics, profile.mean, profile.scale)]
        getattr(self._library, f"{self._name}_scores")(*map(_pointer, given), _pointer(result))
        return result


def _pointer(array: Samples) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def largest_differences(compiled: Compiled, model: Model, inputs: Sequence[Samples]) -> dict[str, float]:
    """Return the largest difference between C and ONNX Runtime, by output: "statistics", "scores" and "speech".

    A model whose card has no `speech` has no such difference.

    Args:
        compiled: the C of the model.
        model: the model.
        inputs: windows [n], float32.
    """
    profile, differences = model.default_profile, []
    for samples in inputs:
        expected, statistics = model.run(samples[None]), compiled.statistics(samples)
        found = {"statistics": statistics, "scores": compiled.scores(statistics, profile)}
        if model.card.speech is not None:
            found["speech"] = compiled.hear(samples)[1]
        differences.append([float(np.abs(one - getattr(expected, name)[0]).max()) for name, one in found.items()])
    return dict(zip(found, np.max(differences, axis=0).tolist(), strict=True))  # NaN stays NaN


def check_inputs(graphs: FixedGraphs) -> list[Samples]:
    """Return samples of a window for a comparison: the golden input, 40 dB lower, backwards, and silence."""
    rate = graphs.card.sample_rate
    samples = golden_input(seconds=graphs.samples / rate, sample_rate=rate)
    return [samples, samples * np.float32(0.01), np.ascontiguousarray(samples[::-1]), np.zeros_like(samples)]
