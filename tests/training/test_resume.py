"""Killed at any moment, resumed, and not a bit of difference; and several processes that learn as one."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from emovox.schema.errors import CheckpointError
from emovox.training.loop import Learnt, learn
from tests.training import runs
from tests.training.tiny import clips, losses, network, share_right, small_plan, whole_plan

ROUNDING = 1e-6
"""Sums of float32 in another order."""

PATIENCE = 500
"""Seconds; most of the time goes into importing torch, which takes long on a busy machine."""


def in_a_process(folder: Path, kind: str) -> subprocess.CompletedProcess[str]:
    root = Path(runs.__file__).parents[2]
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "MASTER", "LOCAL_RANK"))
    }
    environment = {
        **alone,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(root), str(root / "src"))),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    command = [sys.executable, "-m", "tests.training.runs", str(folder), kind]
    with subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a second process outlives the first
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def whole(folder: Path) -> Learnt:
    return learn(network(), clips(), whole_plan(), seed=3, folder=folder, key="recipe", validate=share_right)


def test_killed_twice_and_resumed_is_as_unbroken(tmp_path: Path) -> None:
    unbroken, folder = whole(tmp_path / "unbroken"), tmp_path / "killed"
    for kind in ("killed-step", "killed-save"):
        done = in_a_process(folder, kind)
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(folder.glob(".checkpoint.pt.*.part"))) == 1  # half of a save
    resumed = whole(folder)
    assert losses(resumed) == losses(unbroken)
    assert [row.uar for row in resumed.history] == [row.uar for row in unbroken.history]
    assert (resumed.uar, resumed.best_step) == (unbroken.uar, unbroken.best_step)
    assert not list(folder.glob(".*.part"))
    with (folder / "log.csv").open() as file:
        assert [float(line["loss"]) for line in csv.DictReader(file)] == losses(unbroken)
    events = EventAccumulator(str(folder / "tensorboard")).Reload().Scalars("loss")
    assert [event.step for event in events] == list(range(1, 13))
    assert [event.value for event in events] == pytest.approx(losses(unbroken))


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first = network()
    learnt = learn(first, clips(), whole_plan(), seed=3, folder=tmp_path, key="a", validate=share_right)
    again = network()

    def fail(_: object) -> float:
        raise AssertionError

    found = learn(again, clips(), whole_plan(), seed=3, folder=tmp_path, key="a", validate=fail)
    assert found.history == learnt.history
    state = first.state_dict()
    assert all(bool((value == state[name]).all()) for name, value in again.state_dict().items())


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(tmp_path: Path) -> None:
    learn(network(), clips(), small_plan(2), seed=3, folder=tmp_path, key="one")
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(CheckpointError, match="checkpoint of another recipe"):
        learn(network(), clips(), small_plan(2), seed=3, folder=tmp_path, key="two")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    learn(network(), clips(), small_plan(2), seed=3, folder=tmp_path, key="two", resume=False)
    assert (tmp_path / "checkpoint.pt").read_bytes() != before


def test_two_processes_learn_as_one(tmp_path: Path) -> None:
    done = in_a_process(tmp_path, "two")
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    learner, plan = network(plain=True), small_plan(6, accumulate=2)
    alone = learn(learner, clips(), plan, seed=3, folder=tmp_path / "alone", key="recipe", validate=share_right)
    assert first["losses"] == pytest.approx(losses(alone), abs=ROUNDING)
    assert first["uar"] == alone.uar
    flat = [float(value) for parameter in learner.parameters() for value in parameter.detach().flatten()]
    assert first["weights"] == pytest.approx(flat, abs=1e-5)
    with (tmp_path / "log.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6  # one process writes
