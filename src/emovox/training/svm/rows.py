"""Functionals of every clip, computed once: of tiles as `predict` cuts them, of the whole, of changed copies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.augment.conditions import NARROW, narrow
from emovox.corpora.manifest import Clip
from emovox.features.functionals import functional_names, functionals
from emovox.features.parallel import parallel
from emovox.features.spectrum import Frames
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import CorpusError, EmovoxError
from emovox.schema.progress import Progress, no_progress, tracked
from emovox.schema.text import some
from emovox.training.cache import load_arrays, save_arrays
from emovox.training.data.task import Indices
from emovox.training.data.views import TILE, WHOLE
from emovox.training.held_out import clip_means

_SPEED = "speed "

VERSION = 3
"""Goes up when functionals or tiles change their meaning: caches made before are then not found."""


@dataclass(frozen=True, eq=False)
class Rows:
    """m rows of functionals of n clips.

    `values` [m, p] float32; `owner` [m] index of the clip; `seconds` [m] of speech in the tile (1 for a whole clip);
    `view` [m] which view of the clip it is (see `emovox.training.data.views`).
    """

    values: Frames
    owner: Indices
    seconds: npt.NDArray[np.float64]
    view: npt.NDArray[np.str_]

    def select(self, clips: Sequence[int] | Indices, views: Sequence[str] = (TILE,)) -> Indices:
        """Return the indices of the rows of some clips, of the views named."""
        return np.flatnonzero(np.isin(self.owner, clips) & np.isin(self.view, views))

    def clip_means(self, values: npt.NDArray[np.float64], rows: Indices, n_clips: int) -> npt.NDArray[np.float64]:
        """Average values [len(rows), k] of some rows over each clip, weighted by seconds, as the timeline does.

        Returns:
            [n_clips, k]; NaN for clips that have none of these rows.
        """
        return clip_means(values, self.owner[rows], self.seconds[rows], n_clips)


def clip_rows(path: str, extra: Sequence[str] = ()) -> Rows:
    """Decode a clip, cut it into tiles as `predict` does, and compute the functionals of whole, tiles and their copies.

    The tiles come as they are and through the telephone's band in any case; `extra` names further views.

    Raises:
        AudioError: the clip cannot be decoded.
    """
    samples, rate = load_audio(path)
    tiles = cut_tiles([samples[0]], SegmenterConfig(sample_rate=rate))
    values, seconds, views = [functionals(samples[0])], [1.0], [WHOLE]
    for view in computed(extra):
        for tile in tiles:
            values.append(functionals(change(tile.samples, rate, view)))
            seconds.append((tile.end - tile.start) / rate)
            views.append(view)
    return Rows(np.stack(values), np.zeros(len(views), np.int64), np.array(seconds), np.array(views))


def corpus_rows(
    clips: Sequence[Clip],
    *,
    cache: Path,
    extra: Sequence[str] = (),
    workers: int = 2,
    progress: Progress = no_progress,
) -> Rows:
    """Compute the functionals of clips, or find them in the cache.

    Args:
        clips: any corpora; each has a cache file of its own, keyed by names, sizes and dates of its recordings.
        cache: the cache folder.
        extra: views beyond those that every clip has (see `clip_rows`).
        workers: processes; 1 runs in this one.
        progress: called after each clip of a corpus.

    Returns:
        The rows, `owner` counting in the order of `clips`.

    Raises:
        CorpusError: clips that cannot be decoded; names them.
    """
    parts = []
    for corpus in dict.fromkeys(clip.corpus for clip in clips):
        indices = np.array([i for i, clip in enumerate(clips) if clip.corpus == corpus])
        paths = [clips[i].path for i in indices]
        path = cache / "functionals" / f"{corpus}-{_key(paths, extra)}.npz"
        if not path.is_file():
            found = _join(list(tracked(_compute(paths, extra, workers), progress, total=len(paths))))
            save_arrays(path, values=found.values, owner=found.owner, seconds=found.seconds, view=found.view)
        arrays = load_arrays(path)
        parts.append(Rows(arrays["values"], indices[arrays["owner"]], arrays["seconds"], arrays["view"]))
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__dataclass_fields__))


def _join(rows: Sequence[Rows]) -> Rows:
    owner = np.repeat(np.arange(len(rows)), [len(row.owner) for row in rows])
    values = np.concatenate([row.values for row in rows])
    return Rows(
        values, owner, np.concatenate([row.seconds for row in rows]), np.concatenate([row.view for row in rows])
    )


def _compute(paths: Sequence[str], extra: Sequence[str], workers: int) -> Iterator[Rows]:
    problems: list[str] = []
    work = partial(_rows_or_problem, extra=tuple(extra))
    if workers <= 1:
        yield from _good(map(work, paths), problems)
    else:
        yield from _good(parallel(work, paths, workers), problems)
    if problems:
        raise CorpusError(
            f"{len(problems)} of {len(paths)} clips cannot be used: {some(problems)}; "
            "repair them, or leave them out of the manifest"
        )


def _good(answers: Iterable[Rows | str], problems: list[str]) -> Iterator[Rows]:
    for answer in answers:
        if isinstance(answer, str):
            problems.append(answer)
        else:
            yield answer


def _rows_or_problem(path: str, *, extra: tuple[str, ...]) -> Rows | str:
    try:
        return clip_rows(path, extra)
    except EmovoxError as error:
        return f"{path}: {error}"


def _key(paths: Sequence[str], extra: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{VERSION} {SegmenterConfig()} {computed(extra)} {','.join(functional_names())}".encode())
    for path in paths:
        state = os.stat(path)
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def speed_view(factor: float) -> str:
    """Name the view of a tile that is played `factor` times as fast.

    >>> speed_view(0.93)
    'speed 0.93'
    """
    return f"{_SPEED}{factor:g}"


def change(samples: Samples, rate: int, view: str) -> Samples:
    """Turn a tile [n] into one of its views, [m] at the same rate in Hz: `TILE`, `NARROW` or a `speed_view`."""
    if view == TILE:
        return samples
    if view == NARROW:
        return narrow(samples, rate, np.random.default_rng(0))
    return np.asarray(soxr.resample(samples, rate, rate / float(view.removeprefix(_SPEED))), np.float32)


def computed(extra: Sequence[str]) -> tuple[str, ...]:
    """Return the views of tiles that are computed: the tile, the telephone's (for every report), and the copies."""
    return tuple(dict.fromkeys((TILE, NARROW, *(view for view in extra if view != WHOLE))))
