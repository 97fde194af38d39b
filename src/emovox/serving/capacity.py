"""How many live streams this machine should carry: measured in a moment, with the model that will score them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from emovox.runtime.channel import live_analyzers
from emovox.runtime.golden import golden_input
from emovox.runtime.pipeline import LARGEST_BATCH
from emovox.runtime.predictor import Predictor
from emovox.schema.processes import usable_cores
from emovox.serving.live.audio_in import STEP_SECONDS

BUSY = 0.7
"""Share of a core that may be busy: beyond it updates begin to wait for one another."""

SOCKET_SECONDS = 0.0012
"""Processor time that a second of a stream costs on the socket, at ten frames a second (publish/load.py)."""

_SPEECH_SECONDS = 1.0
_FEWEST = 4
_RUNS = 3


def measure_streams(predictor: Predictor, *, cores: int | None = None) -> int:
    """Estimate how many streams in which somebody speaks without a pause can be carried; takes about 0.1 s.

    Two bounds: all work spread over the cores, and what one event loop has to do alone.

    Args:
        predictor: the model.
        cores: processor cores; those of this process unless given.

    Returns:
        Streams a worker, at least 4.
    """
    card = predictor.card
    speech = golden_input(seconds=_SPEECH_SECONDS, sample_rate=card.sample_rate)
    analyzer = live_analyzers(card, channels=1)[0]
    steps = np.array_split(speech, round(_SPEECH_SECONDS / STEP_SECONDS))
    loop = SOCKET_SECONDS + _quickest(lambda: [analyzer.cutter.feed(step) for step in steps]) / _SPEECH_SECONDS
    windows = np.tile(golden_input(seconds=card.window, sample_rate=card.sample_rate), (LARGEST_BATCH, 1))
    window = _quickest(lambda: predictor.model.run(windows)) / LARGEST_BATCH
    scoring = window * (1 / card.hop + 1 / card.window)
    cores = usable_cores() if cores is None else cores
    return max(_FEWEST, int(min(BUSY / loop, BUSY * cores / (loop + scoring))))


def _quickest(work: Callable[[], object]) -> float:
    """Seconds of processor time, of the quickest of a few runs: other work on the machine shall not count."""
    taken = []
    for _ in range(_RUNS):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)
