"""Models that are not in the installation: fetched by name from a base address or folder, and checked by SHA-256.

The list `fetch.json` beside this module names the files of each with size and hash. What is fetched lies
in a folder of this user, where `registry` finds it as it finds a shipped model.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec

from emovox.runtime.registry import models_folder
from emovox.schema.errors import ConfigError, FetchError, UnknownModelError
from emovox.schema.files import replacing

BASE = "EMOVOX_MODELS_FROM"
"""Environment variable of the base address or folder."""

TIMEOUT_SECONDS = 30.0
"""Longest wait for an answer, in seconds."""

_BLOCK = 2**18
"""Bytes that are read at a time."""


class FetchFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a model: path below the folder of models, whose last part is its name at the base; bytes; SHA-256."""

    path: str
    bytes: int
    sha256: str


LIST = "fetch.json"
"""Name of the list, beside this module. `python -m publish.fetch` writes it."""


def fetchable() -> dict[str, tuple[FetchFile, ...]]:
    """Return the files of each model that can be fetched, by its name."""
    data = (files("emovox") / "runtime" / LIST).read_bytes()
    return msgspec.json.decode(data, type=dict[str, tuple[FetchFile, ...]])


def fetch(
    name: str, *, base: str | None = None, folder: Path | None = None, done: Callable[[int], None] = lambda _: None
) -> list[Path]:
    """Fetch the files of a model. Those that are there already and have the right hash are kept.

    Args:
        name: of the model.
        base: address (https, http) or folder below which the files lie; None takes `$EMOVOX_MODELS_FROM`.
        folder: where to write; None takes `models_folder()`.
        done: called with the bytes of each block that arrives.

    Returns:
        The paths of its files.

    Raises:
        UnknownModelError: no such model can be fetched. The message lists the names.
        ConfigError: no base is set, or a file cannot be written.
        FetchError: a file is missing there, the base cannot be reached, or a hash is wrong. Nothing is kept of it.
    """
    known = fetchable()
    if name not in known:
        raise UnknownModelError(f"no model '{name}' to fetch, expected one of {', '.join(known)}")
    base = base or os.environ.get(BASE)
    if not base:
        raise ConfigError(
            f"got no place to fetch from, expected --from or {BASE}: an address, or a folder that has the files, "
            "such as the files of a release"
        )
    folder = models_folder() if folder is None else folder
    paths = []
    for file in known[name]:
        path = folder / file.path
        if not _is(path, file):
            _bring(file, base, path, done)
        paths.append(path)
    return paths


def is_here(name: str) -> bool:
    """Return whether a model of the list came with the installation, or was fetched."""
    package = files("emovox")
    return all(
        any(place.is_file() for place in (package / "pretrained" / file.path, package / "runtime" / name / file.path))
        or (models_folder() / file.path).is_file()
        for file in fetchable()[name]
    )


def _is(path: Path, file: FetchFile) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    except OSError:
        return False


def _bring(file: FetchFile, base: str, path: Path, done: Callable[[int], None]) -> None:
    where = f"{base.rstrip('/')}/{Path(file.path).name}"
    digest, size = hashlib.sha256(), 0
    with _opened(where) as source, replacing(path, make_folder=True) as target:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > file.bytes:
                break
            digest.update(block)
            target.write(block)
            done(len(block))
        if size != file.bytes or digest.hexdigest() != file.sha256:
            got = f"more than {file.bytes}" if size > file.bytes else str(size)
            raise FetchError(
                f"{where}: got {got} bytes with sha256 {digest.hexdigest()[:12]}…, expected {file.bytes} bytes with "
                f"{file.sha256[:12]}…; the place has another version of emovox or a damaged file"
            )


@contextmanager
def _opened(where: str) -> Iterator[BinaryIO]:
    """Open a file of a folder or an address for reading."""
    remote = urlsplit(where).scheme in ("http", "https")
    try:
        with urlopen(where, timeout=TIMEOUT_SECONDS) if remote else Path(where).open("rb") as source:
            yield source
    except (URLError, TimeoutError) as error:  # also HTTP errors
        raise FetchError(
            f"{where}: cannot be fetched ({getattr(error, 'reason', error)}); check the address"
        ) from error
    except FileNotFoundError as error:
        raise FetchError(f"{where}: no such file; expected a folder with the files of the model") from error
