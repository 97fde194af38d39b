"""`emovox` in a process of its own that dies while a head learns: `dying.py CALLS ARGUMENT…`."""

from __future__ import annotations

import os
import signal
import sys
from unittest import mock

import torch

from emovox.cli.main import main
from emovox.training.stages.head import HeadAlone


def run(calls: str, *arguments: str) -> None:
    torch.set_num_threads(1)
    seen, forward = [], HeadAlone.forward

    def dying(head: HeadAlone, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(head)
        if len(seen) == int(calls):
            os.kill(os.getpid(), signal.SIGKILL)
        return forward(head, *batch)

    with mock.patch.object(HeadAlone, "forward", dying):
        main(arguments)


if __name__ == "__main__":
    run(*sys.argv[1:])
