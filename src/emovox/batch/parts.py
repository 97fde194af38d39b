"""Finished groups of recordings as files beside the output, until they are joined. Each file is whole or absent."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from emovox.batch.job import Stamp
from emovox.batch.tally import Tally
from emovox.schema.errors import ArchiveError, ConfigError
from emovox.schema.files import replacing, write_whole

HEARD_SUFFIX = ".heard"
"""Ends the names of files of the first of two passes, see `emovox.batch.heard`."""

SUFFIX = ".parts"
"""Ends the name of the folder with the parts: the name of the output and this."""
MANIFEST, LOCK, JOINED = "manifest", "lock", "joined.parquet"

ROWS_A_GROUP = 2**16
"""Rows per row group of the Parquet file, which joining holds in memory."""

_KEY = b"emovox.part"
_OURS = re.compile(rf"\.?(\d{{7}}\.(parquet|heard)|{MANIFEST}|{re.escape(JOINED)})(\.\d+\.part)?|{LOCK}")
_COMPRESSION = "zstd"


class PartNote(msgspec.Struct, frozen=True):
    """The description of a part, in the metadata of its file.

    Attributes:
        plan: digest of the manifest for which the part was written.
        stamps: stamps of its recordings when they were analysed.
        tally: counts over its recordings.
    """

    plan: str
    stamps: tuple[Stamp | None, ...]
    tally: Tally


class Parts:
    """The folder with the finished parts of an output. One process at a time may use it, see `locked`.

    Args:
        output: the file that the parts are joined to.
    """

    def __init__(self, output: Path) -> None:
        # if the output is a link, its target is written and the link stays
        self.output = Path(os.path.realpath(output)) if output.is_symlink() else output
        self.folder = self.output.with_name(self.output.name + SUFFIX)

    @property
    def manifest(self) -> Path:
        """The file that lists the settings and the recordings of the work."""
        return self.folder / MANIFEST

    def begun(self) -> bool:
        """Return whether the folder has work that can be resumed."""
        finished = (path for suffix in (".parquet", HEARD_SUFFIX) for path in self.folder.glob(f"*{suffix}"))
        return self.manifest.is_file() and any(finished)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and lock other processes out. At the end a folder without parts is removed.

        Raises:
            ConfigError: the folder cannot be made.
            ArchiveError: another process has the lock.
        """
        try:
            self.folder.mkdir(exist_ok=True)
            lock = (self.folder / LOCK).open("wb")
        except OSError as error:
            raise ConfigError(
                f"{self.folder}: cannot be made ({error.strerror}); expected --output in an existing folder that you "
                "may write to, with room for it"
            ) from error
        with ExitStack() as closed, lock:
            self._lock(lock)
            try:
                yield
            finally:
                if not self.begun():
                    self.clear()
                    if not self._remove_folder():
                        closed.callback(self._remove_folder)

    def clear(self) -> None:
        """Remove all files of this package from the folder but the lock, as far as possible."""
        with suppress(OSError):
            self.empty()

    def empty(self) -> None:
        """Remove all files of this package from the folder but the lock.

        Raises:
            OSError: a file cannot be removed.
        """
        # The manifest goes first: after a kill, the rest does not count as finished work, and new work removes it.
        self.manifest.unlink(missing_ok=True)
        self._remove(path for path in self.folder.iterdir() if _OURS.fullmatch(path.name) and path.name != LOCK)

    def begin(self, manifest: bytes) -> None:
        """Start new work: remove the parts of other work and write the manifest.

        Raises:
            ConfigError: a part cannot be removed, or the manifest cannot be written.
        """
        try:
            self.empty()
        except OSError as error:
            raise ConfigError(
                f"{self.folder}: got parts of other work that cannot be removed ({error.strerror}), expected none; "
                "remove that folder"
            ) from error
        write_whole(self.manifest, manifest)

    def sweep(self) -> None:
        """Remove unfinished files, which killed processes leave."""
        with suppress(OSError):
            self._remove(self.folder.glob(".*.part"))

    def write(self, number: int, table: pa.Table, note: PartNote) -> None:
        """Write part `number`, with its metadata.

        Raises:
            ConfigError: it cannot be written.
        """
        metadata = {**(table.schema.metadata or {}), _KEY: msgspec.json.encode(note)}
        with replacing(self._path(number)) as file:
            pq.write_table(table.replace_schema_metadata(metadata), file, compression=_COMPRESSION)

    def note(self, number: int) -> PartNote | None:
        """Return the metadata of part `number`; None if the part does not exist or cannot be read."""
        try:
            metadata = pq.read_schema(self._path(number)).metadata or {}
            return msgspec.json.decode(metadata[_KEY], type=PartNote)
        except (OSError, pa.ArrowException, KeyError, msgspec.DecodeError):
            return None

    def join(self, count: int, schema: pa.Schema) -> None:
        """Join all parts to the output, which appears whole, and remove them.

        Args:
            count: number of parts.
            schema: schema of the rows.

        Raises:
            ConfigError: the output cannot be written.
            ArchiveError: a part is damaged.
        """
        joined = self.folder / JOINED  # in this folder, so that a kill leaves no other file
        with replacing(joined) as file, pq.ParquetWriter(file, schema, compression=_COMPRESSION) as writer:
            for table in _gathered(self._read(number) for number in range(count)):
                writer.write_table(table)
        try:
            joined.replace(self.output)
        except OSError as error:
            raise ConfigError(
                f"{self.output}: cannot be written ({error.strerror}); the rows are complete in {joined}"
            ) from error
        self.clear()

    def _read(self, number: int) -> pa.Table:
        path = self._path(number)
        try:
            return pq.read_table(path).replace_schema_metadata(None)
        except (OSError, pa.ArrowException) as error:
            raise ArchiveError(f"{path}: is damaged ({error}); remove it, and continue with --resume") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:07d}.parquet"

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in list(paths):
            path.unlink(missing_ok=True)

    def _remove_folder(self) -> bool:
        """Remove the lock, and the folder if it is empty. Return whether the lock is gone: Windows keeps open files."""
        try:
            (self.folder / LOCK).unlink(missing_ok=True)
        except OSError:
            return False
        with suppress(OSError):
            self.folder.rmdir()
        return True

    def _lock(self, file: BinaryIO) -> None:
        if sys.platform == "win32":
            return  # two processes with the same output are not detected there
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArchiveError(
                f"{self.folder}: another process is at work on this output; wait for it, or give another --output"
            ) from error
        except OSError:  # a file system without locks
            return


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    group: list[pa.Table] = []
    for table in tables:
        group.append(table)
        if sum(map(len, group)) >= ROWS_A_GROUP:
            yield _joined(group)
            group = []
    if group:
        yield _joined(group)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()
