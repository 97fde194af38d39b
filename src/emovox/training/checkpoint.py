"""Checkpoints: one file, replaced as a whole, from which a run that was killed continues."""

from __future__ import annotations

import io
import math
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from emovox.schema.errors import CheckpointError
from emovox.schema.files import write_whole
from emovox.training.log import StepRecord
from emovox.training.optim import EMA

FORMAT = 3
"""Version of the file; it rises when a run cannot continue from an older checkpoint."""

Weights = dict[str, Tensor]

_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, RuntimeError, AssertionError),
    pickle.UnpicklingError,
)
"""Errors that torch raises for damaged files."""


class Stateful(Protocol):
    """An object with a state: Lightning Fabric's precision, whose scale of the loss changes over the steps."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Replace the state by this one."""


@dataclass(frozen=True, eq=False)
class Best:
    """The weights of the step with the highest UAR in [0, 1]; `misses` counts the measurements since then."""

    uar: float
    step: int
    weights: Weights
    misses: int = 0


@dataclass(eq=False)
class State:
    """The state of a run at the end of a step."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    ema: EMA | None
    precision: Stateful
    history: list[StepRecord] = field(default_factory=list)
    best: Best | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Return the number of steps done."""
        return len(self.history)


def learnt_weights(network: nn.Module) -> Weights:
    """Return what training changes, by name and not copied: parameters that learn, and buffers."""
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in network.state_dict().items() if name not in frozen}


@torch.no_grad()
def put_weights(network: nn.Module, weights: Weights) -> None:
    """Copy weights of the same network back into it.

    Raises:
        ValueError: names or shapes differ.
    """
    present = learnt_weights(network)
    if {name: value.shape for name, value in present.items()} != {name: value.shape for name, value in weights.items()}:
        raise ValueError("the weights are those of another network")
    for name, value in present.items():
        value.copy_(weights[name])


def save(state: State, path: Path, *, key: str) -> None:
    """Write a checkpoint; it replaces an older one.

    Args:
        state: the state of the run.
        path: of the file; its folder is made if it is missing.
        key: identifies the recipe.

    Raises:
        ConfigError: the file cannot be written; the older one is then unchanged.
    """
    best = state.best
    content = {
        "format": FORMAT,
        "key": key,
        "weights": learnt_weights(state.network),
        "ema": None if state.ema is None else learnt_weights(state.ema.module),
        "optimiser": state.optimiser.state_dict(),
        "precision": state.precision.state_dict(),
        "history": _to_table(state.history),
        "best": None if best is None else (best.uar, best.step, best.weights, best.misses),
        "seconds": dict(state.seconds),
    }
    buffer = io.BytesIO()  # torch hides the OSError of a full disk, so the bytes are written separately
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue(), make_folder=True)


def load(path: Path, *, key: str) -> dict[str, Any] | None:
    """Read a checkpoint; no code in the file is run.

    Args:
        path: as for `save`.
        key: identifies the recipe that continues.

    Returns:
        The content, on the CPU, for `put_state`; None if there is no such file.

    Raises:
        CheckpointError: not a checkpoint of this version, or one of another recipe.
    """
    for part in path.parent.glob(f".{path.name}.*.part"):
        part.unlink(missing_ok=True)  # left by a run that was killed during a save
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of format {FORMAT}; remove it to start again")
    if content.get("key") != key:
        raise CheckpointError(
            f"{path}: checkpoint of another recipe (got '{content.get('key')}', expected '{key}'); "
            "name another folder, or remove it to start again"
        )
    return content


def copy_checkpoint(source: Path, target: Path, *, key: str, new_key: str) -> None:
    """Copy a checkpoint for a recipe that begins with the same run of the loop.

    Args:
        source: the checkpoint.
        target: path of the copy.
        key: identifies the recipe of `source`.
        new_key: identifies the recipe that takes it over.

    Raises:
        CheckpointError: there is no such file, or it is damaged or of another recipe.
        ConfigError: the copy cannot be written.
    """
    content = load(source, key=key)
    if content is None:
        raise CheckpointError(f"{source}: there is no such checkpoint; train the run on this machine, or copy it whole")
    buffer = io.BytesIO()
    torch.save({**content, "key": new_key}, buffer)
    write_whole(target, buffer.getvalue(), make_folder=True)


def put_state(state: State, content: dict[str, Any], path: Path) -> None:
    """Put the content of a checkpoint into a state, so that its run continues.

    Args:
        state: of a run that has not begun; changed in place.
        content: what `load` returned.
        path: for messages.

    Raises:
        CheckpointError: the content does not fit the network.
    """
    try:
        put_weights(state.network, content["weights"])
        if state.ema is not None:
            put_weights(state.ema.module, content["ema"])
            state.ema.n_averaged.fill_(1 + len(content["history"]))
        state.optimiser.load_state_dict(content["optimiser"])
        state.precision.load_state_dict(content["precision"])
        state.history = _from_table(content["history"])
        state.best = None if content["best"] is None else Best(*content["best"])
        state.seconds.update(content["seconds"])
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    lines = str(error).splitlines() or [type(error).__name__]
    return CheckpointError(f"{path}: not a checkpoint of this network ({lines[0]}); remove it to start again")


def _to_table(history: list[StepRecord]) -> Tensor:
    """Return the history as [steps, columns] float64; NaN where UAR was not measured."""
    rows = [[math.nan if value is None else value for value in row] for row in history]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), len(StepRecord._fields))


def _from_table(table: Tensor) -> list[StepRecord]:
    return [
        StepRecord(int(step), loss, rate, None if math.isnan(uar) else uar, seconds)
        for step, loss, rate, uar, seconds in table.tolist()
    ]
