"""The function that workers of every engine run: one recording of an archive → one answer."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from emovox.audio.source import name_of
from emovox.audio.types import ChannelChoice, RawFormat, Reading
from emovox.runtime.predictor import load
from emovox.schema.errors import ArchiveError, EmovoxError
from emovox.schema.result import Notice, Result

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in ns of a file. A recording with another stamp has changed."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of the analysis of an archive. The Parquet file contains it, and it must be the same on resuming.

    Attributes:
        emovox: version of this package.
        model: name of the model.
        version: version of the model.
        sha256: SHA-256 of the model's graph.
        licence: licence of the model's weights.
        licence_risk: open questions about that licence.
        channels: which channels are analysed.
        threshold: abstention threshold in [0, 1].
        vad: whether speech is detected; otherwise all audio counts as speech.
        track: audio track of videos, from 0; None is the default one.
        raw: encoding and rate of bare samples; None recognises forms by content.
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
    track: int | None = None
    raw: RawFormat | None = None

    @property
    def reading(self) -> Reading:
        """How recordings are read: in a child process, since nobody has looked at the files of an archive."""
        return Reading(track=self.track, raw=self.raw, isolated=True)


class Job(msgspec.Struct, frozen=True):
    """The task of a worker: the folder, the model (a shipped name or an absolute path) and the settings."""

    directory: str
    model: str
    settings: Settings


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A recording to analyse: index in the archive, path below the folder as the system's bytes, size in bytes."""

    index: int
    name: bytes
    size: int


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The result of a recording or its error, with the stamp of the file; None if the file is gone."""

    index: int
    stamp: Stamp | None
    result: Result | None = None
    error: Notice | None = None


INTERNAL = "internal"
"""Code of the error of a recording that meets a fault of this program."""

Analyse = Callable[[Item], Answer]
"""Analyses one recording."""

Prepare = Callable[[Job], Analyse]
"""Loads what a worker needs, once, and returns its function. Picklable: `RecordingAnalyzer`, or a test stand-in."""


class RecordingAnalyzer:
    """Analyses recordings one after the other, with a model that is loaded once.

    Args:
        job: what to do.

    Raises:
        ModelError: the model cannot be loaded.
        ArchiveError: the model here differs from the one with which the work was started.
    """

    def __init__(self, job: Job) -> None:
        self.directory, self._settings = job.directory, job.settings
        self._predictor = load(job.model)
        actual, expected = self._predictor.card.sha256, job.settings.sha256
        if actual != expected:
            raise ArchiveError(
                f"model '{job.model}': got sha256 {actual[:12]}…, expected {expected[:12]}… as at the start of the "
                "work; install the same version of emovox and of the model everywhere"
            )

    def __call__(self, item: Item) -> Answer:
        """Return the result of one recording. An error of the recording or of this program becomes the answer.

        Only a lack of memory is raised, since the recording may succeed when it is tried again alone. The answer
        depends only on the recording and the job, so repeating it is safe.
        """
        path, settings = path_of(self.directory, item.name), self._settings
        stamp = stamp_of(path)  # before reading: a change in the meantime counts as one
        try:
            result = self._predictor.predict(
                path,
                channels=settings.channels,
                threshold=settings.threshold,
                vad=settings.vad,
                reading=settings.reading,
            )
        except EmovoxError as error:
            return Answer(item.index, stamp, error=Notice(error.code, str(error).removeprefix(f"{name_of(path)}: ")))
        except OSError as error:  # the disk or the network fails during reading
            return Answer(item.index, stamp, error=Notice("unreadable", f"could not be read ({error})"))
        except MemoryError:
            raise
        except Exception as error:  # otherwise it would end the worker and look like a lack of memory
            return Answer(item.index, stamp, error=Notice(INTERNAL, _fault(error)))
        return Answer(item.index, stamp, result)


def _fault(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()  # names may contain any bytes
    return f"got a fault of emovox ({text}), expected a result; try it alone with emovox predict, and report it"


def path_of(directory: str, name: bytes) -> str:
    """Return the path of a recording, from the folder and the path below it.

    >>> path_of("calls", b"a.wav").replace(os.sep, "/")
    'calls/a.wav'
    """
    return os.path.join(directory, os.fsdecode(name))


def stamp_of(path: str) -> Stamp | None:
    """Return the stamp of a file; None if it does not exist or cannot be accessed."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
