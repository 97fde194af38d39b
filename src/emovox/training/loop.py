"""How a network learns, from top to bottom.

`learn` takes steps until the plan ends or the held-out speakers gain nothing more. Everything random in a step follows
from the seed and the number of the step, so a run that was killed goes on with the very same losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
from emovox.training.checkpoint import Best, State, learnt_weights, load, put_state, put_weights, save
from emovox.training.data.examples import Examples
from emovox.training.data.mixing import augmented
from emovox.training.data.sampler import MIXING, NOISE, StratifiedSampler, derived_seed
from emovox.training.data.task import Indices
from emovox.training.log import Log, ProgressPrinter, Report, StepRecord, Stopwatch, curves_figure
from emovox.training.objectives import Weighted, make_objectives, weighted_loss
from emovox.training.optim import EMA, learning_rate_at, make_optimiser, set_learning_rate
from emovox.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT, STEPS, CURVES = "checkpoint.pt", "steps.json", "curves.png"

Validate = Callable[[Network], float]
"""Gives the UAR in [0, 1] of a network on clips of speakers that it does not learn from."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """How a run went: every step; the best UAR and its step, if measured; seconds by what they were spent on."""

    history: tuple[StepRecord, ...]
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
    objectives: Sequence[Weighted] | None = None,
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
        objectives: what is made small; those of `plan.loss` unless given.
        resume: go on from the folder's checkpoint if there is one; else it is replaced.
        report: shows progress.
        fabric: launched, where several processes learn together; every one calls this. Default: one device.

    Raises:
        TrainingError: the loss is no longer a number (the last good checkpoint stays), or nothing can be learnt.
        CheckpointError: the checkpoint is damaged or of another recipe.
        ConfigError: a file cannot be written, or the plan does not fit the examples or the number of processes.
    """
    fabric = fabric or one_device(plan.optimiser.precision)
    _check(examples, plan, fabric.world_size)
    objectives = make_objectives(plan.loss, examples.task.classes) if objectives is None else objectives
    steps, batch_size, accumulate = plan.optimiser.steps, plan.optimiser.batch, plan.optimiser.accumulate
    grad_clip = plan.optimiser.grad_clip or math.inf
    rank, world_size, device, is_first = fabric.global_rank, fabric.world_size, fabric.device, fabric.is_global_zero
    path = folder / CHECKPOINT
    with _own_randomness(device):
        # what a step changes; where a run goes on, all of it is as it was
        scaled = bool(fabric.strategy.precision.state_dict())  # half precision: a step that overflows is left out
        optimiser = make_optimiser(network, plan.optimiser, fused=not scaled)
        model, stepper = fabric.setup(network, optimiser)
        ema = EMA(network, plan.optimiser.average) if plan.optimiser.average else None
        averaged = network if ema is None else ema.module
        state = State(network, optimiser, ema, fabric.strategy.precision)
        if resume:  # every process goes on from what the first one reads: it need not be on the same machine
            content = fabric.broadcast(load(path, key=key) if is_first else None)
            if content is not None:
                put_state(state, content, path)

        sampler, watch, saved = StratifiedSampler(examples, plan.draw.balance), Stopwatch(state.seconds), perf_counter()
        printer = ProgressPrinter(report, steps=steps, done=state.step)
        with _log(folder, state, plan) if is_first else nullcontext() as log:
            while not _finished(state, plan):
                step = state.step
                learning_rate = learning_rate_at(step, plan.optimiser)
                network.train()
                generator = _seed_step(seed, step, rank, device)
                rows = sampler.rows(batch_size * accumulate, seed=seed, step=step)
                loss_sum = 0.0
                for micro_step, part in enumerate(np.split(rows, accumulate), start=1):
                    # data: this process's share of the batch
                    clean = examples.batch(part[rank::world_size]).to(device)
                    batch = augmented(clean, plan, generator)
                    watch.lap("data")
                    # forward; several processes exchange gradients once a step
                    with fabric.no_backward_sync(model, enabled=micro_step < accumulate):
                        outputs = model(batch.inputs, batch.mask)
                        losses = weighted_loss(objectives, outputs, batch)
                        loss = losses.mean()
                        mean = float(cast(Tensor, fabric.all_reduce(loss.detach(), reduce_op="mean")))  # waits
                        watch.lap("forward")
                        if not math.isfinite(mean):
                            good = clean.inputs.isfinite().all(2).all(1), losses.isfinite()
                            raise _diverged(step, "the loss", _suspects(examples, part, good, fabric), path)
                        fabric.backward(loss / accumulate)
                    watch.lap("backward")
                    loss_sum += mean
                # step
                norm = fabric.clip_gradients(model, stepper, max_norm=grad_clip, error_if_nonfinite=False)
                if not (scaled or cast(Tensor, norm).isfinite()):
                    raise _diverged(step, "the gradient", examples.names(rows), path)
                set_learning_rate(stepper, learning_rate)
                stepper.step()
                stepper.zero_grad()
                if ema is not None:
                    ema.update_parameters(network)
                watch.lap("optimiser")
                # validate
                done, uar = step + 1, None
                if validate is not None and (done % plan.stopping.every == 0 or done == steps):
                    watch.lap("rest")
                    averaged.eval()
                    with torch.no_grad():
                        uar = fabric.broadcast(validate(averaged) if is_first else 0.0)
                    state.best = _better(state.best, uar, done, averaged)
                    watch.lap("validation")
                # log, and save now and then
                state.history.append(StepRecord(done, loss_sum / accumulate, learning_rate, uar, watch.total()))
                if log is not None:
                    log.write(state.history[-1])
                    printer.say(state.history[-1])
                watch.lap("rest")
                if perf_counter() - saved >= plan.checkpoint_seconds or _finished(state, plan):
                    if is_first:
                        save(state, path, key=key)
                    watch.lap("rest")
                    saved = perf_counter()

    best = state.best
    put_weights(network, learnt_weights(averaged) if best is None else best.weights)
    network.eval()
    if is_first:
        about = {"steps": state.step, "seconds": {part: round(value, 3) for part, value in state.seconds.items()}}
        write_whole(folder / STEPS, json_document(about).encode())
        save_figure(curves_figure(state.history, title=f"{state.step} steps"), folder / CURVES)
    measured, best_step = (None, None) if best is None else (best.uar, best.step)
    return Learnt(tuple(state.history), measured, best_step, dict(state.seconds))


def one_device(precision: str) -> Fabric:
    """Return Lightning Fabric on the best device of this machine, a single one."""
    require("lightning_fabric", need="training a network", extra="train")
    from lightning_fabric import Fabric

    return Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Give the caller's random numbers back as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def _seed_step(seed: int, step: int, rank: int, device: torch.device) -> torch.Generator:
    """Seed dropout, and return what draws crops, stripes and mixtures."""
    # torch.manual_seed looks for other kinds of devices as well: 80 µs against 1
    seeds = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed
    seeds(derived_seed(seed, step, NOISE, rank))
    return torch.Generator().manual_seed(derived_seed(seed, step, MIXING, rank))


def _log(folder: Path, state: State, plan: Plan) -> Log | nullcontext[None]:
    """Open the log of a run that goes on; one that is finished leaves it as it is."""
    return nullcontext() if _finished(state, plan) else Log(folder, state.history, steps=plan.optimiser.steps)


def _finished(state: State, plan: Plan) -> bool:
    out_of_patience = state.best is not None and state.best.misses >= plan.stopping.patience
    return out_of_patience or state.step >= plan.optimiser.steps


def _better(best: Best | None, uar: float, step: int, network: Network) -> Best:
    """Return the weights that were just measured if they are the best so far, else the best with one miss more."""
    if best is not None and uar <= best.uar:
        return replace(best, misses=best.misses + 1)
    return Best(uar, step, {name: value.detach().clone() for name, value in learnt_weights(network).items()})


def _suspects(examples: Examples, rows: Indices, good: Sequence[Tensor], fabric: Fabric) -> Sequence[str]:
    """Name the clips whose inputs are no numbers; if all are, those whose loss is none."""
    for one in good:
        gathered = cast(Tensor, fabric.all_gather(one.int())).reshape(fabric.world_size, -1)
        bad = gathered.T.flatten().cpu().numpy() == 0  # in the order of rows, which were dealt out in turn
        if bad.any():
            return examples.names(rows[bad])
    return examples.names(rows)


def _diverged(step: int, what: str, names: Sequence[str], path: Path) -> TrainingError:
    return TrainingError(
        f"step {step + 1}: {what} is no longer a finite number; clips: {', '.join(names)}; look at them, or lower "
        f"optimiser.learning_rate; {path} stays as it was saved last"
    )


def _check(examples: Examples, plan: Plan, processes: int) -> None:
    if plan.optimiser.batch % processes:
        raise ConfigError(
            f"optimiser.batch is {plan.optimiser.batch}, expected a multiple of the {processes} processes"
        )
    if not len(examples):
        raise TrainingError("got no clip to learn from, expected at least one")
    allowed = examples.task.allowed[examples.owner, examples.labels]
    lost = np.flatnonzero(~allowed)
    if len(lost):
        (name,) = examples.names(lost[:1])
        raise TrainingError(
            f"{name}: got a class that its corpus does not have ({len(lost)} such rows); expected every label among "
            "the allowed classes"
        )
