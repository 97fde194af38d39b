"""The speakers that are known here: a folder with one file each.

A profile is personal data. Files are readable by their owner only, written as a whole, and deleted for good.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from emovox.adaptation.speaker import SpeakerProfile, read_speaker
from emovox.schema.errors import ConfigError, SpeakerError, UnknownSpeakerError
from emovox.schema.files import locked, write_whole
from emovox.schema.folders import data_folder

SUFFIX = ".speaker"
"""Ends the names of files of profiles."""

LONGEST_NAME = 64
"""Characters of a speaker's name, at most."""

_LONGEST_BYTES = 240
"""Bytes of a speaker's name in UTF-8, at most: file systems allow 255, and rare characters take four each."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows keeps for devices."""

_MARKS = frozenset(" -_.@+")


def speakers_folder() -> Path:
    """Return the folder of profiles: `$EMOVOX_SPEAKERS`, or one for data of this user; it may not exist yet."""
    return data_folder("speakers", "EMOVOX_SPEAKERS")


def checked_name(name: str) -> str:
    """Return the name of a speaker in Unicode's composed form (NFC).

    Raises:
        SpeakerError: it is empty, long, has marks that a path may have, or starts or ends with a mark.

    >>> checked_name("Jürgen 2")
    'Jürgen 2'
    """
    name = unicodedata.normalize("NFC", name)
    good = all(char.isalnum() or char in _MARKS or unicodedata.category(char) == "Mn" for char in name)
    ends = name[:1].isalnum() and not name.endswith((".", " "))
    short = len(name) <= LONGEST_NAME and len(name.encode("utf-8", "replace")) <= _LONGEST_BYTES
    if not (good and ends and short) or name.split(".")[0].lower() in _RESERVED:
        raise SpeakerError(
            f"got the name {name!r} for a speaker, expected up to {LONGEST_NAME} letters and digits, with spaces or "
            "- _ . @ + between them"
        )
    return name


class SpeakerStore:
    """The profiles in one folder; any number of processes may use it at once.

    Args:
        folder: the folder, which is made when the first profile is kept; None: that of `speakers_folder`.
        title: what messages call the folder; None: by its path.
    """

    def __init__(self, folder: Path | None = None, *, title: str | None = None) -> None:
        self.folder = speakers_folder() if folder is None else folder
        self._title = str(self.folder) if title is None else title

    def names(self) -> list[str]:
        """Return the names of the speakers, sorted."""
        return sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))

    def load(self, name: str) -> SpeakerProfile:
        """Return the profile of a speaker.

        Raises:
            UnknownSpeakerError: there is none of this name.
            SpeakerError: its file is damaged.
        """
        path = self.path(name)
        if not path.is_file():
            raise self._unknown(name)
        return self._read(path)

    def update(self, name: str, change: Callable[[SpeakerProfile | None], SpeakerProfile]) -> SpeakerProfile:
        """Change the profile of a speaker, while no other process changes one; return it.

        Args:
            name: of the speaker.
            change: old profile, None if there is none → new profile. If it raises, the old one stays.

        Raises:
            SpeakerError: the name is none, the old profile is damaged, or the new one has too few clips.
            ConfigError: the file cannot be written; the old one stays.
        """
        path = self.path(name)
        with self._locked():
            profile = change(self._read(path) if path.exists() else None)
            write_whole(path, profile.to_bytes(), private=True)
        return profile

    def delete(self, name: str) -> None:
        """Delete the profile of a speaker for good, also a damaged one.

        Raises:
            UnknownSpeakerError: there is none of this name.
            ConfigError: the file cannot be deleted.
        """
        path = self.path(name)
        with self._locked():
            try:
                path.unlink()
            except FileNotFoundError:
                raise self._unknown(name) from None
            except OSError as error:
                raise ConfigError(f"{path}: cannot be deleted ({error.strerror}); delete the file yourself") from error

    def path(self, name: str) -> Path:
        """Return the path of a speaker's file, which may not exist.

        Raises:
            SpeakerError: the name is none of a speaker.
        """
        return self.folder / f"{checked_name(name)}{SUFFIX}"

    def _unknown(self, name: str) -> UnknownSpeakerError:
        known = self.names()
        expected = f"expected one of {', '.join(known)}" if known else "none is known yet"
        return UnknownSpeakerError(f"no speaker '{name}' in {self._title}, {expected}; learn this one first")

    def _read(self, path: Path) -> SpeakerProfile:
        return read_speaker(path, where=f"{self._title}{os.sep}{path.name}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(
                f"{self.folder}: cannot be made ({error.strerror}); name another in EMOVOX_SPEAKERS"
            ) from error
        with locked(self.folder / ".lock"):
            yield
