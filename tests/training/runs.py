"""Runs in processes of their own: `runs.py FOLDER killed-step | killed-save | two`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric

from emovox.schema.files import replacing, write_whole
from emovox.training import checkpoint
from emovox.training.loop import learn
from tests.training.tiny import clips, drawn, losses, network, share_right, small_plan, whole_plan

KILLED_AFTER = 5
"""Steps, or saves."""


def killed_step(folder: Path) -> None:
    """Die while a batch is put together."""
    seen, values = [], drawn()

    def dying(row: int) -> npt.NDArray[np.float32]:
        seen.append(row)
        if len(seen) > (KILLED_AFTER + 0.5) * 8:
            os.kill(os.getpid(), signal.SIGKILL)
        return values[row]

    learn(network(), clips(dying), whole_plan(), seed=3, folder=folder, key="recipe", validate=share_right)


def killed_save(folder: Path) -> None:
    """Die when half of a checkpoint is written."""
    saved = []

    def dying(path: Path, data: bytes, *, make_folder: bool) -> None:
        saved.append(path)
        if len(saved) < KILLED_AFTER:
            write_whole(path, data, make_folder=make_folder)
            return
        with replacing(path) as file:
            file.write(data[: len(data) // 2])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    with mock.patch.object(checkpoint, "write_whole", dying):
        learn(network(), clips(), whole_plan(), seed=3, folder=folder, key="recipe", validate=share_right)


def two(folder: Path) -> None:
    """Two processes learn together, and tell what they found; this file is started again for the second."""
    fabric = Fabric(accelerator="cpu", strategy="ddp", devices=2)
    fabric.launch()
    learner = network(plain=True)
    plan = small_plan(6, accumulate=2)
    learnt = learn(*(learner, clips(), plan), seed=3, folder=folder, key="recipe", validate=share_right, fabric=fabric)
    weights = [parameter.detach().flatten() for parameter in learner.parameters()]
    about = {"losses": losses(learnt), "uar": learnt.uar, "weights": torch.cat(weights).tolist()}
    (folder / f"rank-{fabric.global_rank}.json").write_text(json.dumps(about))


def main(folder: str, kind: str) -> None:
    torch.set_num_threads(1)
    {"killed-step": killed_step, "killed-save": killed_save, "two": two}[kind](Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
