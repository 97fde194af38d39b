"""The plan of the work over an archive: its recordings, their order and their groups, fixed at the start."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec

from emovox.audio.files import audio_files
from emovox.audio.source import name_of
from emovox.batch.job import Settings, path_of, stamp_of
from emovox.schema.errors import ArchiveError, UnreadableError

FORMAT_VERSION = 1
"""Version of the manifest."""

GROUP_FILES = 256
"""Recordings that are written together, at most. After a kill, groups that were not written are analysed again."""

GROUP_BYTES = 2**25
"""Bytes of recordings that fill a group: 17 minutes of wav at 16 kHz, half a day of speech in opus."""


class ArchivePlan(msgspec.Struct, frozen=True):
    """The recordings of a folder in groups.

    Attributes:
        directory: real path of the folder, as the system's bytes.
        names: paths below the folder, sorted.
        sizes: number of names in each group.
    """

    directory: bytes
    names: tuple[bytes, ...]
    sizes: tuple[int, ...]

    def groups(self) -> list[range]:
        """Return the indices of the names of each group."""
        ends = list(accumulate(self.sizes))
        return [range(end - size, end) for size, end in zip(self.sizes, ends, strict=True)]


class GroupFinder:
    """A function from the index of a recording to the number of its group, both from 0."""

    def __init__(self, groups: Sequence[range]) -> None:
        self._starts = [group.start for group in groups]

    def __call__(self, index: int) -> int:
        """Return the number of the group of recording `index`."""
        return bisect_right(self._starts, index) - 1


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    settings: Settings
    sizes: tuple[int, ...]


def make_plan(directory: Path) -> ArchivePlan:
    """Return the plan for a folder.

    Raises:
        UnreadableError: it does not exist, is no folder, or cannot be listed.
        NoAudioFilesError: it has no recording.
    """
    if directory.is_file():
        raise UnreadableError(f"{name_of(directory)}: got a file, expected a directory; emovox predict takes files")
    root = os.fsencode(os.path.realpath(directory))
    names = [os.fsencode(path.relative_to(directory)) for path in audio_files(directory)]
    return ArchivePlan(root, tuple(names), tuple(_group_sizes(os.fsdecode(root), names)))


def check_directory(directory: str | os.PathLike[str]) -> None:
    """Check that a folder exists and is not empty. The mount point of a missing disk is empty.

    Raises:
        UnreadableError: the folder is empty or cannot be listed.
    """
    try:
        if next(os.scandir(directory), None) is not None:
            return
        reason = "empty"
    except OSError as error:
        reason = error.strerror or str(error)
    raise UnreadableError(
        f"{name_of(directory)}: cannot be listed ({reason}), expected a directory of recordings; check the path, and "
        "that its disk is mounted"
    )


def encode_manifest(plan: ArchivePlan, settings: Settings) -> bytes:
    """Return a manifest: settings and groups as a line of JSON, then directory and names, each ended by a zero byte."""
    head = msgspec.json.encode(_Head(FORMAT_VERSION, settings, plan.sizes))
    return head + b"\n" + b"".join(name + b"\0" for name in (plan.directory, *plan.names))


def decode_manifest(data: bytes, *, where: str) -> tuple[ArchivePlan, Settings]:
    """Return the plan and the settings of a manifest from `encode_manifest`.

    Args:
        data: bytes of the manifest.
        where: name of the file, for the message.

    Raises:
        ArchiveError: the manifest is damaged or has another format.
    """
    line, _, rest = data.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
        directory, *names = rest.split(b"\0")[:-1]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _damaged(where, str(error)) from error
    if head.format != FORMAT_VERSION or sum(head.sizes) != len(names):
        raise _damaged(where, f"format {head.format}, {len(names)} files")
    return ArchivePlan(directory, tuple(names), head.sizes), head.settings


def _damaged(where: str, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{where}: got a damaged list of work ({reason}), expected format {FORMAT_VERSION}; remove its folder and "
        "start again"
    )


def _group_sizes(root: str, names: Iterable[bytes]) -> Iterator[int]:
    files = length = 0
    for name in names:
        stamp = stamp_of(path_of(root, name))
        files, length = files + 1, length + (stamp[0] if stamp else 0)
        if files == GROUP_FILES or length >= GROUP_BYTES:
            yield files
            files = length = 0
    if files:
        yield files
