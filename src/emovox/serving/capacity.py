"""Measure how many live streams this machine carries, with the model that scores them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from emovox.runtime.channel import live_analyzers
from emovox.runtime.golden import golden_input
from emovox.runtime.pipeline import LARGEST_BATCH
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import ModelError
from emovox.schema.processes import usable_cores
from emovox.serving.live.audio_in import STEP_SECONDS

BUSY = 0.7
"""Share of a core that streams may use (0 to 1): above it updates begin to wait for each other."""

SOCKET_SECONDS = 0.0012
"""Seconds of processor time for the socket, per second of a stream with ten frames (measured by publish/load.py)."""

_SPEECH_SECONDS = 1.0  # of the test sound
_FEWEST = 4  # streams, however slow the machine is
_RUNS = 3  # the quickest counts

_LONGEST_SECONDS = 30.0
"""Seconds that the measurement may take; it takes 0.1 to 1 s with the shipped models."""


def measure_streams(predictor: Predictor, *, cores: int | None = None) -> int:
    """Return how many streams of speech without pauses a worker carries; takes about 0.1 s.

    The estimate is the lower of two bounds: all work spread over the cores, and the work of the event loop on one core.

    Args:
        predictor: the model.
        cores: processor cores of the worker; default: those that this process may use.

    Returns:
        Streams per worker, at least 4.

    Raises:
        ModelError: the model fails, or does not end within half a minute.
    """
    timer = threading.Timer(_LONGEST_SECONDS, predictor.model.stop)
    timer.daemon = True
    timer.start()
    try:
        return _measure(predictor, cores=usable_cores() if cores is None else cores)
    except ModelError as error:
        if timer.is_alive():
            raise
        raise ModelError(
            f"model '{predictor.card.name}' did not end within {_LONGEST_SECONDS:.0f} s; serve another model"
        ) from error
    finally:
        timer.cancel()


def _measure(predictor: Predictor, *, cores: int) -> int:
    card = predictor.card
    speech = golden_input(seconds=_SPEECH_SECONDS, sample_rate=card.sample_rate)
    analyzer = live_analyzers(card, channels=1)[0]
    steps = np.array_split(speech, round(_SPEECH_SECONDS / STEP_SECONDS))
    loop = SOCKET_SECONDS + _quickest(lambda: [analyzer.cutter.feed(step) for step in steps]) / _SPEECH_SECONDS
    windows = np.tile(golden_input(seconds=card.window, sample_rate=card.sample_rate), (LARGEST_BATCH, 1))
    window = _quickest(lambda: predictor.model.run(windows)) / LARGEST_BATCH
    scoring = window * (1 / card.hop + 1 / card.window)
    return max(_FEWEST, int(min(BUSY / loop, BUSY * cores / (loop + scoring))))


def _quickest(work: Callable[[], object]) -> float:
    """Return seconds of processor time of the quickest of a few runs, since other work slows some of them."""
    taken = []
    for _ in range(_RUNS):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)
