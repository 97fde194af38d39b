"""The training loop, from top to bottom.

`learn` runs until the last step of the plan, or until the UAR of held-out speakers stops improving. All randomness of a
step comes from the seed and the number of the step. So a run that was killed continues with exactly the same losses.
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
from emovox.training.optim import EMA, learning_rate_at, make_optimiser, set_learning_rate, usable_precision
from emovox.training.plan import Plan

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT, STEPS, CURVES = "checkpoint.pt", "steps.json", "curves.png"

Validate = Callable[[Network], float]
"""Returns the UAR in [0, 1] of a network on clips of held-out speakers."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """The course of a run: all steps, the best UAR in [0, 1] and its step if measured, and seconds by part."""

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
    """Train a network; it ends with the best weights if UAR was measured, else with the average or the last ones.

    Args:
        network: changed in place; afterwards in eval mode, on the device of the training.
        examples: rows to learn from.
        plan: optimiser, steps, batches, augmentation and stopping.
        seed: of all randomness, >= 0; the caller's random state is unchanged.
        folder: gets checkpoint.pt, log.csv, tensorboard/, curves.png and steps.json.
        key: identifies recipe and fold; a checkpoint with another key is refused.
        validate: called with the network (averaged, in eval mode) every `plan.stopping.every` steps and at the end.
        objectives: terms of the loss. Default: those of the plan.
        resume: continue from the folder's checkpoint if there is one; otherwise the checkpoint is replaced.
        report: called with the progress.
        fabric: launched, if several processes train together; each of them calls this. Default: one device.

    Warns:
        UserWarning: the processor has no LSTM in half precision, so the training runs in single precision.

    Raises:
        TrainingError: the loss is no longer finite (the last good checkpoint is kept), or there is nothing to learn.
        CheckpointError: the checkpoint is damaged or of another recipe.
        ConfigError: a file cannot be written, or the plan does not fit the examples or the number of processes.
    """
    fabric = fabric or one_device(usable_precision(network, plan.optimiser.precision))
    _check(examples, plan, fabric.world_size)
    objectives = make_objectives(plan, examples.task.classes) if objectives is None else objectives
    steps, batch_size, accumulate = plan.optimiser.steps, plan.optimiser.batch, plan.optimiser.accumulate
    grad_clip = plan.optimiser.grad_clip or math.inf
    rank, world_size, device, is_first = fabric.global_rank, fabric.world_size, fabric.device, fabric.is_global_zero
    path = folder / CHECKPOINT
    with _fork_randomness(device):
        # the state that a step changes; a run that continues restores all of it
        scaled = bool(fabric.strategy.precision.state_dict())  # half precision: a step that overflows is skipped
        optimiser = make_optimiser(network, plan.optimiser, fused=not scaled)
        model, stepper = fabric.setup(network, optimiser)
        ema = EMA(network, plan.optimiser.average) if plan.optimiser.average else None
        averaged = network if ema is None else ema.module
        state = State(network, optimiser, ema, fabric.strategy.precision)
        if resume:  # the first process reads for all: the others may be on other machines
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
                    batch = replace(augmented(clean, plan, generator), progress=step / steps)
                    watch.lap("data")
                    # forward; several processes exchange gradients once per step
                    with fabric.no_backward_sync(model, enabled=micro_step < accumulate):
                        outputs = model(batch.inputs, batch.mask)
                        losses = weighted_loss(objectives, outputs, batch)
                        loss = losses.mean()
                        mean = float(cast(Tensor, fabric.all_reduce(loss.detach(), reduce_op="mean")))  # waits
                        watch.lap("forward")
                        if not math.isfinite(mean):
                            good = clean.inputs.isfinite().all(2).all(1), losses.isfinite()
                            raise _diverged(step, "the loss", _suspects(examples, part, good, fabric), path, plan)
                        fabric.backward(loss / accumulate)
                    watch.lap("backward")
                    loss_sum += mean
                # step
                norm = fabric.clip_gradients(model, stepper, max_norm=grad_clip, error_if_nonfinite=False)
                if not (scaled or cast(Tensor, norm).isfinite()):
                    raise _diverged(step, "the gradient", examples.names(rows), path, plan)
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
                # log, and save every `plan.checkpoint_seconds`
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
    """Return Lightning Fabric on one device, the best of this machine."""
    require("lightning_fabric", need="training a network", extra="train")
    from lightning_fabric import Fabric

    return Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]


@contextmanager
def _fork_randomness(device: torch.device) -> Iterator[None]:
    """Restore the caller's random state at the end."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def _seed_step(seed: int, step: int, rank: int, device: torch.device) -> torch.Generator:
    """Seed dropout, and return the generator of crops, stripes and mixtures."""
    # torch.manual_seed also seeds other kinds of devices: 80 µs instead of 1
    seeds = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed
    seeds(derived_seed(seed, step, NOISE, rank))
    return torch.Generator().manual_seed(derived_seed(seed, step, MIXING, rank))


def _log(folder: Path, state: State, plan: Plan) -> Log | nullcontext[None]:
    """Open the log of a run that continues; that of a finished run stays as it is."""
    return nullcontext() if _finished(state, plan) else Log(folder, state.history, steps=plan.optimiser.steps)


def _finished(state: State, plan: Plan) -> bool:
    out_of_patience = state.best is not None and state.best.misses >= plan.stopping.patience
    return out_of_patience or state.step >= plan.optimiser.steps


def _better(best: Best | None, uar: float, step: int, network: Network) -> Best:
    """Return the present weights if they are the best so far; otherwise the best ones with one more miss."""
    if best is not None and uar <= best.uar:
        return replace(best, misses=best.misses + 1)
    return Best(uar, step, {name: value.detach().clone() for name, value in learnt_weights(network).items()})


def _suspects(examples: Examples, rows: Indices, good: Sequence[Tensor], fabric: Fabric) -> Sequence[str]:
    """Return the names of clips whose inputs are not finite; if all inputs are, of those whose loss is not finite."""
    for one in good:
        gathered = cast(Tensor, fabric.all_gather(one.int())).reshape(fabric.world_size, -1)
        bad = gathered.T.flatten().cpu().numpy() == 0  # in the order of rows: processes took them in turn
        if bad.any():
            return examples.names(rows[bad])
    return examples.names(rows)


def _diverged(step: int, what: str, names: Sequence[str], path: Path, plan: Plan) -> TrainingError:
    keys = "optimiser.learning_rate" + (" or adversary.strength" if plan.adversary.on else "")
    return TrainingError(
        f"step {step + 1}: {what} is no longer a finite number; clips: {', '.join(names)}; check them, or lower "
        f"{keys}; {path} is still the last checkpoint"
    )


def _check(examples: Examples, plan: Plan, processes: int) -> None:
    if plan.optimiser.batch % processes:
        raise ConfigError(
            f"optimiser.batch is {plan.optimiser.batch}, expected a multiple of the {processes} processes"
        )
    if not len(examples):
        raise TrainingError("got no clip to learn from, expected at least one")
    allowed = examples.task.allowed[examples.owner, examples.labels]
    wrong = np.flatnonzero(~allowed)
    if len(wrong):
        (name,) = examples.names(wrong[:1])
        raise TrainingError(
            f"{name}: got a class that its corpus does not have ({len(wrong)} such rows); expected every label among "
            "the allowed classes"
        )
