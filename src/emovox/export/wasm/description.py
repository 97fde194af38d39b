"""What a page must know of a model: the numbers of its card, and the parameters of its adaptation."""

from __future__ import annotations

import base64
import math
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from emovox.adaptation.estimator import Numbers
from emovox.adaptation.familiarity import from_half
from emovox.adaptation.parameters import from_arrays
from emovox.runtime.graph_file import read_initialiser
from emovox.runtime.registry import read_part
from emovox.runtime.speech_network import SHA256
from emovox.schema.card import ModelCard

FORMAT = 2
"""Version of the exports and the description; `description.ts` of the page's package has the same."""

GRID = 0.1
"""Seconds between two lengths that the file takes."""


def tile_lengths(card: ModelCard) -> list[int]:
    """Return the lengths in samples that the file takes: multiples of 0.1 s, up to one and a half windows."""
    grid, longest = round(GRID * card.sample_rate), 1.5 * card.window
    return list(range(math.ceil(card.shortest / GRID - 1e-9) * grid, round(longest * card.sample_rate) + 1, grid))


def description(path: Path, card: ModelCard, *, lengths: list[int], p: int, exact: bool = False) -> dict[str, Any]:
    """Return what a page must know of a model, for JSON.

    Args:
        path: of its card or graph.
        card: its card.
        lengths: in samples, that the network takes.
        p: width of its statistics.
        exact: whether the axes of familiarity are those of the card; otherwise they have 8 bits, which takes less room.
    """
    names = ("name", "version", "description", "labels", "threshold", "window", "hop", "parameters", "licence")
    known = {name: getattr(card, name) for name in (*names, "licence_risk", "sha256", "adaptable")}
    if card.speech is not None:
        known["speech"] = {"threshold": card.speech.threshold}
    if card.trust is not None:
        known["sets"] = [{"coverage": one.coverage, "least": one.least} for one in card.trust.sets]
    figures = [
        {name: getattr(figure, name) for name in ("corpus", "protocol", "metric", "value", "low", "high")}
        for figure in card.figures
    ]
    shortest = lengths[0] / card.sample_rate
    return {
        "format": FORMAT,
        "card": msgspec.to_builtins({**known, "shortest": shortest, "figures": figures}),
        "statistics": p,
        "lengths": lengths,
        "adaptation": _adaptation(read_part(path.with_suffix(".onnx")), p) if card.adaptable else None,
        "familiarity": _familiarity(card, exact=exact),
        "speech_sha256": SHA256,
    }


def _adaptation(graph: bytes, p: int) -> dict[str, Any]:
    found = from_arrays(partial(read_initialiser, graph), n_statistics=p)
    gate = {name: short(getattr(found.gate, name), 7) for name in ("mean", "scale", "weights")}
    matrices = {name: short(getattr(found, name), 5) for name in ("apart", "within")}
    matrices["axes"] = short(found.axes, 3)  # halves
    return {**matrices, "variance": found.variance, "gate": {**gate, "bias": found.gate.bias}}


def _familiarity(card: ModelCard, *, exact: bool) -> dict[str, Any] | None:
    """Return how far recordings are from the training set, as in the card; axes of 8 bits have a scale for each."""
    known = None if card.trust is None else card.trust.familiarity
    if known is None:
        return None
    axes = from_half(known.axes)
    names = ("step", "centres", "voices", "spread", "limits", "slope")
    given = msgspec.to_builtins({name: getattr(known, name) for name in names})
    if exact:
        return {**given, "axes": short(axes, 5)}  # halves have fewer digits
    scales = np.abs(axes).max(axis=1) / 127
    rounded = np.round(axes / scales[:, None]).astype(np.int8)
    return {**given, "axes": base64.b64encode(rounded.tobytes()).decode(), "scales": short(scales, 7)}


def short(values: Numbers, digits: int) -> list[float]:
    """Return numbers with a few digits, which are shorter in JSON."""
    return [float(f"{value:.{digits}g}") for value in values.ravel()]
