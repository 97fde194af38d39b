"""The function that workers of every engine run: one recording of an archive → one answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import msgspec

from emovox.adaptation.speaker import SpeakerProfile
from emovox.audio.source import name_of
from emovox.audio.types import ChannelChoice, RawFormat, Reading
from emovox.batch.kept import KeptTiles, keep
from emovox.runtime.predictor import Predictor, load
from emovox.schema.errors import ArchiveError, EmovoxError
from emovox.schema.result import Notice, Result

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in ns of a file. A recording with another stamp has changed."""


BatchAdapt = Literal["off", "recording", "channel", "folder", "column"]
"""What the scores of an archive are adapted to; "column" is a column of a table of recordings."""

TWO_PASSES = ("folder", "column")
"""Choices of `BatchAdapt` where recordings share a voice, so that all are heard before any is adapted."""


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
        coverage: percent of the cases in which a set of labels holds the true one; None makes no sets.
        least: lowest score of a label in a set; None without.
        vad: whether speech is detected; otherwise all audio counts as speech.
        track: audio track of videos, from 0; None is the default one.
        raw: encoding and rate of bare samples; None recognises forms by content.
        speaker: name of the speaker that the scores are adapted to.
        source: name of the room, the line or the folder where adaptation starts.
        profiles: SHA-256 of the profiles of both; empty without.
        adapt: what the scores are adapted to.
        column: column of the table that names the voices.
        table: SHA-256 of the table; empty without.
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
    speaker: str | None = None
    source: str | None = None
    profiles: str = ""
    adapt: BatchAdapt = "off"
    column: str | None = None
    table: str = ""
    coverage: int | None = None
    least: float | None = None

    @property
    def adapts(self) -> bool:
        """Whether scores are adapted to anything."""
        return self.adapt != "off" or bool(self.profiles)

    @property
    def two_passes(self) -> bool:
        """Whether all recordings are heard before any is adapted."""
        return self.adapt in TWO_PASSES

    @property
    def reading(self) -> Reading:
        """How recordings are read: in a child process, since nobody has looked at the files of an archive."""
        return Reading(track=self.track, raw=self.raw, isolated=True)


class Job(msgspec.Struct, frozen=True):
    """The task of a worker.

    Attributes:
        directory: the folder.
        model: a shipped name or an absolute path.
        settings: of the analysis.
        speaker: content of the speaker's profile; empty without. Other machines do not have the file.
        source: that of the source.
    """

    directory: str
    model: str
    settings: Settings
    speaker: bytes = b""
    source: bytes = b""

    def predictor(self) -> Predictor:
        """Load the model, adapted to the speaker and the source.

        Raises:
            ModelError: it cannot be loaded.
            ArchiveError: it differs from the one with which the work was started.
            SpeakerError: a profile is damaged.
        """
        predictor, expected = load(self.model), self.settings.sha256
        actual = predictor.card.sha256
        if actual != expected:
            raise ArchiveError(
                f"model '{self.model}': got sha256 {actual[:12]}…, expected {expected[:12]}… as at the start of the "
                "work; install the same version of emovox and of the model everywhere"
            )
        names = self.settings.speaker or "", self.settings.source or ""
        speaker, source = (
            SpeakerProfile.from_bytes(data, where=name) if data else None
            for name, data in zip(names, (self.speaker, self.source), strict=True)
        )
        return predictor.for_speaker(speaker, name=names[0], source=source)


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A recording to analyse: index in the archive, path below the folder as the system's bytes, size in bytes."""

    index: int
    name: bytes
    size: int


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The result of a recording or its error, with the stamp of the file; None if the file is gone.

    After the first of two passes the result is plain, and `kept` is what the second one needs.
    """

    index: int
    stamp: Stamp | None
    result: Result | None = None
    error: Notice | None = None
    kept: KeptTiles | None = None


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
        SpeakerError: a profile is damaged.
    """

    def __init__(self, job: Job) -> None:
        self.directory, self._settings = job.directory, job.settings
        self._predictor = job.predictor()

    def __call__(self, item: Item) -> Answer:
        """Return the result of one recording. An error of the recording or of this program becomes the answer.

        Only a lack of memory is raised, since the recording may succeed when it is tried again alone. The answer
        depends only on the recording and the job, so repeating it is safe.
        """
        path = path_of(self.directory, item.name)
        stamp = stamp_of(path)  # before reading: a change in the meantime counts as one
        try:
            result, kept = self._heard(path) if self._settings.two_passes else (self._predicted(path), None)
        except EmovoxError as error:
            return Answer(item.index, stamp, error=Notice(error.code, str(error).removeprefix(f"{name_of(path)}: ")))
        except OSError as error:  # the disk or the network fails during reading
            return Answer(item.index, stamp, error=Notice("unreadable", f"could not be read ({error})"))
        except MemoryError:
            raise
        except Exception as error:  # otherwise it would end the worker and look like a lack of memory
            return Answer(item.index, stamp, error=Notice(INTERNAL, _fault(error)))
        return Answer(item.index, stamp, result, kept=kept)

    def _predicted(self, path: str) -> Result:
        settings = self._settings
        return self._predictor.predict(
            path,
            channels=settings.channels,
            threshold=settings.threshold,
            vad=settings.vad,
            adapt=settings.adapt,  # type: ignore[arg-type]  # folder and column go the other way
            reading=settings.reading,
        )

    def _heard(self, path: str) -> tuple[Result, KeptTiles]:
        settings = self._settings
        heard = self._predictor.hear(
            path,
            channels=settings.channels,
            threshold=settings.threshold,
            vad=settings.vad,
            reading=settings.reading,
        )
        return heard.result(), keep(self._predictor.model, heard)


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
