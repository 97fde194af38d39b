"""How a network learns, from top to bottom.

`learn` takes steps until the plan ends or the held-out speakers gain nothing more. Everything random in a step follows
from the seed and the number of the step, so a run that was killed goes on with the very same losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from emovox.evaluation.report.style import save_figure
from emovox.models.network import Network
from emovox.schema.errors import ConfigError, TrainingError
from emovox.schema.extras import require
from emovox.schema.files import write_whole
from emovox.schema.text import json_document
from emovox.training.average import Average
from emovox.training.checkpoint import Best, State, learnt_weights, load, put_state, put_weights, save
from emovox.training.curves import curves_figure
from emovox.training.data.batch import Batch, Examples, collate
from emovox.training.data.mixing import augmented
from emovox.training.data.sampler import MIXING, NOISE, Drawer, derived_seed
from emovox.training.log import Log, Report, Row, Speaker, Stopwatch
from emovox.training.objectives import batch_loss
from emovox.training.optim import make_optimiser, rate_at, set_rate
from emovox.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from numpy.typing import NDArray

CHECKPOINT, STEPS, CURVES = "checkpoint.pt", "steps.json", "curves.png"

Validate = Callable[[Network], float]
"""Gives the UAR in [0, 1] of a network on clips of speakers that it does not learn from."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """How a run went: every step; the best UAR and its step, if measured; seconds by what they were spent on."""

    history: tuple[Row, ...]
    uar: float | None
    best_step: int | None
    seconds: dict[str, float]


def learn(
    network: Network,
    examples: Examples,
    plan: Plan,
    *,
    seed: int,
    folder: Path,
    key: str,
    validate: Validate | None = None,
    resume: bool = True,
    report: Report | None = None,
    fabric: Fabric | None = None,
) -> Learnt:
    """Let a network learn; in the end it has the best weights if they were measured, else the average or the last.

    Args:
        network: changed in place, left in eval mode on the device that it learnt on.
        examples: rows to learn from.
        plan: how.
        seed: >= 0, of everything random; the caller's random numbers are not touched.
        folder: gets checkpoint.pt, log.csv, tensorboard/, curves.png and steps.json.
        key: names recipe and fold; a checkpoint of another key is refused.
        validate: called with the network (averaged, in eval mode) every `plan.stopping.every` steps and at the end.
        resume: go on from the folder's checkpoint if there is one; else it is replaced.
        report: shows progress.
        fabric: launched, where several processes learn together; every one calls this. Default: one device.

    Raises:
        TrainingError: the loss is no longer a number (the last good checkpoint stays), or nothing can be learnt.
        CheckpointError: the checkpoint is damaged or of another recipe.
        ConfigError: a file cannot be written, or the plan does not fit the examples or the number of processes.
    """
    fabric = fabric or one_device(plan.optimiser.precision)
    with _own_randomness(fabric.device):
        run = _Run(network, examples, plan, seed, fabric, folder / CHECKPOINT, key)
        if resume:
            run.restore()
        if not run.finished:
            run.go(validate, report, folder)
        run.finish(folder)
    state = run.state
    best = state.best
    uar, step = (None, None) if best is None else (best.uar, best.step)
    return Learnt(tuple(state.history), uar, step, dict(state.seconds))


def one_device(precision: str) -> Fabric:
    """Return Lightning Fabric on the best device of this machine, a single one."""
    require("lightning_fabric", need="training a network", extra="train")
    from lightning_fabric import Fabric

    return Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]


class _Run:
    """The state of a run, and what moves it on."""

    def __init__(
        self, network: Network, examples: Examples, plan: Plan, seed: int, fabric: Fabric, path: Path, key: str
    ) -> None:
        _check(examples, plan, fabric.world_size)
        self.network, self.examples, self.plan, self.seed = network, examples, plan, seed
        self.fabric, self.path, self.key = fabric, path, key
        self.scaled = bool(fabric.strategy.precision.state_dict())
        optimiser = make_optimiser(network, plan.optimiser, fused=not self.scaled)
        self.model, self.optimiser = fabric.setup(network, optimiser)
        average = Average(network, plan.optimiser.average)
        self.state = State(network, optimiser, average, fabric.strategy.precision)
        self.watch = Stopwatch(self.state.seconds)
        self.drawer = Drawer(examples, plan.draw.balance)
        self.alpha = _alpha(examples, plan).to(fabric.device) if plan.loss.alpha else None

    @property
    def finished(self) -> bool:
        best = self.state.best
        tired = best is not None and best.misses >= self.plan.stopping.patience
        return tired or self.state.step >= self.plan.optimiser.steps

    def restore(self) -> None:
        """Every process goes on from what the first one reads: it need not be on the same machine."""
        content = self.fabric.broadcast(load(self.path, key=self.key) if self.fabric.is_global_zero else None)
        if content is not None:
            put_state(self.state, content, self.path)

    def go(self, validate: Validate | None, report: Report | None, folder: Path) -> None:
        """Take steps, measure, log, and save now and then."""
        state, steps, saved = self.state, self.plan.optimiser.steps, perf_counter()
        speaker = Speaker(report, steps=steps, done=state.step)
        with Log(folder, state.history, steps=steps) if self.fabric.is_global_zero else nullcontext() as log:
            while not self.finished:
                self.network.train()
                rate = rate_at(state.step, self.plan.optimiser)
                loss = self.step(state.step, rate)
                done = state.step + 1
                due = validate is not None and (done % self.plan.stopping.every == 0 or done == steps)
                uar = self.measure(validate, done) if validate is not None and due else None
                state.history.append(Row(done, loss, rate, uar, self.watch.total()))
                if log is not None:
                    log.write(state.history[-1])
                    speaker.say(state.history[-1])
                self.watch.lap("rest")
                if perf_counter() - saved >= self.plan.checkpoint_seconds or self.finished:
                    self.save()
                    saved = perf_counter()

    def step(self, step: int, rate: float) -> float:
        """Learn from `accumulate` batches, and return their mean loss."""
        plan, fabric = self.plan.optimiser, self.fabric
        # of dropout; torch.manual_seed looks for other kinds of devices as well, 80 µs against 1
        seeds = torch.default_generator.manual_seed if fabric.device.type == "cpu" else torch.manual_seed
        seeds(derived_seed(self.seed, step, NOISE, fabric.global_rank))
        generator = torch.Generator().manual_seed(derived_seed(self.seed, step, MIXING, fabric.global_rank))
        rows = self.drawer.rows(plan.batch * plan.accumulate, seed=self.seed, step=step)
        losses = []
        for number, part in enumerate(np.split(rows, plan.accumulate), start=1):
            # several processes exchange gradients once a step
            with fabric.no_backward_sync(self.model, enabled=number < plan.accumulate):
                loss, mean = self.loss(part, generator)
                fabric.backward(loss / plan.accumulate)
            self.watch.lap("backward")
            losses.append(mean)
        limit = plan.clip or math.inf
        norm = fabric.clip_gradients(self.model, self.optimiser, max_norm=limit, error_if_nonfinite=False)
        if not (self.scaled or cast(Tensor, norm).isfinite()):  # a step whose scaled gradients overflow is left out
            raise self.diverged("the gradient", [self.examples.name(row) for row in rows])
        set_rate(self.optimiser, rate)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.state.average.update(step)
        self.watch.lap("optimiser")
        return sum(losses) / len(losses)

    def loss(self, rows: NDArray[np.int64], generator: torch.Generator) -> tuple[Tensor, float]:
        """Compute the loss of this process's share of a batch, and the mean of all processes."""
        plan, fabric = self.plan, self.fabric
        plain = collate(self.examples, rows[fabric.global_rank :: fabric.world_size]).to(fabric.device)
        batch = augmented(plain, plan, generator)
        self.watch.lap("data")
        losses = batch_loss(self.model(batch.inputs, batch.mask), batch, plan.loss, self.alpha)
        loss = losses.mean()
        mean = float(cast(Tensor, fabric.all_reduce(loss.detach(), reduce_op="mean")))  # waits for the device
        self.watch.lap("forward")
        if not math.isfinite(mean):
            raise self.diverged("the loss", self.suspects(rows, plain, losses))
        return loss, mean

    def suspects(self, rows: NDArray[np.int64], batch: Batch, losses: Tensor) -> list[str]:
        """Name the clips whose inputs are no numbers; if all are, those whose loss is none."""
        for good in (batch.inputs.isfinite().all(2).all(1), losses.isfinite()):
            gathered = cast(Tensor, self.fabric.all_gather(good.int())).reshape(self.fabric.world_size, -1)
            bad = gathered.T.flatten().cpu().numpy() == 0  # in the order of rows, which were dealt out in turn
            if bad.any():
                return [self.examples.name(row) for row in rows[bad]]
        return [self.examples.name(row) for row in rows]

    def diverged(self, what: str, names: list[str]) -> TrainingError:
        return TrainingError(
            f"step {self.state.step + 1}: {what} is no longer a finite number; clips: {', '.join(names)}; look at "
            f"them, or lower optimiser.rate; {self.path} stays as it was saved last"
        )

    def measure(self, validate: Validate, step: int) -> float:
        """Measure the averaged weights, and keep them if they are the best so far."""
        self.watch.lap("rest")
        state = self.state
        with state.average.swapped(), torch.no_grad():
            self.network.eval()
            uar = self.fabric.broadcast(validate(self.network) if self.fabric.is_global_zero else 0.0)
            if state.best is None or uar > state.best.uar:
                weights = {name: value.detach().clone() for name, value in learnt_weights(self.network).items()}
                state.best = Best(uar, step, weights)
            else:
                state.best = replace(state.best, misses=state.best.misses + 1)
        self.watch.lap("validation")
        return uar

    def save(self) -> None:
        if self.fabric.is_global_zero:
            save(self.state, self.path, key=self.key)
        self.watch.lap("rest")

    def finish(self, folder: Path) -> None:
        """Put the weights to use in place, and show how it went."""
        state = self.state
        if state.best is not None:
            put_weights(self.network, state.best.weights)
        else:
            state.average.swap()
        self.network.eval()
        if self.fabric.is_global_zero:
            about = {"steps": state.step, "seconds": {part: round(value, 3) for part, value in state.seconds.items()}}
            write_whole(folder / STEPS, json_document(about).encode())
            save_figure(curves_figure(state.history, title=f"{state.step} steps"), folder / CURVES)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Give the caller's random numbers back as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def _check(examples: Examples, plan: Plan, processes: int) -> None:
    if plan.optimiser.batch % processes:
        raise ConfigError(
            f"optimiser.batch is {plan.optimiser.batch}, expected a multiple of the {processes} processes"
        )
    if not len(examples.labels):
        raise TrainingError("got no clip to learn from, expected at least one")
    lost = np.flatnonzero(~examples.allowed[np.arange(len(examples.labels)), examples.labels])
    if len(lost):
        raise TrainingError(
            f"{examples.name(int(lost[0]))}: got a class that its corpus does not have ({len(lost)} such rows); "
            "expected every label among the allowed classes"
        )


def _alpha(examples: Examples, plan: Plan) -> Tensor:
    """[classes]."""
    unknown = sorted(set(plan.loss.alpha) - set(examples.classes))
    if unknown:
        raise ConfigError(f"loss.alpha has {', '.join(unknown)}, expected some of {', '.join(examples.classes)}")
    return torch.tensor([plan.loss.alpha.get(name, 1.0) for name in examples.classes])
