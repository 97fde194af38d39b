"""End-to-end latency of a predictor, from file to label, and its parts.

Decoding is timed by reading the file alone, and the graph by a stopwatch around every run. The rest of the total is
VAD, tiles and aggregation. Front end and network are one graph. Their shares of its time come from ONNX Runtime's
profile, by the names of the nodes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
import onnxruntime

from emovox.audio.reader import open_audio
from emovox.audio.types import AudioInput, Samples
from emovox.evaluation.report.sections import Latency, Spread
from emovox.runtime.graph_check import INPUT
from emovox.runtime.model import Model, Outputs
from emovox.runtime.predictor import Predictor
from emovox.schema.card import ModelCard

FRONT_END = "/front_end/"
"""Part of the name of each node of the front end, at the top of the graph or inside an encoder."""

PARTS = ("decode", "speech", "graph", "total")
"""The parts of a `Timing`: decoding, VAD with tiles and aggregation, the graph, and all together."""

TIMED_CLIPS = 50
"""Recordings that are timed, at most."""

Clock = Callable[[], float]


class Timing(NamedTuple):
    """Times of the parts of one prediction and the length of its audio, in seconds."""

    decode: float
    speech: float
    graph: float
    total: float
    audio: float


class _Stopwatch:
    """A model that adds up the seconds spent in `run`."""

    def __init__(self, model: Model, clock: Clock) -> None:
        self.card: ModelCard = model.card
        self.size = model.size
        self.seconds = 0.0
        self._model, self._clock = model, clock

    def run(self, batch: Samples) -> Outputs:
        """Score [batch, n] float32 and add the time."""
        start = self._clock()
        outputs = self._model.run(batch)
        self.seconds += self._clock() - start
        return outputs


def latency_of(predictor: Predictor, paths: Sequence[str], graph: Path | None) -> Latency | None:
    """Return the latency of a model on up to `TIMED_CLIPS` recordings, evenly chosen; None without recordings.

    Args:
        predictor: the model.
        paths: recordings that can be decoded.
        graph: the model's .onnx file, to tell front end and network apart.
    """
    if not paths:
        return None
    chosen = [paths[n] for n in np.unique(np.linspace(0, len(paths) - 1, TIMED_CLIPS).round().astype(int))]
    card = predictor.card
    samples = np.random.default_rng(0).normal(scale=0.1, size=(1, round(card.window * card.sample_rate)))
    share = None if graph is None else front_end_share(graph, samples.astype(np.float32))
    return summarise_latency(measure_latency(predictor, chosen), front_end_share=share)


def measure_latency(
    predictor: Predictor, sources: Sequence[AudioInput], *, warm_up: int = 2, clock: Clock = time.perf_counter
) -> list[Timing]:
    """Return the times of one prediction of each recording, after `warm_up` predictions that do not count.

    Args:
        predictor: the model.
        sources: recordings, at least one; files for figures that include decoding from disk.
        warm_up: predictions of the first recording that are not timed.
        clock: returns seconds, from any origin.

    Raises:
        AudioError: a recording cannot be used.
    """
    watch = _Stopwatch(predictor.model, clock)
    timed = Predictor(cast(Model, watch))
    for _ in range(warm_up):
        timed.predict(sources[0])
    return [_time(timed, watch, source, clock) for source in sources]


def summarise_latency(timings: Iterable[Timing], *, front_end_share: float | None = None) -> Latency:
    """Return the median and the 95th percentile of each part in milliseconds.

    Args:
        timings: one per recording, at least one.
        front_end_share: share of the graph's time that its front end takes, in [0, 1]; None if it is not known.

    >>> latency = summarise_latency([Timing(0.001, 0.002, 0.007, 0.010, 2.0)], front_end_share=0.5)
    >>> latency.parts["network"].median, latency.real_time_factor
    (3.5, 0.005)
    """
    timings = list(timings)
    table = np.array(timings, dtype=np.float64)
    medians, highs = np.percentile(1000 * table[:, :-1], (50, 95), axis=0)
    parts = {name: Spread(float(median), float(high)) for name, median, high in zip(PARTS, medians, highs, strict=True)}
    if front_end_share is not None:
        graph = parts["graph"]
        for name, share in (("front end", front_end_share), ("network", 1 - front_end_share)):
            parts[name] = Spread(graph.median * share, graph.p95 * share)
    audio = float(table[:, -1].sum())
    factor = float(table[:, -2].sum()) / audio if audio else float("nan")
    return Latency(parts, factor, float(np.median(table[:, -1])), len(timings))


def front_end_share(graph: Path, samples: Samples, *, runs: int = 20) -> float | None:
    """Return the share of a graph's time that its front end takes, from ONNX Runtime's profiler.

    Args:
        graph: the .onnx file.
        samples: [batch, n] float32 input.
        runs: number of runs to profile.

    Returns:
        The share in [0, 1]; None if no node has `FRONT_END` in its name.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, {INPUT: samples})
        events = msgspec.json.decode(Path(session.end_profiling()).read_bytes())
    return share_of_front_end(events)


def share_of_front_end(events: Sequence[dict[str, Any]]) -> float | None:
    """Return the share of the front end in the time of all nodes of a profile of ONNX Runtime; None without any."""
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    total = sum(event["dur"] for event in nodes)
    front = [event["dur"] for event in nodes if FRONT_END in event["name"]]
    return sum(front) / total if front and total else None


def _time(predictor: Predictor, watch: _Stopwatch, source: AudioInput, clock: Clock) -> Timing:
    watch.seconds = 0.0
    start = clock()
    result = predictor.predict(source)
    total = clock() - start
    start = clock()
    with open_audio(source, sample_rate=predictor.card.sample_rate) as reader:
        for _ in reader.blocks():
            pass
    decode = clock() - start
    # Two measurements of a short file may differ by more than the time of the rest, which must not become negative.
    return Timing(decode, max(0.0, total - decode - watch.seconds), watch.seconds, total, result.duration)
