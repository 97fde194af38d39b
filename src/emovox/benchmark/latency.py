"""From 3 s of audio to probabilities on one core, beside what people write by hand and openSMILE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import msgspec

from emovox.audio.types import Samples
from emovox.benchmark.machine import Machine, describe_machine
from emovox.benchmark.one_core import on_one_core
from emovox.benchmark.turns import MATRIX, Spread, in_turn
from emovox.features.speech_like import speech_like
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve, shipped
from emovox.schema.errors import ConfigError

RATE = 16000
OWN, EAGER, OPENSMILE = "emovox", "librosa + torch eager", "openSMILE eGeMAPS + SVM"
EAGER_SPARSE = f"{EAGER}, F0 every second frame"
"""As the shipped front end computes it; people stack F0 of every frame."""

NEEDS = {
    EAGER: ("librosa", "torch", "dev"),
    EAGER_SPARSE: ("librosa", "torch", "dev"),
    OPENSMILE: ("opensmile", "sklearn", "opensmile"),
}
"""Side → two modules that it needs, and the extra that brings them."""


class Row(msgspec.Struct, frozen=True):
    """One model; `sides` has the other roads to the same end, by name, those that are installed and know this model."""

    model: str
    parameters: int
    emovox: Spread
    sides: dict[str, Spread]

    def ratio(self, side: str) -> float:
        """How many times faster emovox is than that side, by the medians."""
        return self.sides[side].median / self.emovox.median


class LatencyTable(msgspec.Struct, frozen=True):
    """What `emovox benchmark latency` tells.

    `left_out` is keyed by the sides that are not installed, with the extra that brings them. Times are processor time;
    `matrix_product` is the slowest of the models' runs.
    """

    seconds: float
    repeats: int
    rows: tuple[Row, ...]
    left_out: dict[str, str]
    matrix_product: Spread
    machine: Machine


def measure_models(names: Sequence[str] = (), *, seconds: float = 3.0, repeats: int = 51) -> LatencyTable:
    """Time the shipped models, each in a process of its own with one thread, in turn with the other sides.

    A program has one model. Where `accurate` has run before, librosa takes a sixth less time beside `hybrid`: the
    allocator then keeps the memory that librosa asks for and gives back in every call.

    Args:
        names: models, or paths of theirs; all that are shipped for none.
        seconds: length of the generated audio, 0.5 to 30.
        repeats: measured rounds, >= 1.

    Raises:
        ConfigError: `seconds` or `repeats` out of range.
        ModelError: no such model.
    """
    if not 0.5 <= seconds <= 30 or repeats < 1:
        raise ConfigError(f"got {seconds} s, {repeats} repeats; expected 0.5 to 30 seconds and 1 or more repeats")
    paths = [str(resolve(name)) for name in names or shipped()]
    tables = [on_one_core(_measure, path, seconds, repeats) for path in paths]
    return msgspec.structs.replace(
        tables[0],
        rows=tuple(row for table in tables for row in table.rows),
        matrix_product=max((table.matrix_product for table in tables), key=lambda product: product.median),
    )


def _measure(path: str, seconds: float, repeats: int) -> LatencyTable:
    """One row."""
    samples = speech_like(seconds, sample_rate=RATE)
    model = Model.load(resolve(path))
    installed = [side for side, (*modules, _) in NEEDS.items() if all(map(find_spec, modules))]
    own, sides = lambda: model.run(samples[None]), _sides(model, installed, samples)
    times = in_turn({OWN: own, **sides}, repeats=repeats)
    return LatencyTable(
        seconds=seconds,
        repeats=repeats,
        rows=(Row(model.card.name, model.card.parameters, times[OWN], {side: times[side] for side in sides}),),
        left_out={side: extra for side, (*_, extra) in NEEDS.items() if side not in installed},
        matrix_product=times[MATRIX],
        machine=describe_machine(["numpy", "onnxruntime", *_packages(installed)]),
    )


def _sides(model: Model, installed: Sequence[str], samples: Samples) -> dict[str, Callable[[], object]]:
    sides: dict[str, Callable[[], object]] = {}
    if EAGER in installed:
        from emovox.benchmark.by_hand import NETWORKS, WITH_F0, by_hand

        if model.card.name in NETWORKS:
            eager = by_hand(model.card.name)
            sides[EAGER] = lambda: eager(samples)
        if model.card.name in WITH_F0:
            sparse = by_hand(model.card.name, f0_step=2)
            sides[EAGER_SPARSE] = lambda: sparse(samples)
    if OPENSMILE in installed:
        from emovox.benchmark.opensmile import egemaps_svm

        smile = egemaps_svm()
        sides[OPENSMILE] = lambda: smile(samples)
    return sides


def _packages(installed: Sequence[str]) -> list[str]:
    by_hand = ["librosa", "torch"] if EAGER in installed else []
    return by_hand + (["opensmile", "scikit-learn"] if OPENSMILE in installed else [])
