"""Outputs of an encoder's frozen half for each view of each clip: computed once, kept on disk, read when drawn.

Each corpus and part has a pair of files. Parts are the views of all clips (tiles, whole, 8 kHz), each further test
condition, and each round of changed copies. The name of a part is a hash of all that it depends on, including the
bytes of the recordings.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from emovox.augment.conditions import NARROW, fingerprint
from emovox.augment.config import Augment, rounds
from emovox.augment.sources import load_sources
from emovox.corpora.manifest import Clip
from emovox.features.parallel import parallel
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.scores import Matrix
from emovox.runtime.segmenter import SegmenterConfig
from emovox.runtime.vad import VAD_VERSION
from emovox.schema.errors import CorpusError
from emovox.schema.files import replacing
from emovox.schema.progress import Progress, no_progress, tracked
from emovox.schema.text import some
from emovox.training.cache import file_crc32, load_arrays, save_arrays
from emovox.training.data.examples import Load, pad
from emovox.training.data.task import Indices
from emovox.training.data.views import COPY, TILE, WHOLE, Changed, Frames, Part, View, forget, views_or_problem
from emovox.training.held_out import clip_means
from emovox.training.recipe import without_defaults

VERSION = 1
"""Version of tiles, views and copies; it rises when they change, and older caches are then not used."""

FRAMES, INDEX = ".frames", ".npz"
"""Suffixes of the two files of a part: values row by row in the encoder's `inputs_dtype`; the place of each row."""

_NO_NAME, _LONGEST_NAME = re.compile(r"[^\w.-]+"), 80
"""What a file name must not have of the names in the data, and letters of it, at most; the hash tells parts apart."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """m rows of inputs, each of them a view of a clip.

    Attributes:
        owner: [m] number of the clip.
        seconds: [m] of speech.
        view: [m] name of the view.
        file: [m] number of the store that has the row.
        start, length: [m] first frame and number of frames in that store.
        stores: [frames, c] arrays on disk.
    """

    owner: Indices
    seconds: npt.NDArray[np.float64]
    view: npt.NDArray[np.str_]
    file: Indices
    start: Indices
    length: Indices
    stores: tuple[Frames, ...]

    def select(self, clips: Sequence[int] | Indices, views: Sequence[str] = (TILE,)) -> Indices:
        """Return the numbers of the rows of these clips and views."""
        return np.flatnonzero(np.isin(self.owner, clips) & np.isin(self.view, views))

    def learnt(self, clips: Indices, *, whole: Indices, narrow: Indices) -> Indices:
        """Return the training rows: tiles and copies of `clips`, whole clips of `whole`, narrow tiles of `narrow`."""
        copies = [name for name in np.unique(self.view) if name.startswith(COPY)]
        parts = (self.select(clips, [TILE, *copies]), self.select(whole, [WHOLE]), self.select(narrow, [NARROW]))
        return np.sort(np.concatenate(parts))

    def clip_means(self, values: Matrix, rows: Indices, clips: Indices) -> Matrix:
        """Average values [len(rows), k] of rows over each of these clips [n], weighted by seconds as in the timeline.

        Returns:
            [n, k]; NaN for clips without a row.
        """
        total = 1 + int(max(clips.max(), self.owner.max()))
        means: Matrix = clip_means(values, self.owner[rows], self.seconds[rows], total)[clips]
        return means

    def values(self, row: int) -> npt.NDArray[np.float32]:
        """Return the inputs [t, c] of a row."""
        start = self.start[row]
        stored = self.stores[self.file[row]][start : start + self.length[row]]
        found: npt.NDArray[np.float32] = stored.astype(np.float32)
        return found

    def loader(self, rows: Indices) -> Load:
        """Return a loader of these rows, which it numbers from 0."""
        return lambda chosen: self.padded(rows[chosen])

    def padded(self, rows: Indices) -> tuple[Tensor, Tensor]:
        """Return inputs [b, t, c], padded with 0, and mask [b, t] of these rows."""
        return pad([self.values(row) for row in rows])


class InputsRecipe(Protocol):
    """The keys of a recipe that inputs depend on."""

    @property
    def encoder(self) -> EncoderConfig:
        """Return the encoder that computes the inputs."""

    @property
    def copies(self) -> dict[str, int]:
        """Return the number of changed copies by corpus."""

    @property
    def augment(self) -> Augment | tuple[Augment, ...]:
        """Return how copies are changed: by one table in all rounds, or by several tables in turn."""

    @property
    def seed(self) -> int:
        """Return the seed of the changes."""


def recipe_inputs(
    clips: Sequence[Clip],
    recipe: InputsRecipe,
    *,
    folder: Path,
    conditions: Sequence[str] = (),
    workers: int = 2,
    progress: Progress = no_progress,
) -> Inputs:
    """Return the inputs of a recipe and of further test conditions; see `make_inputs`."""
    return make_inputs(
        clips,
        recipe.encoder,
        copies=recipe.copies,
        augment=recipe.augment,
        seed=recipe.seed,
        conditions=conditions,
        folder=folder,
        workers=workers,
        progress=progress,
    )


def make_inputs(
    clips: Sequence[Clip],
    encoder: EncoderConfig,
    *,
    copies: dict[str, int],
    augment: Augment | tuple[Augment, ...],
    seed: int,
    folder: Path,
    conditions: Sequence[str] = (),
    workers: int = 2,
    progress: Progress = no_progress,
) -> Inputs:
    """Compute the outputs of an encoder's frozen half for all views of clips, or read them from the cache.

    Args:
        clips: any corpora.
        encoder: computes the inputs.
        copies: corpus → number of changed copies of its tiles; 0 for corpora that are not named.
        augment: how copies are changed; rounds of copies take several tables in turn.
        seed: of the changes.
        folder: the cache folder; the files are in its folder `inputs`.
        conditions: names of further test conditions; tiles, whole clips and "narrow" are always computed.
        workers: number of processes; 1: no further process.
        progress: called after each clip of a part that is not in the cache.

    Returns:
        The rows; `owner` counts in the order of `clips`.

    Raises:
        CorpusError: clips that cannot be read or decoded; names them.
        ConfigError: the cache cannot be written, or `augment` does not fit its sources.
    """
    built = build_encoder(encoder)
    noises = {name: fingerprint(name) for name in conditions if name != NARROW}
    tables = rounds(augment) if any(copies.get(clip.corpus) for clip in clips) else ()
    sources = [load_sources(table).fingerprint for table in tables]
    jobs = []
    for corpus in dict.fromkeys(clip.corpus for clip in clips):
        members = np.array([i for i, clip in enumerate(clips) if clip.corpus == corpus])
        paths = tuple(clips[i].path for i in members)
        content = _content(paths)
        parts: dict[str, tuple[Part | Changed, str]] = {"0": (Part(), "")}
        for number in range(1, copies.get(corpus, 0) + 1):
            turn = (number - 1) % len(tables)
            parts[str(number)] = Part(copy=number, seed=seed, augment=tables[turn]), sources[turn]
        parts |= {name: (Changed(condition=name), found) for name, found in noises.items()}
        for label, (part, source) in parts.items():
            settings = f"{SegmenterConfig()} {msgspec.json.encode(without_defaults(part)).decode()} {source}"
            key = f"{VERSION} {VAD_VERSION} {built.inputs_key} {settings} {content}"
            name = _NO_NAME.sub("-", f"{corpus}-{label}")[:_LONGEST_NAME].lstrip(".")
            stem = folder / "inputs" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
            jobs.append(_Job(members, paths, part, stem))
    missing = [job for job in jobs if not job.is_done(built.inputs_dtype)]
    forget()
    done, total = 0, sum(len(job.paths) for job in missing)
    for job in missing:
        work = partial(views_or_problem, encoder=encoder, part=job.part)
        answers = tracked(_run(work, job.paths, workers), _later(progress, done, total), total=len(job.paths))
        _write(job, _good(answers, len(job.paths)))
        done += len(job.paths)
    return _gathered(jobs, built.inputs_dtype)


@dataclass(frozen=True, eq=False)
class _Job:
    """A part of a corpus: numbers and paths of the clips, and the path of its two files without their suffix."""

    clips: Indices
    paths: tuple[str, ...]
    part: Part | Changed
    stem: Path

    @property
    def frames(self) -> Path:
        """Return the path of the values."""
        return self.stem.with_name(self.stem.name + FRAMES)

    @property
    def index(self) -> Path:
        """Return the path of the places of the rows."""
        return self.stem.with_name(self.stem.name + INDEX)

    def is_done(self, dtype: np.dtype[np.floating]) -> bool:
        """Return whether both files are there and whole; a damaged part is computed again."""
        try:
            part = load_arrays(self.index)
            size = int(part["length"].sum()) * int(part["width"]) * dtype.itemsize
            rows = {len(part[name]) for name in ("owner", "view", "seconds", "start", "length")}
            whole = len(rows) == 1 and size == self.frames.stat().st_size
            return whole and ("crc32" not in part or int(part["crc32"]) == file_crc32(self.frames))
        except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, BadZipFile, zlib.error):
            return False


def _content(paths: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{Path(path).name} ".encode())
        digest.update(hashlib.blake2b(_bytes(path)).digest())
    return digest.hexdigest()


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); index the corpus again") from error


def _later(progress: Progress, before: int, total: int) -> Progress:
    """Return a progress that counts the clips of all missing parts, not of one."""
    return lambda done, _: progress(before + done, total)


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


def _write(job: _Job, clips: Iterable[list[View]]) -> None:
    """Write frames as they come, then the index; a part without an index counts as missing."""
    found: list[tuple[int, str, float, int]] = []
    width = crc = 0
    with replacing(job.frames, make_folder=True) as file:
        for owner, views in enumerate(clips):
            for view in views:
                data = np.ascontiguousarray(view.values).tobytes()
                file.write(data)
                crc = zlib.crc32(data, crc)
                found.append((owner, view.name, view.seconds, len(view.values)))
                width = view.values.shape[1]
    lengths = np.array([length for *_, length in found], np.int64)
    save_arrays(
        job.index,
        owner=np.array([owner for owner, *_ in found], np.int64),
        view=np.array([name for _, name, *_ in found], np.str_),
        seconds=np.array([seconds for *_, seconds, _ in found], np.float64),
        start=np.cumsum(lengths) - lengths,
        length=lengths,
        width=np.array(width),
        crc32=np.array(crc, np.int64),
    )


def _gathered(jobs: Sequence[_Job], dtype: np.dtype[np.floating]) -> Inputs:
    parts = [(number, job.clips, load_arrays(job.index)) for number, job in enumerate(jobs)]
    columns = {
        name: np.concatenate([part[name] for *_, part in parts]) for name in ("seconds", "view", "start", "length")
    }
    return Inputs(
        owner=np.concatenate([clips[part["owner"]] for _, clips, part in parts]),
        file=np.concatenate([np.full(len(part["owner"]), number) for number, _, part in parts]),
        stores=tuple(
            _store(job.frames, int(part["width"]), dtype) for job, (*_, part) in zip(jobs, parts, strict=True)
        ),
        **columns,
    )


def _store(frames: Path, width: int, dtype: np.dtype[np.floating]) -> Frames:
    if not width:  # a corpus in which no speech was found has no copies
        return np.zeros((0, 0), dtype)
    store: Frames = np.memmap(frames, dtype, mode="r").reshape(-1, width)
    return store
