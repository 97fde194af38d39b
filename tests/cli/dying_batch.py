"""`emovox batch` with groups of two recordings, in a process that kills itself: `dying_batch.py PARTS ARGUMENT…`.

The parts of both passes count.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

from emovox.batch import plan
from emovox.batch.heard import HeardParts
from emovox.batch.parts import Parts
from emovox.cli.main import main


def run(parts: str, *arguments: str) -> None:
    written = 0

    def dying(write: Callable[..., None]) -> Callable[..., None]:
        def write_and_die(*arguments: Any) -> None:
            nonlocal written
            write(*arguments)
            written += 1
            if written == int(parts):
                os.kill(os.getpid(), signal.SIGKILL)

        return write_and_die

    with (
        mock.patch.object(plan, "GROUP_FILES", 2),
        mock.patch.object(Parts, "write", dying(Parts.write)),
        mock.patch.object(HeardParts, "write", dying(HeardParts.write)),
    ):
        main(["batch", *arguments])


if __name__ == "__main__":
    run(*sys.argv[1:])
