"""What an encoder's fixed half gives for every view of every clip: computed once, kept on disk, read when drawn.

One pair of files for each corpus and part: the views that every clip has (tiles, whole, telephone's band), and each
round of changed copies. A part is named by all that it follows from, the bytes of the recordings included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from emovox.corpora.manifest import Clip
from emovox.features.parallel import parallel
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.runtime.segmenter import SegmenterConfig
from emovox.schema.errors import CorpusError
from emovox.schema.files import replacing
from emovox.schema.progress import Progress, tracked, unseen
from emovox.schema.text import some
from emovox.training.augment.config import Augment
from emovox.training.augment.sources import load_sources
from emovox.training.cache import load_arrays, save_arrays
from emovox.training.network.batch import pad
from emovox.training.network.clip_views import Frames, Part, View, views_or_problem
from emovox.training.task import Indices
from emovox.training.views import TILE

VERSION = 1
"""Goes up when tiles, views or copies change their meaning: caches made before are then not found."""

FRAMES, INDEX = ".frames", ".npz"
"""Suffixes of the two files of a part: float16 values row by row, and where each row is."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """m rows, each a view of a clip.

    `owner` [m] number of the clip; `seconds` [m]; `view` [m] name; `file` [m] which of `stores` holds the row, `start`
    and `length` [m] its frames there; `stores` [frames, c] arrays on disk.
    """

    owner: Indices
    seconds: npt.NDArray[np.float64]
    view: npt.NDArray[np.str_]
    file: Indices
    start: Indices
    length: Indices
    stores: tuple[Frames, ...]

    def select(self, clips: Sequence[int] | Indices, views: Sequence[str] = (TILE,)) -> Indices:
        """Return the numbers of the rows of some clips, of the views named."""
        return np.flatnonzero(np.isin(self.owner, clips) & np.isin(self.view, views))

    def values(self, row: int) -> npt.NDArray[np.float32]:
        """Return the inputs [t, c] of a row."""
        start = self.start[row]
        stored = self.stores[self.file[row]][start : start + self.length[row]]
        found: npt.NDArray[np.float32] = stored.astype(np.float32)
        return found

    def padded(self, rows: Indices) -> tuple[Tensor, Tensor]:
        """Return inputs [b, t, c], padded with 0, and mask [b, t] of some rows."""
        return pad([self.values(row) for row in rows])


def make_inputs(
    clips: Sequence[Clip],
    encoder: EncoderConfig,
    *,
    copies: dict[str, int],
    augment: Augment,
    seed: int,
    folder: Path,
    workers: int = 2,
    progress: Progress = unseen,
) -> Inputs:
    """Compute the fixed half of an encoder for all views of clips, or find it in the cache.

    Args:
        clips: any corpora.
        encoder: whose `inputs` are wanted.
        copies: corpus → number of changed copies of its tiles; corpora that are not named have none.
        augment: how copies are changed.
        seed: draws the changes.
        folder: the cache folder; parts lie in `inputs` below it.
        workers: processes; 1 runs in this one.
        progress: called after each clip of a part.

    Returns:
        The rows, `owner` counting in the order of `clips`.

    Raises:
        CorpusError: clips that cannot be decoded; names them.
    """
    key = build_encoder(encoder).inputs_key
    columns: list[tuple[npt.NDArray[Any], ...]] = []
    stores: list[Frames] = []
    for corpus in dict.fromkeys(clip.corpus for clip in clips):
        indices = np.array([i for i, clip in enumerate(clips) if clip.corpus == corpus])
        paths = [clips[i].path for i in indices]
        content = _content(paths)
        for number in range(copies.get(corpus, 0) + 1):
            part = Part(copy=number, seed=seed, augment=augment) if number else Part()
            name = hashlib.sha256(f"{VERSION} {key} {SegmenterConfig()} {_part_key(part)} {content}".encode())
            stem = folder / "inputs" / f"{corpus}-{number}-{name.hexdigest()[:16]}"
            if not stem.with_suffix(INDEX).is_file():
                work = partial(views_or_problem, encoder=encoder, part=part)
                _write(stem, _good(tracked(_run(work, paths, workers), progress, total=len(paths)), len(paths)))
            index, store = _read(stem)
            file = np.full(len(index["owner"]), len(stores))
            own = (indices[index["owner"]], *(index[name] for name in ("seconds", "view")), file)
            columns.append((*own, index["start"], index["length"]))
            stores.append(store)
    owner, seconds, view, file, start, length = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Inputs(owner, seconds, view, file, start, length, tuple(stores))


def _part_key(part: Part) -> str:
    sources = load_sources(part.augment).fingerprint if part.copy else ""
    return f"{msgspec.json.encode(part).decode()} {sources}"


def _content(paths: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{Path(path).name} ".encode())
        digest.update(hashlib.blake2b(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def _run(work: partial[list[View] | str], paths: Sequence[str], workers: int) -> Iterator[list[View] | str]:
    return map(work, paths) if workers <= 1 else parallel(work, paths, workers)


def _good(answers: Iterable[list[View] | str], total: int) -> Iterator[list[View]]:
    problems = []
    for answer in answers:
        if isinstance(answer, str):
            problems.append(answer)
        elif not problems:
            yield answer
    if problems:
        raise CorpusError(
            f"{len(problems)} of {total} clips cannot be used: {some(problems)}; "
            "repair them, or leave them out of the manifest"
        )


def _write(stem: Path, clips: Iterable[list[View]]) -> None:
    """Write frames as they come, then what says where they are: a part without the latter is not there."""
    found: list[tuple[int, str, float, int]] = []
    width = 0
    with replacing(stem.with_suffix(FRAMES), make_folder=True) as file:
        for owner, views in enumerate(clips):
            for view in views:
                file.write(np.ascontiguousarray(view.values, "<f2").tobytes())
                found.append((owner, view.name, view.seconds, len(view.values)))
                width = view.values.shape[1]
    owners, names, seconds, lengths = (np.array(column) for column in zip(*found, strict=True))
    start = np.cumsum(lengths) - lengths
    index = {"owner": owners, "view": names, "seconds": seconds, "start": start, "length": lengths}
    save_arrays(stem.with_suffix(INDEX), **index, width=np.array(width))


def _read(stem: Path) -> tuple[dict[str, Any], Frames]:
    index = load_arrays(stem.with_suffix(INDEX))
    return index, np.memmap(stem.with_suffix(FRAMES), "<f2", mode="r").reshape(-1, int(index["width"]))
