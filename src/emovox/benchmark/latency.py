"""The time from a waveform to scores on one core, side by side with librosa + PyTorch and with openSMILE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import msgspec

from emovox.audio.types import Samples
from emovox.benchmark.machine import Machine, describe_machine, on_one_core
from emovox.benchmark.turns import MATRIX, TimeSpread, in_turn
from emovox.features.speech_like import speech_like
from emovox.runtime.model import Model
from emovox.runtime.registry import read_card, resolve, shipped
from emovox.schema.errors import ConfigError

RATE = 16000
"""Sample rate of the generated audio in Hz."""

EMOVOX, EAGER, OPENSMILE = "emovox", "librosa + torch eager", "openSMILE eGeMAPS + SVM"
EAGER_SPARSE = f"{EAGER}, F0 every second frame"
"""With F0 as the shipped front end computes it. `EAGER` computes F0 of every frame, as is usual."""

NEEDS = {
    EAGER: ("librosa", "torch", "dev"),
    EAGER_SPARSE: ("librosa", "torch", "dev"),
    OPENSMILE: ("opensmile", "sklearn", "opensmile"),
}
"""Side → two modules that it needs, and the extra that installs them."""


class LatencyRow(msgspec.Struct, frozen=True):
    """The times of one model, in milliseconds of processor time.

    Attributes:
        model: name of the model.
        parameters: number of its parameters.
        emovox: its time.
        sides: alternative → time, for alternatives that are installed and support this model.
    """

    model: str
    parameters: int
    emovox: TimeSpread
    sides: dict[str, TimeSpread]

    def ratio(self, side: str) -> float:
        """Return how many times faster emovox is than a side, by the medians."""
        return self.sides[side].median / self.emovox.median


class LatencyTable(msgspec.Struct, frozen=True):
    """The result of `emovox benchmark latency`; times are processor time.

    Attributes:
        seconds: length of the generated audio.
        repeats: measured rounds.
        rows: one row per model.
        left_out: alternative that is not installed → extra that installs it.
        matrix_product: time of a 512 × 512 float32 product in the same rounds, the slowest over the models.
        machine: the machine of the measurement.
    """

    seconds: float
    repeats: int
    rows: tuple[LatencyRow, ...]
    left_out: dict[str, str]
    matrix_product: TimeSpread
    machine: Machine


def measure_models(
    names: Sequence[str] = (), *, seconds: float = 3.0, repeats: int = 51, together: bool = False
) -> LatencyTable:
    """Time the shipped models, each in a separate process with one thread, in turn with the alternatives.

    One process per model, since a program has one model. After `accurate` in the same process, librosa takes up to a
    quarter less time: the allocator then keeps the memory that librosa requests and frees in every call.

    Args:
        names: names or paths of models; none stands for all shipped models.
        seconds: length of the generated audio, 0.5 to 30.
        repeats: measured rounds, >= 1.
        together: whether all models run in one process, in turn with one another.

    Raises:
        ConfigError: `seconds` or `repeats` out of range.
        ModelError: no such model.
    """
    if not 0.5 <= seconds <= 30 or repeats < 1:
        raise ConfigError(f"got {seconds} s, {repeats} repeats; expected 0.5 to 30 seconds and 1 or more repeats")
    paths = [str(resolve(name)) for name in names or shipped()]
    processes = [paths] if together else [[path] for path in paths]
    tables = [on_one_core(_measure, shared, seconds, repeats) for shared in processes]
    return msgspec.structs.replace(
        tables[0],
        rows=tuple(row for table in tables for row in table.rows),
        matrix_product=max((table.matrix_product for table in tables), key=lambda product: product.median),
    )


def _measure(paths: Sequence[str], seconds: float, repeats: int) -> LatencyTable:
    """Return the table of the models of one process."""
    samples = speech_like(seconds, sample_rate=RATE)
    installed = [side for side, (*modules, _) in NEEDS.items() if all(map(find_spec, modules))]
    works = {path: _works(Model.load(resolve(path)), installed, samples) for path in paths}
    times = in_turn({f"{path} {side}": works[path][side] for path in paths for side in works[path]}, repeats=repeats)
    return LatencyTable(
        seconds=seconds,
        repeats=repeats,
        rows=tuple(_row(path, {side: times[f"{path} {side}"] for side in works[path]}) for path in paths),
        left_out={side: extra for side, (*_, extra) in NEEDS.items() if side not in installed},
        matrix_product=times[MATRIX],
        machine=describe_machine(["numpy", "onnxruntime", *_packages(installed)]),
    )


def _row(path: str, times: dict[str, TimeSpread]) -> LatencyRow:
    card = read_card(resolve(path))
    return LatencyRow(card.name, card.parameters, times.pop(EMOVOX), times)


def _works(model: Model, installed: Sequence[str], samples: Samples) -> dict[str, Callable[[], object]]:
    sides: dict[str, Callable[[], object]] = {EMOVOX: lambda: model.run(samples[None])}
    if EAGER in installed:
        from emovox.benchmark.by_hand import NETWORKS, WITH_F0, by_hand

        if model.card.name in NETWORKS:
            eager = by_hand(model.card.name)
            sides[EAGER] = lambda: eager(samples)
        if model.card.name in WITH_F0:
            sparse = by_hand(model.card.name, f0_step=2)
            sides[EAGER_SPARSE] = lambda: sparse(samples)
    if OPENSMILE in installed:
        from emovox.benchmark.by_hand import egemaps_svm

        smile = egemaps_svm()
        sides[OPENSMILE] = lambda: smile(samples)
    return sides


def _packages(installed: Sequence[str]) -> list[str]:
    by_hand = ["librosa", "torch"] if EAGER in installed else []
    return by_hand + (["opensmile", "scikit-learn"] if OPENSMILE in installed else [])
