"""Settle what a recipe for any recordings leaves open: protocol, copies and steps, by the clips that it gets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from emovox.augment.config import ORDER, rounds
from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA, SPEAKER_CORPORA
from emovox.schema.errors import ProtocolError
from emovox.training.data.task import make_task, task_folds
from emovox.training.plan import Plan
from emovox.training.recipe import AUTO, Data, Recipe
from emovox.training.run import check_classes

OWN = "own"
"""Key of `copies` and of `data.weights` for all corpora of the user that they do not name."""

FEWEST_STEPS = 200
"""Fewest steps of a plan with `passes`: below it the warm-up alone takes a good part of the training."""

R = TypeVar("R", bound=Recipe)
N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Settled:
    """A recipe that leaves nothing open, and notes for the user."""

    recipe: Any
    notes: tuple[str, ...]


def settle(recipe: Recipe, clips: Sequence[Clip]) -> Settled:
    """Return the recipe with the protocol, the copies and the steps that fit the clips.

    Args:
        recipe: of any kind; one that leaves nothing open is returned as it is.
        clips: all clips of its corpora.

    Raises:
        ProtocolError: the clips allow no protocol.
        RecipeError: fewer than two classes are left.
    """
    found = _with_amounts(recipe, clips)
    settled, notes = (found, []) if recipe.data.protocol != AUTO else _with_protocol(found, clips)
    return Settled(settled, tuple(notes))


def _with_protocol(recipe: R, clips: Sequence[Clip]) -> tuple[R, list[str]]:
    """Take speaker-independent folds where the clips allow them, else random ones."""
    data = msgspec.structs.replace(recipe.data, protocol="si")
    try:
        _check(clips, data)
    except ProtocolError as error:
        data = msgspec.structs.replace(recipe.data, protocol="sd")
        _check(clips, data)
        reason = str(error).removeprefix("si: ")
        note = f"note: random folds (protocol sd), so the figures are inflated and say nothing of new voices: {reason}"
        return msgspec.structs.replace(recipe, data=data), [note]
    return msgspec.structs.replace(recipe, data=data), []


def _check(clips: Sequence[Clip], data: Data) -> None:
    task = make_task(clips, data)
    check_classes(task, task_folds(task, data, seed=0))


def _with_amounts(recipe: R, clips: Sequence[Clip]) -> R:
    """Return the recipe, and that of its teacher, with copies and weights of the user's corpora, and with steps."""
    changes: dict[str, Any] = {}
    copies: dict[str, int] = _with_own(getattr(recipe, "copies", {}), clips)
    if OWN in getattr(recipe, "copies", {}):
        changes["copies"] = copies
    if OWN in recipe.data.weights:
        changes["data"] = msgspec.structs.replace(recipe.data, weights=_with_own(recipe.data.weights, clips))
    rows = sum(1 + copies.get(clip.corpus, 0) + bool(getattr(recipe, "whole", False)) for clip in clips)
    for name in ("learning", "head_learning"):
        plan = getattr(recipe, name, None)
        if isinstance(plan, Plan) and plan.optimiser.passes:
            changes[name] = _with_steps(plan, rows)
    teacher = getattr(recipe, "teacher", None)
    if teacher is not None:
        changes["teacher"] = msgspec.structs.replace(teacher, recipe=_with_amounts(teacher.recipe, clips))
    return msgspec.structs.replace(recipe, **changes) if changes else recipe


def _with_own(by_corpus: Mapping[str, N], clips: Sequence[Clip]) -> dict[str, N]:
    """Return values by corpus in which `OWN` is replaced by the corpora of the user."""
    named = {name: value for name, value in by_corpus.items() if name != OWN}
    if OWN not in by_corpus:
        return named
    corpora = dict.fromkeys(clip.corpus for clip in clips)
    mine = [name for name in corpora if name not in CORPORA and name not in SPEAKER_CORPORA]
    return {**dict.fromkeys(mine, by_corpus[OWN]), **named}


def _with_steps(plan: Plan, rows: int) -> Plan:
    """Return a plan whose steps pass `passes` times over the rows, from `FEWEST_STEPS` to its own number of steps."""
    optimiser = plan.optimiser
    wanted = math.ceil(optimiser.passes * rows / (optimiser.batch * optimiser.accumulate))
    steps = min(optimiser.steps, max(FEWEST_STEPS, wanted))
    return msgspec.structs.replace(plan, optimiser=msgspec.structs.replace(optimiser, steps=steps, passes=0.0))


def not_augmented(recipe: Recipe, corpora: set[str], *, where: str = "") -> Iterator[str]:
    """Yield a note on corpora without copies although augmentation is on, for the recipe and its teacher."""
    augment, copies = getattr(recipe, "augment", ()), getattr(recipe, "copies", {})
    switched_on = any(getattr(table, name).probability for table in rounds(augment) for name in ORDER)
    without = sorted(corpus for corpus in corpora if not copies.get(corpus))
    if switched_on and without:
        yield f"note: no [{where}copies] of {', '.join(without)}, so [{where}augment] changes nothing there"
    teacher = getattr(recipe, "teacher", None)
    if teacher is not None:
        yield from not_augmented(teacher.recipe, corpora, where="teacher.recipe.")
