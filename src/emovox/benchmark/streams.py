"""The cost of live streams: of an update, of an open but silent stream, and how many streams a core carries."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import msgspec
import numpy as np

from emovox.audio.types import Samples
from emovox.benchmark.machine import Machine, describe_machine, on_one_core
from emovox.benchmark.turns import MATRIX, TimeSpread, in_turn
from emovox.features.speech_like import talk_like
from emovox.runtime.live_stream import LiveStream
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.registry import shipped
from emovox.runtime.stream import Stream
from emovox.schema.errors import ConfigError
from emovox.schema.events import EmotionUpdated

CHUNK = 0.1
"""Seconds of audio per call, as a telephone or a browser sends it."""

OPEN = 50
"""Silent streams that are opened to measure the memory of one."""

TOGETHER = 8
"""Streams with speech whose windows share batches."""

RUNS = 3
"""Measured runs of a single stream; the result is their median."""

WARM_SECONDS = 5.0
"""Seconds of speech before the measurement: the first runs allocate memory and load code."""

NOISE = 1e-3
"""Root mean square of the noise in a silent stream, as in a quiet room; full scale is 1."""


class StreamRow(msgspec.Struct, frozen=True):
    """The cost of streams with one model.

    Attributes:
        model: name of the model.
        update_ms: processor time in ms of a hop of 0.5 s of continuous speech: VAD, the preview and a share of the
            tiles.
        silent_share: share of a core that an open stream without speech takes, 0 to 1.
        silent_bytes: memory of such a stream.
        talking: streams with continuous speech that one core carries, with windows of several streams in a batch.
    """

    model: str
    update_ms: float
    silent_share: float
    silent_bytes: int
    talking: float


class StreamTable(msgspec.Struct, frozen=True):
    """The result of `emovox benchmark stream`, with `seconds` of audio in each stream."""

    seconds: float
    rows: tuple[StreamRow, ...]
    matrix_product: TimeSpread
    machine: Machine


def measure_streams(names: Sequence[str] = (), *, seconds: float = 30.0) -> StreamTable:
    """Measure live streams in a process with one thread, by processor time.

    Args:
        names: names or paths of models; none stands for all shipped models.
        seconds: of audio through each stream, at least 5.

    Raises:
        ConfigError: `seconds` out of range.
        ModelError: no such model.
    """
    if not 5 <= seconds <= 3600:
        raise ConfigError(f"got {seconds} s, expected 5 to 3600")
    return on_one_core(_measure, list(names or shipped()), seconds)


def _measure(names: Sequence[str], seconds: float) -> StreamTable:
    rows = tuple(_row(load(name), seconds) for name in names)
    return StreamTable(seconds, rows, in_turn({}, repeats=51)[MATRIX], describe_machine(["numpy", "onnxruntime"]))


def _row(predictor: Predictor, seconds: float) -> StreamRow:
    rate = predictor.card.sample_rate
    speech, silence = talk_like(seconds, sample_rate=rate), _noise(seconds, rate=rate)
    _alone(predictor.stream(), speech[: round(WARM_SECONDS * rate)], rate=rate)
    updates = [_alone(predictor.stream(), speech, rate=rate) for _ in range(RUNS)]
    silent = [_alone(predictor.stream(), silence, rate=rate)[0] for _ in range(RUNS)]
    return StreamRow(
        model=predictor.card.name,
        update_ms=1e3 * median(taken / count for taken, count in updates),
        silent_share=median(silent) / seconds,
        silent_bytes=_memory(predictor),
        talking=TOGETHER * seconds / _together(predictor, speech),
    )


def _noise(seconds: float, *, rate: int) -> Samples:
    return (NOISE * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


def _chunks(samples: Samples, *, rate: int) -> list[Samples]:
    size = round(CHUNK * rate)
    return [samples[first : first + size] for first in range(0, samples.size, size)]


def _alone(stream: Stream, samples: Samples, *, rate: int) -> tuple[float, int]:
    """Return the seconds of processor time and the number of updates of one stream."""
    chunks, updates = _chunks(samples, rate=rate), 0
    begun = time.process_time()
    for chunk in chunks:
        updates += sum(isinstance(event, EmotionUpdated) for event in stream.feed(chunk))
    return time.process_time() - begun, updates


def _together(predictor: Predictor, samples: Samples) -> float:
    with Pipeline(predictor) as pipeline:
        streams = [pipeline.open() for _ in range(TOGETHER)]
        begun = time.process_time()
        for step in _staggered(_chunks(samples, rate=predictor.card.sample_rate), TOGETHER):
            for number, chunk in step:
                streams[number].feed(chunk)
            while pipeline.counts.waiting:  # in real time the model has half a second per hop
                time.sleep(1e-4)
            _drain(streams)
        return time.process_time() - begun


def _staggered(chunks: Sequence[Samples], count: int) -> Iterator[list[tuple[int, Samples]]]:
    """Yield, for each step, the streams and their chunks. Each stream starts one chunk after the previous one.

    Otherwise all windows would be due at once and fill batches, which independent callers never do.
    """
    for step in range(len(chunks) + count - 1):
        yield [(number, chunks[step - number]) for number in range(count) if 0 <= step - number < len(chunks)]


def _drain(streams: Sequence[LiveStream]) -> None:
    for stream in streams:
        stream.take()


def _memory(predictor: Predictor) -> int:
    samples = _noise(10.0, rate=predictor.card.sample_rate)
    chunks = _chunks(samples, rate=predictor.card.sample_rate)
    with Pipeline(predictor) as pipeline:
        return _allocated_bytes(lambda: _feed_all([pipeline.open() for _ in range(OPEN)], chunks)) // OPEN


def _feed_all(streams: list[LiveStream], chunks: Sequence[Samples]) -> list[LiveStream]:
    for stream in streams:
        for chunk in chunks:
            stream.feed(chunk)
    return streams


def _allocated_bytes(make: Callable[[], object]) -> int:
    """Return the bytes that Python and NumPy hold for an object after making it."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        made = make()
        after, _ = tracemalloc.get_traced_memory()
        del made
        return after - before
    finally:
        tracemalloc.stop()
