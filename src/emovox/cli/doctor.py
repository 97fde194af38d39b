"""`emovox doctor`: what is installed, what works here, and what to do about the rest."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from emovox import __version__
from emovox.cli.console import Form, columns, present
from emovox.schema.errors import EmovoxError

PACKAGE = "emovox"

MOST_NAMED = 9
"""Packages of an extra that are listed; of more, only their number is."""

_EXTRA = re.compile(r"""extra == ['"]([\w-]+)['"]""")
_NAME = re.compile(r"[\w.-]+")
_NOT_WINDOWS = "sys_platform != 'win32'"
_PART = re.compile(r"emovox\[([\w,-]+)\]")

_MIRRORS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HF_ENDPOINT", "HF_HUB_OFFLINE", "EMOVOX_MODELS_FROM")
_FOLDERS = ("EMOVOX_CORPORA", "EMOVOX_NOISE", "EMOVOX_WEIGHTS")


class Standing(StrEnum):
    """How a check ended: it works, it is not installed or not set, or it is broken."""

    WORKS = "works"
    ABSENT = "absent"
    BROKEN = "broken"


class Finding(msgspec.Struct, frozen=True):
    """A check: what was looked at, how it ended, what was found, and what to do if it does not work."""

    topic: str
    name: str
    state: Standing
    found: str
    next: str = ""


def doctor(format: Annotated[Form, typer.Option(help="Format of the output.")] = Form.TABLE) -> None:
    """Check this installation: versions, extras, devices, models, folders and mirrors.

    Each model scores the sound that its card names, and must give the scores of the card. Nothing is downloaded.
    Exit status 1: something that is installed is broken.
    """
    checks = [check for look in (_versions, _extras, _devices, _models, _folders, _mirrors) for check in look()]
    text = "\n".join(_table(topic, checks) for topic in dict.fromkeys(check.topic for check in checks))
    broken = [check for check in checks if check.state is Standing.BROKEN]
    end = f"{len(broken)} broken: {', '.join(check.name for check in broken)}" if broken else "nothing is broken"
    present(format, [msgspec.to_builtins(check) for check in checks], f"{text}\n{end}\n")
    if broken:
        raise typer.Exit(1)


def _table(topic: str, checks: list[Finding]) -> str:
    rows = [[f"  {c.name}", c.state, c.found + (f"; {c.next}" if c.next else "")] for c in checks if c.topic == topic]
    return f"{topic}\n{columns(rows)}"


def _versions() -> Iterator[Finding]:
    import platform

    yield Finding("versions", PACKAGE, Standing.WORKS, __version__)
    yield Finding("versions", "python", Standing.WORKS, f"{platform.python_version()}, {platform.platform()}")
    for name in sorted(_required(None)):
        yield _installed("versions", name)


def _installed(topic: str, name: str) -> Finding:
    try:
        return Finding(topic, name, Standing.WORKS, version(name))
    except PackageNotFoundError:
        return Finding(topic, name, Standing.BROKEN, "not installed", f"pip install {name}")


def _required(extra: str | None) -> set[str]:
    """Return the distributions that an extra needs beyond the core, other extras in it included; None: the core's."""
    names: set[str] = set()
    for line in requires(PACKAGE) or ():
        found = _EXTRA.search(line)
        if (found[1] if found else None) != extra or (sys.platform == "win32" and _NOT_WINDOWS in line):
            continue
        if part := _PART.match(line):
            names |= {name for inner in part[1].split(",") for name in _required(inner)}
        elif match := _NAME.match(line):
            names.add(match[0])
    return names


def _extras() -> Iterator[Finding]:
    from importlib.metadata import metadata

    for extra in metadata(PACKAGE).get_all("Provides-Extra") or ():
        missing = sorted(name for name in _required(extra) if not _has(name))
        if missing:
            remedy = f"pip install 'emovox[{extra}]'"
            yield Finding("extras", extra, Standing.ABSENT, f"without {', '.join(missing)}", remedy)
        else:
            names = sorted(_required(extra))
            many = len(names) > MOST_NAMED
            yield Finding("extras", extra, Standing.WORKS, f"{len(names)} packages" if many else ", ".join(names))


def _has(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _devices() -> Iterator[Finding]:
    import onnxruntime

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("devices", "cores", Standing.WORKS, str(cores))
    yield Finding("devices", "onnxruntime", Standing.WORKS, ", ".join(onnxruntime.get_available_providers()))
    if find_spec("sounddevice") is None:
        yield Finding(
            "devices", "microphone", Standing.ABSENT, "extra mic is not installed", "pip install 'emovox[mic]'"
        )
        return
    from emovox.audio.devices import input_devices

    yield _tried("devices", "microphone", lambda: f"{len(input_devices())} inputs", Standing.ABSENT)


def _models() -> Iterator[Finding]:
    from emovox.runtime.fetch import fetchable, is_here
    from emovox.runtime.registry import heads, shipped

    for name, path in {**shipped(), **heads()}.items():
        yield _tried("models", name, lambda path=path: _golden(path))  # type: ignore[misc]
    for name in fetchable():
        if not is_here(name):
            yield Finding("models", name, Standing.ABSENT, "not fetched", f"emovox models fetch {name}")
    yield _tried("models", "speech detector", _detects)


def _golden(path: Path) -> str:
    from emovox.runtime.golden import check_golden
    from emovox.runtime.model import Model
    from emovox.schema.errors import ModelError

    model = Model.load(path)
    off, limit = check_golden(model), model.card.golden.tolerance
    if not off <= limit:
        raise ModelError(f"its golden sound gives scores that are off by {off:.1e}, expected at most {limit:.0e}")
    return f"{model.card.version}, golden scores within {off:.0e} of the card (at most {limit:.0e})"


def _detects() -> str:
    import numpy as np

    from emovox.runtime.speech_network import speech_probabilities

    speech_probabilities(np.zeros(16000, np.float32), sample_rate=16000)
    return "loads and runs"


def _tried(topic: str, name: str, look: Callable[[], str], otherwise: Standing = Standing.BROKEN) -> Finding:
    """Return the check of something that may raise."""
    try:
        return Finding(topic, name, Standing.WORKS, look())
    except EmovoxError as error:
        return Finding(topic, name, otherwise, str(error))


def _folders() -> Iterator[Finding]:
    from emovox.adaptation.store import speakers_folder
    from emovox.runtime.registry import models_folder
    from emovox.training.cache import cache_folder

    yield _folder("EMOVOX_CACHE", cache_folder())
    yield _folder("EMOVOX_MODELS", models_folder())
    yield _folder("EMOVOX_SPEAKERS", speakers_folder())
    for variable in _FOLDERS:
        if not (named := os.environ.get(variable)):
            yield Finding("folders", variable, Standing.ABSENT, "not set; only training and tests need it")
        elif Path(named).is_dir():
            yield Finding("folders", variable, Standing.WORKS, named)
        else:
            yield Finding(
                "folders", variable, Standing.BROKEN, f"{named}: no such folder", "set it to a folder, or unset it"
            )


def _folder(variable: str, folder: Path) -> Finding:
    near = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(near, os.W_OK):
        return Finding(
            "folders", variable, Standing.ABSENT, f"{near} is read-only", f"set {variable} to keep files elsewhere"
        )
    return Finding(
        "folders", variable, Standing.WORKS, f"{folder}" + ("" if folder.exists() else " (made when needed)")
    )


def _mirrors() -> Iterator[Finding]:
    for variable in _MIRRORS:
        value = os.environ.get(variable)
        state = Standing.ABSENT if value is None else Standing.WORKS
        yield Finding("mirrors", variable, state, "not set" if value is None else _without_secrets(value))


def _without_secrets(address: str) -> str:
    """Return addresses without names and passwords, since the output ends up in reports of faults."""
    return " ".join(_bare(part) for part in address.split())


def _bare(address: str) -> str:
    parts: Any = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl() if parts.netloc else address
