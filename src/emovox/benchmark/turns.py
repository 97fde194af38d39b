"""Time several things in turn, round after round, beside a fixed piece of work that tells how busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

MATRIX = "matrix product"
MATRIX_SIZE = 512
"""Side of the float32 product that is timed beside: its spread is the machine's noise."""

WARM_UP = 3
"""Rounds before the clock counts: they load code and fill the caches of all sides."""

BUSY = 1.3
"""Median over the fastest twentieth of the matrix products from which other work took part of the core."""

Clock = Callable[[], float]


class TimeSpread(msgspec.Struct, frozen=True):
    """Milliseconds over the rounds: the median, and the times that a twentieth of the rounds stay below or exceed."""

    median: float
    fastest: float
    slowest: float

    @property
    def is_busy(self) -> bool:
        """Of the matrix product: whether other work slowed it down."""
        return self.median > BUSY * self.fastest


def in_turn(
    works: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = WARM_UP,
    clock: Clock = time.process_time,
) -> dict[str, TimeSpread]:
    """Time works in turn, so that all suffer alike from what else runs on the machine.

    In its turn a work runs twice, and the second run is timed: the first brings back into the caches what the others
    have driven out.

    Args:
        works: name → what is timed.
        repeats: measured rounds, >= 1.
        warm_up: rounds before.
        clock: seconds; processor time of this process unless given, which waiting for a core does not lengthen.

    Returns:
        The spread of each, and under `MATRIX` that of the product of two 512 × 512 matrices in the same rounds.
    """
    matrix = np.full((MATRIX_SIZE, MATRIX_SIZE), 0.5, np.float32)
    every: dict[str, Callable[[], object]] = {MATRIX: lambda: matrix @ matrix, **works}
    rounds: dict[str, list[float]] = {name: [] for name in every}
    for number in range(warm_up + repeats):
        for name, work in every.items():
            work()
            begun = clock()
            work()
            taken = 1e3 * (clock() - begun)
            if number >= warm_up:
                rounds[name].append(taken)
    return {name: spread_of(times) for name, times in rounds.items()}


def spread_of(milliseconds: list[float]) -> TimeSpread:
    """Summarise one or more times.

    >>> spread_of([float(time) for time in range(21)])
    TimeSpread(median=10.0, fastest=1.0, slowest=19.0)
    """
    fastest, median, slowest = np.percentile(milliseconds, (5, 50, 95)).tolist()
    return TimeSpread(median, fastest, slowest)
