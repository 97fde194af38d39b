"""Train on a cloud task in a process of its own, and die on the way: `killed.py FOLDER FOLDS`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.training.tasks import cloud_task, small_recipe, train_svm


def main(folder: str, folds: str) -> None:
    def report(done: int, total: int, sentence: str) -> None:
        if done == int(folds):
            os.kill(os.getpid(), signal.SIGKILL)

    train_svm(cloud_task(), small_recipe(), Path(folder), report=report)


if __name__ == "__main__":
    main(*sys.argv[1:])
