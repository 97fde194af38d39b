"""One recording of an archive → one answer: the function that every engine runs, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from emovox.audio.source import name_of
from emovox.audio.types import ChannelChoice
from emovox.runtime.predictor import load
from emovox.schema.errors import ArchiveError, EmovoxError
from emovox.schema.result import Notice, Result

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in ns: another stamp is another recording."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an archive was analysed with: stands in the Parquet file, and must be the same when work is resumed.

    `emovox` is the version of this package; the model is told by name, version and SHA-256 of its graph, with the
    licence of its weights; `threshold` is the abstention threshold in [0, 1]; without `vad` everything counts as
    speech.
    """

    emovox: str
    model: str
    version: str
    sha256: str
    licence: str
    licence_risk: str
    channels: ChannelChoice
    threshold: float
    vad: bool


class Job(msgspec.Struct, frozen=True):
    """What a worker needs to know: the folder, the model (a shipped name, or an absolute path), the settings."""

    directory: str
    model: str
    settings: Settings


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A recording to analyse: its place in the archive, its path below the folder as the system's bytes, its size."""

    index: int
    name: bytes
    size: int


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What came of a recording: a result, or an error; and the stamp of what was analysed, None when it was gone."""

    index: int
    stamp: Stamp | None
    result: Result | None = None
    error: Notice | None = None


INTERNAL = "internal"
"""Code of a recording on which this program has a fault."""

Analyse = Callable[[Item], Answer]
Prepare = Callable[[Job], Analyse]
"""Loads what a worker needs, once, and returns its analyser. Picklable: `RecordingAnalyzer`, or a test stand-in."""


class RecordingAnalyzer:
    """Analyses recordings one after the other, with a model loaded once.

    Args:
        job: what to do.

    Raises:
        ModelError: the model cannot be loaded.
        ArchiveError: it is another one here than where the work was begun.
    """

    def __init__(self, job: Job) -> None:
        self.directory, self._settings = job.directory, job.settings
        self._predictor = load(job.model)
        found, expected = self._predictor.card.sha256, job.settings.sha256
        if found != expected:
            raise ArchiveError(
                f"model '{job.model}': got sha256 {found[:12]}…, expected {expected[:12]}… as where work was begun; "
                "install the same version of emovox and of the model everywhere"
            )

    def __call__(self, item: Item) -> Answer:
        """Analyse one recording; what is wrong with it, or with this program on it, becomes the answer.

        Only a lack of memory is raised, since the recording may succeed when it is tried again alone. The answer
        depends on the recording and the job alone, so that asking twice does no harm.
        """
        path, settings = path_of(self.directory, item.name), self._settings
        stamp = stamp_of(path)  # before reading: what changes meanwhile counts as changed
        try:
            result = self._predictor.predict(
                path, channels=settings.channels, threshold=settings.threshold, vad=settings.vad
            )
        except EmovoxError as error:
            return Answer(item.index, stamp, error=Notice(error.code, str(error).removeprefix(f"{name_of(path)}: ")))
        except OSError as error:  # the disk or the network fails while the file is read
            return Answer(item.index, stamp, error=Notice("unreadable", f"could not be read ({error})"))
        except MemoryError:
            raise
        except Exception as error:  # else it ends a worker, and passes for a lack of memory
            return Answer(item.index, stamp, error=Notice(INTERNAL, _fault(error)))
        return Answer(item.index, stamp, result)


def _fault(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()  # names are of any bytes
    return f"got a fault of emovox ({text}), expected a result; try it alone with emovox predict, and report it"


def path_of(directory: str, name: bytes) -> str:
    """Path of a recording.

    >>> path_of("calls", b"a.wav").replace(os.sep, "/")
    'calls/a.wav'
    """
    return os.path.join(directory, os.fsdecode(name))


def stamp_of(path: str) -> Stamp | None:
    """Tell a file's state; None when there is none that can be seen."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
