"""The views of a clip, computed by an encoder's frozen half: tiles, whole clip, test conditions, changed copies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
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
from emovox.augment.conditions import CHANGES, NARROW
from emovox.augment.config import Augment
from emovox.augment.sources import load_sources
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.network import Encoder
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import EmovoxError

TILE = "tile"
"""View: a tile as `predict` cuts it."""

WHOLE = "whole"
"""View: the whole clip."""

SPEAKER = "speaker-norm"
"""Condition of figures: tiles normalised by the statistics of the speaker. It has no inputs of its own."""

COPY = "copy "
"""Prefix of the name of a changed copy of a tile; its number follows, from 1."""

LONGEST, SHORTEST = 30.0, 0.3
"""Length of a view in seconds: longer whole clips are cut, shorter views are padded with silence."""

Frames = npt.NDArray[np.floating]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Views of the clips of a corpus: round `copy` of changed copies, drawn with `seed`; 0: the views of all clips."""

    copy: int = 0
    seed: int = 0
    augment: Augment = Augment()


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Views of the clips of a corpus: tiles under a further test condition."""

    condition: str


class View(NamedTuple):
    """One view of a clip: its name, its seconds of speech (1 for a whole clip), and the inputs [t, c]."""

    name: str
    seconds: float
    values: Frames


def scored_views(conditions: Sequence[str]) -> tuple[str, ...]:
    """Return the views that test clips are scored from: tiles, whole clips, narrow tiles, further test conditions."""
    return tuple(dict.fromkeys((TILE, WHOLE, NARROW, *conditions)))


def copy_view(number: int) -> str:
    """Return the name of a changed copy.

    >>> copy_view(2)
    'copy 2'
    """
    return f"{COPY}{number}"


def clip_views(path: str, encoder: Encoder, part: Part | Changed) -> list[View]:
    """Return the views of a clip that belong to a part, from tiles as `predict` cuts them.

    Raises:
        AudioError: the clip cannot be decoded.
    """
    audio, rate = load_audio(path)
    samples, name = audio[0], Path(path).name
    if isinstance(part, Changed):
        samples = CHANGES[part.condition](samples, rate, _generator(f"{part.condition} {name}"))
    tiles = cut_tiles([samples], SegmenterConfig(sample_rate=rate))
    seconds = [(tile.end - tile.start) / rate for tile in tiles]

    def views(view: str, change: Callable[[Samples], Samples]) -> list[View]:
        """Return a view of each tile, after a change."""
        return [_view(view, length, change(tile.samples), encoder) for length, tile in zip(seconds, tiles, strict=True)]

    if isinstance(part, Changed):
        return views(part.condition, lambda tile: tile)
    if part.copy:
        augmenter, rng = _augmenter(msgspec.json.encode(part.augment)), _generator(name, part.seed, part.copy)
        return views(copy_view(part.copy), lambda tile: augmenter(tile, rng))
    rng = _generator(f"{NARROW} {name}")
    whole = _view(WHOLE, 1.0, samples[: round(LONGEST * rate)], encoder)
    narrow = views(NARROW, lambda tile: CHANGES[NARROW](tile, rate, rng))
    return [whole, *views(TILE, lambda tile: tile), *narrow]


def _generator(name: str, *numbers: int) -> np.random.Generator:
    """Return the generator of one clip; it depends on the file's name, not on its folder."""
    return np.random.default_rng([*numbers, *hashlib.sha256(name.encode()).digest()[:8]])


def _view(name: str, seconds: float, samples: Samples, encoder: Encoder) -> View:
    missing = round(SHORTEST * SegmenterConfig().sample_rate) - len(samples)
    filled = np.pad(samples, (0, max(0, missing)))
    with torch.inference_mode():
        values = encoder.inputs(torch.from_numpy(np.ascontiguousarray(filled, np.float32))[None])[0]
    return View(name, seconds, values.numpy().astype(encoder.inputs_dtype))


def views_or_problem(path: str, *, encoder: EncoderConfig, part: Part | Changed) -> list[View] | str:
    """Return the views of a clip, or an error message; encoder and noises are built once per process."""
    try:
        return clip_views(path, _built(msgspec.json.encode(encoder)), part)
    except EmovoxError as error:
        return f"{path}: {error}"


def forget() -> None:
    """Forget encoders and noises that were built: their files may have changed."""
    _built.cache_clear()
    _augmenter.cache_clear()


@cache
def _built(config: bytes) -> Encoder:
    if parent_process() is not None:
        torch.set_num_threads(1)  # one process per core: more threads than cores are slower
    return build_encoder(msgspec.json.decode(config, type=EncoderConfig)).eval()


@cache
def _augmenter(config: bytes) -> Augmenter:
    augment = msgspec.json.decode(config, type=Augment)
    return Augmenter(augment, load_sources(augment))
