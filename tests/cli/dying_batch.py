"""`emovox batch` with groups of two recordings, in a process that kills itself: `dying_batch.py PARTS ARGUMENT…`."""

from __future__ import annotations

import os
import signal
import sys
from unittest import mock

import pyarrow as pa

from emovox.batch import plan
from emovox.batch.parts import PartNote, Parts
from emovox.cli.main import main


def run(parts: str, *arguments: str) -> None:
    write = Parts.write

    def dying(self: Parts, number: int, table: pa.Table, note: PartNote) -> None:
        write(self, number, table, note)
        if len(list(self.folder.glob("*.parquet"))) == int(parts):
            os.kill(os.getpid(), signal.SIGKILL)

    with mock.patch.object(plan, "GROUP_FILES", 2), mock.patch.object(Parts, "write", dying):
        main(["batch", *arguments])


if __name__ == "__main__":
    run(*sys.argv[1:])
