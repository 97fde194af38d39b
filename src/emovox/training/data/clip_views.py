"""The views of a clip as an encoder's fixed half gives them: tiles, the whole, the telephone's band, changed copies."""

from __future__ import annotations

import hashlib
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.augment.augment import Augmenter
from emovox.augment.config import Augment
from emovox.augment.sources import load_sources
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.network import Encoder
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import EmovoxError
from emovox.training.data.views import NARROW, TILE, WHOLE, change

COPY = "copy "
"""A changed copy of a tile is called by this and its number, from 1."""

LONGEST, SHORTEST = 30.0, 0.3
"""Seconds: longer clips are cut where they are taken in one piece, shorter ones filled up with silence."""

Frames = npt.NDArray[np.float16]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Views of the clips of a corpus: round `copy` of changed copies, drawn by `seed`; or 0, the views of all clips."""

    copy: int = 0
    seed: int = 0
    augment: Augment = Augment()


class View(NamedTuple):
    """One view of a clip: its name, seconds of speech in it (1 for a whole clip), and the inputs [t, c]."""

    name: str
    seconds: float
    values: Frames


def copy_view(number: int) -> str:
    """Name a changed copy.

    >>> copy_view(2)
    'copy 2'
    """
    return f"{COPY}{number}"


def clip_views(path: str, encoder: Encoder, part: Part, augmenter: Augmenter | None) -> list[View]:
    """Decode a clip, cut it into tiles as `predict` does, and compute the inputs of the views of a part.

    Raises:
        AudioError: the clip cannot be decoded.
    """
    audio, rate = load_audio(path)
    samples = audio[0]
    tiles = cut_tiles([samples], SegmenterConfig(sample_rate=rate))
    seconds = [(tile.end - tile.start) / rate for tile in tiles]
    if augmenter is not None:
        rng = np.random.default_rng([part.seed, part.copy, *hashlib.sha256(Path(path).name.encode()).digest()[:8]])
        copies = [augmenter(tile.samples, rng) for tile in tiles]
        return [
            _view(copy_view(part.copy), length, copy, encoder) for length, copy in zip(seconds, copies, strict=True)
        ]
    found = [_view(WHOLE, 1.0, samples[: round(LONGEST * rate)], encoder)]
    for name in (TILE, NARROW):
        found += [
            _view(name, length, change(tile.samples, rate, name), encoder)
            for length, tile in zip(seconds, tiles, strict=True)
        ]
    return found


def _view(name: str, seconds: float, samples: Samples, encoder: Encoder) -> View:
    missing = round(SHORTEST * SegmenterConfig().sample_rate) - len(samples)
    filled = np.pad(samples, (0, max(0, missing)))
    with torch.inference_mode():
        values = encoder.inputs(torch.from_numpy(np.ascontiguousarray(filled, np.float32))[None])[0]
    return View(name, seconds, values.numpy().astype(np.float16))


def views_or_problem(path: str, *, encoder: EncoderConfig, part: Part) -> list[View] | str:
    """Return the views of a clip, or what is wrong with it; encoder and noises are built once a process."""
    try:
        return clip_views(path, _built(msgspec.json.encode(encoder)), part, _augmenter(part) if part.copy else None)
    except EmovoxError as error:
        return f"{path}: {error}"


def forget() -> None:
    """Build encoders and noises anew: the files that they are made from may have changed."""
    _built.cache_clear()
    _made_augmenter.cache_clear()


@cache
def _built(config: bytes) -> Encoder:
    if parent_process() is not None:
        torch.set_num_threads(1)  # one process a core: more threads than cores make everything slower
    return build_encoder(msgspec.json.decode(config, type=EncoderConfig)).eval()


def _augmenter(part: Part) -> Augmenter:
    return _made_augmenter(msgspec.json.encode(part.augment))


@cache
def _made_augmenter(config: bytes) -> Augmenter:
    augment = msgspec.json.decode(config, type=Augment)
    return Augmenter(augment, load_sources(augment))
