"""Timing of several functions in turn, next to a fixed piece of work that shows how busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

MATRIX = "matrix product"
"""Name of the fixed piece of work."""

MATRIX_SIZE = 512
"""Side of the two float32 matrices of the product. The spread of its times is the noise of the machine."""

WARM_UP = 3
"""Rounds before the measurement. They load code and fill caches."""

BUSY = 1.3
"""Ratio of the median to the fastest twentieth of the products. Above it, other work took part of the core."""

Clock = Callable[[], float]


class TimeSpread(msgspec.Struct, frozen=True):
    """Times over the rounds in milliseconds: the median, the 5th percentile and the 95th percentile."""

    median: float
    fastest: float
    slowest: float

    @property
    def is_busy(self) -> bool:
        """Return whether other work slowed the machine down, for the times of the matrix product."""
        return self.median > BUSY * self.fastest


def in_turn(
    works: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = WARM_UP,
    clock: Clock = time.process_time,
) -> dict[str, TimeSpread]:
    """Time functions in turn, so that other work on the machine slows all of them alike.

    In its turn a function runs twice, and the second run is timed. The first run refills the caches, from which the
    other functions have displaced its data.

    Args:
        works: name → function to time.
        repeats: measured rounds, >= 1.
        warm_up: rounds before, >= 0.
        clock: returns seconds. The default, processor time of this process, does not count waiting for a core.

    Returns:
        Name → spread of its times; `MATRIX` → that of the product of two 512 × 512 matrices in the same rounds.
    """
    matrix = np.full((MATRIX_SIZE, MATRIX_SIZE), 0.5, np.float32)
    every: dict[str, Callable[[], object]] = {MATRIX: lambda: matrix @ matrix, **works}
    rounds: dict[str, list[float]] = {name: [] for name in every}
    for number in range(warm_up + repeats):
        for name, work in every.items():
            work()
            start = clock()
            work()
            taken = 1e3 * (clock() - start)
            if number >= warm_up:
                rounds[name].append(taken)
    return {name: spread_of(times) for name, times in rounds.items()}


def spread_of(milliseconds: list[float]) -> TimeSpread:
    """Return the spread of one or more times in milliseconds.

    >>> spread_of([float(time) for time in range(21)])
    TimeSpread(median=10.0, fastest=1.0, slowest=19.0)
    """
    fastest, median, slowest = np.percentile(milliseconds, (5, 50, 95)).tolist()
    return TimeSpread(median, fastest, slowest)
