"""Finished groups as files beside the output, whole or not at all, until they are joined."""

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

SUFFIX = ".parts"
MANIFEST, LOCK, JOINED = "manifest", "lock", "joined.parquet"

ROWS_A_GROUP = 2**16
"""Rows that are joined to one group of the Parquet file: what joining holds in memory."""

_KEY = b"emovox.part"
_OURS = re.compile(rf"\.?(\d{{7}}\.parquet|{MANIFEST}|{re.escape(JOINED)})(\.\d+\.part)?|{LOCK}")
_COMPRESSION = "zstd"


class PartNote(msgspec.Struct, frozen=True):
    """What a part says of itself.

    Attributes:
        plan: digest of the manifest that it was made for.
        stamps: those of its recordings as they were analysed.
        tally: what came of them.
    """

    plan: str
    stamps: tuple[Stamp | None, ...]
    tally: Tally


class Parts:
    """The folder with the finished parts of an output; belongs to one process at a time, see `locked`.

    Args:
        output: the file that the parts will become.
    """

    def __init__(self, output: Path) -> None:
        # of a link, what it points to is written, and the link stays
        self.output = Path(os.path.realpath(output)) if output.is_symlink() else output
        self.folder = self.output.with_name(self.output.name + SUFFIX)

    @property
    def manifest(self) -> Path:
        """The file that says what the parts are parts of."""
        return self.folder / MANIFEST

    def begun(self) -> bool:
        """Whether there is work in it that can be resumed."""
        return self.manifest.is_file() and any(self.folder.glob("*.parquet"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other processes out; in the end it is removed, if there is no part in it.

        Raises:
            ConfigError: it cannot be made.
            ArchiveError: another process works in it.
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
        """Remove what lies in the folder and came from here, but for the lock."""
        with suppress(OSError):
            self.empty()

    def empty(self) -> None:
        """As `clear`, for new work.

        Raises:
            OSError: something cannot be removed.
        """
        # First: what a kill leaves is not taken for finished work then, and new work removes it before it begins.
        self.manifest.unlink(missing_ok=True)
        self._remove(path for path in self.folder.iterdir() if _OURS.fullmatch(path.name) and path.name != LOCK)

    def begin(self, manifest: bytes) -> None:
        """Begin new work: whatever parts are there belong to other work, and go.

        Raises:
            ConfigError: they cannot be removed, or the manifest cannot be written.
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
        """Remove the unfinished files of processes that were killed."""
        with suppress(OSError):
            self._remove(self.folder.glob(".*.part"))

    def write(self, number: int, table: pa.Table, note: PartNote) -> None:
        """Write a part.

        Raises:
            ConfigError: it cannot be written.
        """
        metadata = {**(table.schema.metadata or {}), _KEY: msgspec.json.encode(note)}
        with replacing(self._path(number)) as file:
            pq.write_table(table.replace_schema_metadata(metadata), file, compression=_COMPRESSION)

    def note(self, number: int) -> PartNote | None:
        """What part `number` says of itself; None when there is none, or none that can be read."""
        try:
            metadata = pq.read_schema(self._path(number)).metadata or {}
            return msgspec.json.decode(metadata[_KEY], type=PartNote)
        except (OSError, pa.ArrowException, KeyError, msgspec.DecodeError):
            return None

    def join(self, count: int, schema: pa.Schema) -> None:
        """Write all parts into the output, which appears whole, and remove them.

        Args:
            count: how many parts there are.
            schema: of the rows.

        Raises:
            ConfigError: the output cannot be written.
            ArchiveError: a part is damaged.
        """
        joined = self.folder / JOINED  # in this folder, so that nothing else remains of it after a kill
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
            raise ArchiveError(f"{path}: is damaged ({error}); remove it, and go on with --resume") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:07d}.parquet"

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in list(paths):
            path.unlink(missing_ok=True)

    def _remove_folder(self) -> bool:
        """Remove the lock, and the folder if it is empty then; whether the lock is gone, as on Windows no open file."""
        try:
            (self.folder / LOCK).unlink(missing_ok=True)
        except OSError:
            return False
        with suppress(OSError):
            self.folder.rmdir()
        return True

    def _lock(self, file: BinaryIO) -> None:
        if sys.platform == "win32":
            return  # two processes at the same output are not noticed there
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
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(map(len, held)) >= ROWS_A_GROUP:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()
