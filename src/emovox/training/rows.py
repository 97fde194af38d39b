"""Functionals of every clip, computed once: per tile as `predict` cuts them, and of the whole clip beside."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.audio.reader import load_audio
from emovox.corpora.manifest import Clip
from emovox.features.functionals import functional_names, functionals
from emovox.features.spectrum import Frames
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import CorpusError, EmovoxError
from emovox.training.cache import load_arrays, save_arrays

CHUNK = 16
"""Clips a task of the pool: fewer cost more in messages, more make the progress jump."""

VERSION = 1
"""Goes up when the functionals or the tiles change their meaning: old caches are then not found."""

Track = Callable[[Iterable["ClipRows"]], Iterable["ClipRows"]]


class ClipRows(NamedTuple):
    """Functionals of one clip: tiles [m, p] with their speech seconds [m], and whole [p]."""

    tiles: Frames
    seconds: npt.NDArray[np.float64]
    whole: Frames


@dataclass(frozen=True, eq=False)
class Rows:
    """Functionals of n clips.

    `tiles` [m, p], `owner` [m] index of the clip, `seconds` [m] of speech in the tile; `whole` [n, p].
    """

    tiles: Frames
    owner: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    whole: Frames

    def tiles_of(self, clips: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the indices of all tiles of the clips with these indices."""
        wanted = np.zeros(len(self.whole), dtype=bool)
        wanted[clips] = True
        return np.flatnonzero(wanted[self.owner])

    def clip_means(self, values: npt.NDArray[np.float64], tiles: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Average values [len(tiles), k] of some tiles over each clip, weighted by seconds, as the timeline does.

        Returns:
            [n, k]; NaN for clips that have none of these tiles.
        """
        total = np.zeros((len(self.whole), values.shape[1]))
        weight = np.zeros((len(self.whole), 1))
        np.add.at(total, self.owner[tiles], values * self.seconds[tiles, None])
        np.add.at(weight, self.owner[tiles], self.seconds[tiles, None])
        return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def clip_rows(path: str) -> ClipRows:
    """Decode a clip, cut it into tiles as `predict` does, and compute the functionals of each and of the whole.

    Raises:
        AudioError: the clip cannot be decoded.
    """
    samples, rate = load_audio(path)
    tiles = cut_tiles([samples[0]], SegmenterConfig(sample_rate=rate))
    rows = np.array([functionals(tile.samples) for tile in tiles], np.float32).reshape(-1, len(functional_names()))
    seconds = np.array([(tile.end - tile.start) / rate for tile in tiles])
    return ClipRows(rows, seconds, functionals(samples[0]))


def corpus_rows(clips: Sequence[Clip], *, cache: Path, workers: int = 2, track: Track = iter) -> Rows:
    """Compute the functionals of clips, or find them in the cache.

    Args:
        clips: any corpus; each corpus has a cache file of its own, keyed by names, sizes and dates of the recordings.
        cache: the cache folder.
        workers: processes; 1 runs in this one.
        track: wraps the iteration over clips, to show progress.

    Returns:
        The rows in the order of `clips`.

    Raises:
        CorpusError: clips that cannot be decoded; names them.
    """
    parts: dict[int, ClipRows] = {}
    for corpus in dict.fromkeys(clip.corpus for clip in clips):
        indices = [i for i, clip in enumerate(clips) if clip.corpus == corpus]
        own = [clips[i] for i in indices]
        path = cache / "functionals" / f"{corpus}-{_key(own)}.npz"
        found = _read(path) if path.is_file() else _compute_and_save(own, path, workers, track)
        parts.update(zip(indices, found, strict=True))
    ordered = [parts[i] for i in range(len(clips))]
    return Rows(
        np.concatenate([part.tiles for part in ordered]),
        np.repeat(np.arange(len(ordered)), [len(part.tiles) for part in ordered]),
        np.concatenate([part.seconds for part in ordered]),
        np.stack([part.whole for part in ordered]),
    )


def _compute_and_save(clips: Sequence[Clip], path: Path, workers: int, track: Track) -> list[ClipRows]:
    rows = list(track(_compute([clip.path for clip in clips], workers)))
    save_arrays(
        path,
        tiles=np.concatenate([row.tiles for row in rows]),
        counts=np.array([len(row.tiles) for row in rows]),
        seconds=np.concatenate([row.seconds for row in rows]),
        whole=np.stack([row.whole for row in rows]),
    )
    return rows


def _compute(paths: Sequence[str], workers: int) -> Iterable[ClipRows]:
    problems: list[str] = []
    if workers <= 1:
        answers: Iterable[ClipRows | str] = map(_rows_or_problem, paths)
        yield from _good(answers, problems)
    else:
        # spawned processes inherit no threads, so nothing can be locked in them from the start
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            yield from _good(pool.map(_rows_or_problem, paths, chunksize=CHUNK), problems)
    if problems:
        raise CorpusError(
            f"{len(problems)} of {len(paths)} clips cannot be used: {'; '.join(problems[:5])}; "
            "repair them, or leave them out of the manifest"
        )


def _good(answers: Iterable[ClipRows | str], problems: list[str]) -> Iterable[ClipRows]:
    for answer in answers:
        if isinstance(answer, str):
            problems.append(answer)
        else:
            yield answer


def _rows_or_problem(path: str) -> ClipRows | str:
    try:
        return clip_rows(path)
    except EmovoxError as error:
        return f"{path}: {error}"


def _read(path: Path) -> list[ClipRows]:
    arrays = load_arrays(path)
    ends = np.cumsum(arrays["counts"])
    starts = ends - arrays["counts"]
    return [
        ClipRows(arrays["tiles"][a:b], arrays["seconds"][a:b], whole)
        for a, b, whole in zip(starts, ends, arrays["whole"], strict=True)
    ]


def _key(clips: Sequence[Clip]) -> str:
    digest = hashlib.sha256(f"{VERSION} {SegmenterConfig()} {','.join(functional_names())}".encode())
    for clip in clips:
        state = os.stat(clip.path)
        digest.update(f"{clip.path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
