"""The folder of work that can be computed again: `$EMOVOX_CACHE`, or ~/.cache/emovox."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emovox.schema.files import replacing

_BLOCK = 2**22
"""Bytes that are read at a time."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of caches, run folders and checkpoints; it may not exist yet.

    >>> cache_folder({"EMOVOX_CACHE": "/tmp/emovox"}).as_posix()
    '/tmp/emovox'
    """
    named = environ.get("EMOVOX_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "emovox"


def file_crc32(path: Path) -> int:
    """Return the CRC-32 of a file's content."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc


def save_arrays(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    """Write an .npz file as a whole: a reader never sees a part of it. The folder is made if it is missing.

    Raises:
        ConfigError: the file cannot be written.
    """
    with replacing(path, make_folder=True) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_arrays(path: Path) -> dict[str, Any]:
    """Return all arrays of an .npz file by name; pickled objects are refused."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
