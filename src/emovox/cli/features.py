"""`emovox features`: from recordings to one table of acoustic features."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache, partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from emovox.audio.files import audio_files
from emovox.cli.console import Bar, InputFiles, RawOption, TrackOption, complain
from emovox.schema.errors import EmovoxError
from emovox.schema.extras import require
from emovox.schema.result import Failure, Notice

if TYPE_CHECKING:
    from emovox.audio.types import Reading, Samples
    from emovox.features.table import Extract, FeatureTable
    from emovox.runtime.predictor import Predictor

T = TypeVar("T")

SAMPLE_RATE = 16000
"""Hz at which frames and functionals are computed."""

FILES_A_WORKER = 16
"""Recordings per process, at least. The start of a process costs a second, a recording of 3 s about 20 ms."""


class FeatureSet(StrEnum):
    """What to compute: features of each frame, their functionals, or the embedding of a model."""

    FRAMES = "frames"
    FUNCTIONALS = "functionals"
    EMBEDDING = "embedding"


def features(
    files: Annotated[list[Path], typer.Argument(help="Recordings, or directories of recordings.")],
    output: Annotated[Path, typer.Option(help="The .csv or .npz file to write.")],
    set: Annotated[
        FeatureSet, typer.Option(help="One row per frame, or one row per recording (functionals, embedding).")
    ] = FeatureSet.FRAMES,
    model: Annotated[
        str | None, typer.Option(help="Model of --set embedding: a shipped name, or path of a NAME.onnx.")
    ] = None,
    track: TrackOption = None,
    raw: RawOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes. Default: one per 16 recordings, at most one per core."),
    ] = None,
) -> None:
    """Write acoustic features of recordings as a table.

    docs/features.md describes the columns. A recording that cannot be read is listed on standard error, the others are
    still analysed, and the exit status is 1.
    """
    if output.suffix.lower() not in (".csv", ".npz"):
        raise typer.BadParameter(f"got '{output}', expected a name that ends in .csv or .npz", param_hint="--output")
    if model is not None and set is not FeatureSet.EMBEDDING:
        raise typer.BadParameter(f"--set {set} uses no model; it goes with --set embedding", param_hint="--model")
    from emovox.cli.choices import reading_choice

    reading = reading_choice(track, raw)
    extract, rate = _extractor(set, model)
    paths, failures = _expand(files)
    InputFiles(paths).spare(output)
    workers = workers or min(os.cpu_count() or 1, ceil(len(paths) / FILES_A_WORKER)) or 1
    written = _write(
        paths, output, extract=extract, sample_rate=rate, reading=reading, workers=workers, failures=failures
    )
    for failure in failures:
        message = failure.error.message
        complain(f"error: {message if failure.file in message else f'{failure.file}: {message}'}")
    if written:
        complain(f"{output}: {written} of {written + len(failures)} recordings")
    if failures:
        raise typer.Exit(1)


def embedding(samples: Samples, model: str | None) -> FeatureTable:
    """Compute the embedding of a recording, the input of the model's last layer, as a table with one row.

    A recording that is too long for the model is cut into equal pieces. The result is the mean of their embeddings.

    Args:
        samples: [n] float32 at the model's sample rate.
        model: shipped name or path; None for the default model.

    Raises:
        ModelError: the recording is too short for the model.
    """
    import numpy as np

    from emovox.features.table import FeatureTable

    predictor = _load(model)
    longest = int(predictor.card.longest * predictor.card.sample_rate)
    pieces = np.array_split(samples, max(1, ceil(samples.size / longest)))
    values = np.mean([predictor.model.run(piece[None]).embedding for piece in pieces], axis=0)
    return FeatureTable(tuple(f"embedding_{i}" for i in range(values.shape[1])), values)


def _extractor(set: FeatureSet, model: str | None) -> tuple[Extract, int]:
    if set is FeatureSet.EMBEDDING:
        # loaded here first, so that an unknown model is one error and not one per recording
        return partial(embedding, model=model), _load(model).card.sample_rate
    for module in ("scipy", "numba"):
        require(module, need=f"emovox features --set {set}", extra="features")
    from emovox.features.table import frame_table, functional_table

    return (frame_table if set is FeatureSet.FRAMES else functional_table), SAMPLE_RATE


@lru_cache(maxsize=1)
def _load(model: str | None) -> Predictor:
    from emovox.runtime.predictor import load

    return load(model)


def _expand(files: Iterable[Path]) -> tuple[list[Path], list[Failure]]:
    paths: list[Path] = []
    failures: list[Failure] = []
    for file in files:
        try:
            paths += audio_files(file)
        except EmovoxError as error:
            failures.append(Failure(str(file), Notice(error.code, str(error))))
    return paths, failures


def _write(
    paths: list[Path],
    output: Path,
    *,
    extract: Extract,
    sample_rate: int,
    reading: Reading,
    workers: int,
    failures: list[Failure],
) -> int:
    from emovox.features.table import csv_rows, extract_tables, named, write_csv, write_npz

    tables = partial(extract_tables, paths, extract, sample_rate=sample_rate, reading=reading, workers=workers)
    with Bar(len(paths)) as bar:
        if output.suffix.lower() == ".csv":
            return write_csv(_good(tables(csv_rows), failures, bar), output)
        return write_npz(_good(tables(named), failures, bar), output)


def _good(results: Iterable[T | Failure], failures: list[Failure], bar: Bar) -> Iterator[T]:
    """Yield the results, and append the failures to `failures`."""
    for number, result in enumerate(results, start=1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            yield result
        bar.update(number, f"{number} recordings")
