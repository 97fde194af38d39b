"""End-to-end latency of a predictor: where the time goes between a file and its label.

Decoding is timed by reading the file alone, the graph by a stopwatch around every run of it, and the rest of a
prediction (speech detection, tiles, aggregation) is what remains of the total. Front end and network live in one graph;
their shares of it come from ONNX Runtime's profile, by the names of the nodes.
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
from emovox.runtime.model import INPUT, Model, Outputs
from emovox.runtime.predictor import Predictor
from emovox.runtime.profile import Profile
from emovox.schema.card import ModelCard

FRONT_END = "/front_end/"
"""Nodes of the graph with this in their names belong to the front end, at the top or inside an encoder."""

PARTS = ("decode", "speech", "graph", "total")
"""What a `Timing` measures: decoding, speech detection with tiles and aggregation, the graph, and all together."""

TIMED_CLIPS = 50

Clock = Callable[[], float]


class Timing(NamedTuple):
    """Seconds that one prediction took, and the seconds of audio in it."""

    decode: float
    speech: float
    graph: float
    total: float
    audio: float


class _Stopwatch:
    """A model that adds up the time spent in `run`."""

    def __init__(self, model: Model, clock: Clock) -> None:
        self.card: ModelCard = model.card
        self.size = model.size
        self.seconds = 0.0
        self._model, self._clock = model, clock

    def run(self, batch: Samples, profiles: Sequence[Profile | None] = ()) -> Outputs:
        """Score [batch, n] float32 and add the time that it took."""
        begun = self._clock()
        outputs = self._model.run(batch, profiles)
        self.seconds += self._clock() - begun
        return outputs


def latency_of(predictor: Predictor, paths: Sequence[str], graph: Path | None) -> Latency | None:
    """Measure a model on up to `TIMED_CLIPS` of these recordings, evenly chosen; None without any.

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
    """Time the prediction of each recording once, after some that do not count.

    Args:
        predictor: the model.
        sources: recordings, at least one; files for figures that include decoding from disk.
        warm_up: predictions of the first recording that are not timed.
        clock: seconds from any beginning.

    Raises:
        AudioError: a recording cannot be used.
    """
    watch = _Stopwatch(predictor.model, clock)
    timed = Predictor(cast(Model, watch))
    for _ in range(warm_up):
        timed.predict(sources[0])
    return [_time(timed, watch, source, clock) for source in sources]


def summarise_latency(timings: Iterable[Timing], *, front_end_share: float | None = None) -> Latency:
    """Take median and 95th percentile of each part.

    Args:
        timings: one a recording, at least one.
        front_end_share: share of the graph's time in [0, 1] that its front end takes; None when it is not known.

    >>> found = summarise_latency([Timing(0.001, 0.002, 0.007, 0.010, 2.0)], front_end_share=0.5)
    >>> found.parts["network"].median, found.real_time_factor
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
    """Measure which share of a graph's time its front end takes, with ONNX Runtime's profiler.

    Args:
        graph: the .onnx file.
        samples: [batch, n] float32 input.
        runs: how often to run it; the first does not count.

    Returns:
        The share in [0, 1]; None when no node carries `FRONT_END` in its name.
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
    """Sum up the time of the nodes in a profile of ONNX Runtime: the share of those of the front end, or None."""
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    total = sum(event["dur"] for event in nodes)
    front = [event["dur"] for event in nodes if FRONT_END in event["name"]]
    return sum(front) / total if front and total else None


def _time(predictor: Predictor, watch: _Stopwatch, source: AudioInput, clock: Clock) -> Timing:
    watch.seconds = 0.0
    begun = clock()
    result = predictor.predict(source)
    total = clock() - begun
    begun = clock()
    with open_audio(source, sample_rate=predictor.card.sample_rate) as reader:
        for _ in reader.blocks():
            pass
    decode = clock() - begun
    # Two measurements of a short file may differ by more than the rest takes; a part cannot take less than nothing.
    return Timing(decode, max(0.0, total - decode - watch.seconds), watch.seconds, total, result.duration)
