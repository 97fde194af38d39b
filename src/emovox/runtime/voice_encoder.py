"""Embeddings of voices: the GE2E speaker encoder (Apache-2.0), 3 MB, in the folder `ge2e` or fetched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.registry import models_folder
from emovox.runtime.session import open_shipped

NETWORK = "ge2e_voice_16k.onnx"
SHA256 = "1bd9695221c0d44d0779a35eb39980b49e112c0b7123a7675810465c611e0be5"

INPUT, OUTPUT = "samples", "voice"
"""Names of the tensors of the graph."""

RATE, WIDTH = 16000, 256
"""Sample rate in Hz of the input, and length of an embedding."""

LARGEST_BATCH = 16
"""Most windows per run. A window of 1.6 s takes 16 ms alone, and 7 ms in a batch of 16 or more."""


def embed(pieces: Sequence[Samples]) -> Samples:
    """Return the embedding of each piece; the dot product of two is high if one voice speaks in both.

    Args:
        pieces: samples [n] float32 at 16 kHz in [-1, 1], n >= 1; pieces of one length are run together.

    Returns:
        Shape [pieces, 256], float32, each of norm 1.

    Raises:
        ModelError: the network's file is damaged or missing.
    """
    voices = np.zeros((len(pieces), WIDTH), np.float32)
    by_length: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        by_length.setdefault(piece.size, []).append(index)
    for indices in by_length.values():
        for first in range(0, len(indices), LARGEST_BATCH):
            batch = indices[first : first + LARGEST_BATCH]
            voices[batch] = _session().run([OUTPUT], {INPUT: np.stack([pieces[index] for index in batch])})[0]
    return voices


@cache
def _session() -> Any:
    """Load the network at its first use: most recordings are not asked for their speakers."""
    path = Path(str(files("emovox") / "runtime" / "ge2e" / NETWORK))
    path = path if path.exists() else models_folder() / NETWORK
    return open_shipped(path, sha256=SHA256, remedy="get it by emovox models fetch ge2e")
