"""The sound that a quantisation is calibrated on: tiles, cut as `predict` cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emovox.audio.files import audio_files
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.corpora.load import MANIFEST_SUFFIX, TABLE_SUFFIXES, load_clips
from emovox.corpora.registry import CORPORA
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.card import ModelCard
from emovox.schema.errors import CompressionError, EmovoxError

CLIPS = 60
"""Number of recordings, at most. 60 give the same ranges as 200 to within the rounding of the scores."""

LEAST = 8
"""Tiles, at least: the ranges of fewer are those of a few voices."""


def calibration_paths(source: str, *, clips: int = CLIPS, seed: int = 0) -> list[Path]:
    """Return the recordings of a folder, manifest, table or published corpus, drawn without repetition.

    Args:
        source: a folder of recordings (labels are not needed), a manifest (.jsonl), a table (.csv, .tsv), or the name
            of a published corpus.
        clips: number of recordings, at most.
        seed: of the draw.

    Raises:
        CompressionError: there is no such folder or file, or it has no recordings.
        CorpusError: a manifest, table or corpus cannot be read.
    """
    if source in CORPORA or source.lower().endswith((MANIFEST_SUFFIX, *TABLE_SUFFIXES)):
        paths = [Path(clip.path) for clip in load_clips([source])]
    else:
        paths = _folder(source)
    chosen = np.random.default_rng(seed).permutation(len(paths))[:clips]
    return [paths[i] for i in sorted(chosen.tolist())]


def _folder(source: str) -> list[Path]:
    try:
        return audio_files(source)
    except EmovoxError as error:
        raise CompressionError(
            f"calibration data: {error}; give a folder of recordings, a manifest (.jsonl), a table (.csv) or the name "
            f"of a corpus ({', '.join(CORPORA)})"
        ) from error


def calibration_tiles(paths: Sequence[Path], card: ModelCard, *, least: int = LEAST) -> list[Samples]:
    """Return the tiles [n] float32 of recordings, in the model's rate and lengths.

    Raises:
        CompressionError: the recordings hold fewer than `least` tiles of speech.
        AudioError: a recording cannot be decoded.
    """
    config = SegmenterConfig(sample_rate=card.sample_rate, window=card.window, shortest=card.shortest)
    tiles = []
    for path in paths:
        audio, _ = load_audio(path, sample_rate=card.sample_rate)
        tiles += [tile.samples for tile in cut_tiles([audio.mean(0)], config)]
    shortest = round(card.shortest * card.sample_rate)
    usable = [np.ascontiguousarray(tile, np.float32) for tile in tiles if len(tile) >= shortest]
    if len(usable) < least:
        raise CompressionError(
            f"calibration data: got {len(usable)} tiles of speech in {len(paths)} recordings, expected at least "
            f"{least} (a tile is about {card.window:g} s); give more recordings"
        )
    return usable
