"""Cases that the package and the page must both pass; the page reads them in web/tests/unit/conformance.test.ts.

Each `<topic>.json` here is a list of cases: `name`, what is `given`, what is `expected`. Numbers may differ by
`tolerance` (1e-9), since the page stores weights with 8 bits. `python_only` says why the
page differs; its tests skip such a case. To add a case, write its name and what is given, then run
`python -m tests.conformance.make`, which computes what is expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from emovox.adaptation.estimator import Adaptation, Gate
from emovox.adaptation.familiarity import Familiarity, RunningDistance
from emovox.adaptation.profile import Profile
from emovox.adaptation.voice import AdaptedScorer
from emovox.audio.encodings import decode
from emovox.audio.framing import frame
from emovox.audio.types import Samples
from emovox.runtime.pcm_buffer import PcmBuffer
from emovox.runtime.predictor import load
from emovox.runtime.segmenter import Preview, Segmenter, SegmenterConfig, cut_tiles
from emovox.runtime.tiles import Tile, extend, split_region
from emovox.runtime.timeline import summarise
from emovox.runtime.vad import Vad, VadConfig
from emovox.schema.formats import csv_text
from emovox.schema.result import Adapted, Result, ResultRow, Segment, rounded

FOLDER = Path(__file__).parent
FULL_SCALE = 32768

Case = dict[str, Any]


def read(topic: str) -> list[Case]:
    """Read the cases of a topic."""
    cases: list[Case] = json.loads(path_of(topic).read_text(encoding="utf-8"))
    return cases


def path_of(topic: str) -> Path:
    return FOLDER / f"{topic}.json"


def signal(formula: Case) -> Samples:
    """Compute a signal in double precision and round it to 16 bits, so that every language gets the same samples.

    Args:
        formula: `sample_rate` in Hz, `seconds`, and `layers`, which are added up. A layer lasts `seconds` from `start`.
            `tone` and `voice` have a `frequency` in Hz and a `level`; a voice has `harmonics`, each with 1 / number of
            the level. `noise` is uniform in ±`level`: x ← (1664525 x + 1013904223) mod 2³² from `seed`.

    Returns:
        [n] float32 in [-1, 1).
    """
    rate = formula["sample_rate"]
    total = np.zeros(round(formula["seconds"] * rate))
    for layer in formula["layers"]:
        first = round(layer["start"] * rate)
        made = _layer(layer, round(layer["seconds"] * rate), rate)
        total[first : first + made.size] += made[: total.size - first]
    steps = np.clip(np.floor(total * FULL_SCALE + 0.5), -FULL_SCALE, FULL_SCALE - 1)
    return np.asarray(steps / FULL_SCALE, np.float32)


def _layer(layer: Case, n: int, rate: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if layer["kind"] == "noise":
        x, values = layer["seed"], np.empty(n)
        for index in range(n):
            x = (1664525 * x + 1013904223) % 2**32
            values[index] = layer["level"] * (x / 2**31 - 1)
        return values
    phase = 2 * np.pi * layer["frequency"] * np.arange(n) / rate
    numbers = range(1, layer.get("harmonics", 1) + 1)
    return np.asarray(layer["level"] * sum(np.sin(number * phase) / number for number in numbers))


def samples_of(given: Case) -> Samples:
    return signal(given["signal"]) if "signal" in given else np.array(given["samples"], np.float32)


def encoding(given: Case) -> Case:
    """Samples → 16-bit little-endian integers, as hexadecimal digits."""
    samples = samples_of(given)
    buffer = PcmBuffer()
    buffer.append(samples)
    return {"s16le": (buffer.cut(0, samples.size) * FULL_SCALE).astype("<i2").tobytes().hex()}


def decoding(given: Case) -> Case:
    """Interleaved bytes → samples [channels][n], each as an exact float32."""
    data = bytes.fromhex(given["bytes"])
    return {"samples": decode(data, encoding=given["encoding"], channels=given["channels"]).tolist()}


def framing(given: Case) -> Case:
    """Samples 0, 1, 2 … → the first sample and the sample after the last one of each frame."""
    frames = frame(np.arange(given["samples"], dtype=np.float32), length=given["length"], hop=given["hop"])
    return {"frames": [[int(row[0]), int(row[-1]) + 1] for row in frames]}


def tiles(given: Case) -> Case:
    """A region → its tiles, and the audio that a model gets for each."""
    made = split_region(given["start"], given["end"], window=given["window"])
    heard = [extend(start, end, step=given["step"], total=given["total"]) for start, end in made]
    return {"tiles": [list(tile) for tile in made], "audio": [list(piece) for piece in heard]}


def vad(given: Case) -> Case:
    """A signal → runs of [decision, frames of 20 ms], and the tiles [region, start, end] in samples."""
    samples, rate = signal(given["signal"]), given["signal"]["sample_rate"]
    detector = Vad(VadConfig(), sample_rate=rate)
    levels = np.concatenate([detector.feed(samples), detector.flush()]).tolist()
    cut = cut_tiles([samples], SegmenterConfig(sample_rate=rate))
    return {
        "levels": [[level, len(list(run))] for level, run in groupby(levels)],
        "tiles": [[tile.region, tile.start, tile.end] for tile in cut],
    }


def pieces(given: Case) -> Case:
    """A signal → what is scored in a live session: [is a tile, region, start, end, samples, peak as 16-bit integer]."""
    segmenter = Segmenter(SegmenterConfig(window=given["window"]), hop=given["hop"])
    samples = signal(given["signal"])
    events = [*segmenter.feed(samples), *segmenter.flush()]
    return {
        "pieces": [
            [
                int(isinstance(event, Tile)),
                event.region,
                event.start,
                event.end,
                event.samples.size,
                round(float(np.abs(event.samples).max()) * FULL_SCALE),
            ]
            for event in events
            if isinstance(event, Tile | Preview)
        ]
    }


class ToyHead:
    """A head of one affine map: softmax of weights [p, labels] times standardised statistics [n, p]."""

    def __init__(self, given: Case) -> None:
        self._weights = np.array(given["weights"])
        self.default_profile = Profile(*(np.array(given[name], np.float32) for name in ("mean", "scale")))

    def scores(self, statistics: Samples, profiles: Sequence[Profile | None] = ()) -> Samples:
        profile = next(iter(profiles), None) or self.default_profile
        logits = (statistics - profile.mean) / profile.scale @ self._weights
        exponentials = np.exp(logits)
        return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float32)


def adaptation(given: Case) -> Case:
    """Statistics of clips, learnt one after another → the adapted scores of each clip before it is learnt."""
    fit, gate = given["adaptation"], given["adaptation"]["gate"]
    arrays = {name: np.array(fit[name]) for name in ("axes", "apart", "within")}
    numbers = Gate(np.array(gate["mean"]), np.array(gate["scale"]), np.array(gate["weights"]), gate["bias"])
    head = ToyHead(given)
    voice = AdaptedScorer(head, Adaptation(**arrays, variance=fit["variance"], gate=numbers))
    found = []
    for row in np.array(given["statistics"], np.float32):
        found.append([round(score, 5) for score in voice.scores(row[None])[0].tolist()])
        voice.learn(row[None], head.scores(row[None]), [3.0])
    return {"scores": found}


def familiarity(given: Case) -> Case:
    """Statistics of tiles, one after another → the distance with each, and its scores as that distance lowers them."""
    known = given["familiarity"]
    axes, centres, voices, spread = (
        np.array(known[name], np.float64) for name in ("axes", "centres", "voices", "spread")
    )
    limits = tuple((tiles, distance) for tiles, distance in known["limits"])
    strangers = Familiarity(known["step"], axes, centres, voices, spread, limits, known["slope"])
    running, found = RunningDistance(strangers), []
    for statistics, scores in zip(given["statistics"], given["scores"], strict=True):
        running.add(np.array(statistics, np.float32))
        lowered = running.tempered(np.array(scores, np.float32))
        found.append([round(running.distance, 5), *(round(score, 5) for score in lowered.tolist())])
    return {"tiles": found}


def recordings(given: Case) -> Case:
    """A signal → its segments by `mobile`: start, end, code, scores; plain and adapted to the voice of the recording.

    The codes are those of the model. The scores are those of a model that takes every sound for speech.
    """
    predictor, sound = load("mobile"), (signal(given["signal"]), given["signal"]["sample_rate"])
    told = predictor.predict(sound)
    assert isinstance(told, Result)
    predictor.model.card = msgspec.structs.replace(predictor.model.card, speech=None)
    row = predictor.predict(sound, adapt="recording")
    assert isinstance(row, Result)
    return {
        "codes": [segment.code for segment in told.segments],
        "segments": [
            {
                "start": segment.start,
                "end": segment.end,
                "plain": [round(score, 4) for score in (segment.plain_scores or {}).values()],
                "adapted": [round(score, 4) for score in segment.scores.values()],
            }
            for segment in row.segments
        ],
    }


def summaries(given: Case) -> Case:
    """Segments of a recording → its row: label, scores, shares, warnings."""
    segments = msgspec.convert(given["segments"], list[Segment])
    adapted = msgspec.convert(given.get("adapted"), Adapted | None)
    row = summarise(
        given["file"],
        duration=given["duration"],
        segments=segments,
        threshold=given["threshold"],
        adapted=adapted,
        unfamiliarity=given.get("unfamiliarity"),
    )
    return {"row": msgspec.to_builtins(row)}


def exports(given: Case) -> Case:
    """A row → its CSV, and the row as the JSON document holds it."""
    row: ResultRow = msgspec.convert(given["row"], Result)
    text = "".join(csv_text([row], labels=given["labels"]))
    return {"csv": text, "row": msgspec.to_builtins(rounded(row))}


ANSWERS: Mapping[str, Callable[[Case], Case]] = {
    "encoding": encoding,
    "decoding": decoding,
    "framing": framing,
    "tiles": tiles,
    "vad": vad,
    "pieces": pieces,
    "adaptation": adaptation,
    "familiarity": familiarity,
    "recordings": recordings,
    "summaries": summaries,
    "exports": exports,
}
"""Topic → what this package answers for a case."""
