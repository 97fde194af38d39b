"""The gain of each change of the training clips: the same network with none of them, each alone, and all.

    python -m studies.ablation [RECIPE] [KEY=VALUE …] [--rows none,speed,…] [--without] [--folds 1,2] [--seeds 0,1,2]
                                  [--steps N] [--learn FOLDER] [--results FOLDER] [--workers N]

RECIPE is of kind network, on one corpus (default: recipes/mobile-ravdess.toml); what it switches on is what is taken
apart: the tables of [augment], `spec-augment` and `mixup`. A teacher is left out. The folds are run as by
`emovox train`, under the further test conditions noise-10 and phone; training takes its noises from another folder.
Copies are made once with the recipe's seed, so that the seeds differ in weights and draws alone.

A unit of work is one row, seed and fold. It goes to the cache folder, from which a stopped run resumes. A row and seed
whose folds are done is written to results/ablation at once. `make results` makes the table. Processes that take
different seeds can run beside each other.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import torch

from emovox.augment.conditions import check_conditions
from emovox.augment.config import ORDER, Augment, rounds
from emovox.corpora.folds import Fold
from emovox.corpora.load import load_clips
from emovox.evaluation.figures.files import write_figure
from emovox.evaluation.report.document import to_markdown
from emovox.schema.errors import RecipeError
from emovox.training.cache import cache_folder
from emovox.training.data.task import Task, make_task, task_folds
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Mixup, Plan, SpecAugment
from emovox.training.run import all_predictions, run_fold, trained_clips
from emovox.training.run_folder import open_folder
from emovox.workflow import read_recipe
from publish.ablation import ALL, CONDITIONS, NONE, WITHOUT, ablation_table, model_of, read_runs

RECIPE = "recipes/mobile-ravdess.toml"
LEARN = "$EMOVOX_NOISE/esc10"
"""Noises of training; those of the test are `emovox.augment.conditions.TEST_NOISE`."""

FURTHER = ("noise-10", "phone")
"""Test conditions beside those of every run."""

STEPS = 600
"""Of every stage: about 2 minutes a unit on one core, so that 66 units take an afternoon."""

IN_TRAINING = {"spec-augment": "spec_augment", "mixup": "mixup"}
"""Switches that are no change of the waveform: name → table of `learning` and `head_learning`."""


def main() -> None:
    """Run what is missing, then print the table of all that is there."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    recipe = with_noises(_read(options.recipe, options.assignments, options.steps), options.learn)
    rows = chosen_rows(recipe, options.rows, without=options.without)
    task, folds = prepare(recipe, options.folds)
    begun, done = time.monotonic(), 0
    for row, of_row in rows.items():
        method = NetworkMethod.prepared(task, of_row, folder=cache_folder(), workers=options.workers)
        for seed in options.seeds:
            own = msgspec.structs.replace(of_row, name=f"ablation-{row}", seed=seed)
            done += run_row(replace(method, recipe=own), row, folds, results=options.results)
            left = (len(rows) * len(options.seeds) * len(folds) - done) * (time.monotonic() - begun) / max(done, 1) / 60
            _say(f"{row}, seed {seed}; at most {left:.0f} min to go")
    print(to_markdown("Ablation", [ablation_table(read_runs(options.results))]))


def switches(recipe: NetworkRecipe) -> tuple[str, ...]:
    """Name what a recipe switches on."""
    tables = rounds(recipe.augment)
    waveform = [name for name in ORDER if any(getattr(table, name).probability for table in tables)]
    inside = [
        name
        for name, table in IN_TRAINING.items()
        if any(getattr(plan, table).probability for plan in recipe.plans.values())
    ]
    return (*waveform, *inside)


def only(recipe: NetworkRecipe, names: Sequence[str]) -> NetworkRecipe:
    """Switch everything else off; as many copies are made as before, unchanged where nothing changes them."""
    second = recipe.head_learning
    return msgspec.structs.replace(
        recipe,
        augment=_each(recipe, lambda table: Augment(**{name: getattr(table, name) for name in ORDER if name in names})),
        learning=_only(recipe.learning, names),
        head_learning=None if second is None else _only(second, names),
        export=False,
    )


def _each(recipe: NetworkRecipe, change: Callable[[Augment], Augment]) -> Augment | tuple[Augment, ...]:
    """Return the changed table of a recipe, or all of several."""
    tables = tuple(map(change, rounds(recipe.augment)))
    return tables if isinstance(recipe.augment, tuple) else tables[0]


def _only(plan: Plan, names: Sequence[str]) -> Plan:
    return msgspec.structs.replace(
        plan,
        spec_augment=plan.spec_augment if "spec-augment" in names else SpecAugment(),
        mixup=plan.mixup if "mixup" in names else Mixup(),
    )


def chosen_rows(recipe: NetworkRecipe, wanted: str, *, without: bool) -> dict[str, NetworkRecipe]:
    """Make the recipe of each row.

    Args:
        recipe: with everything on.
        wanted: names of rows, separated by commas; "" for all.
        without: whether "all but one" is among these.

    Raises:
        RecipeError: a row that cannot be made of this recipe.
    """
    on = switches(recipe)
    rows = {NONE: only(recipe, ()), **{name: only(recipe, (name,)) for name in on}, ALL: only(recipe, on)}
    rest = {f"{WITHOUT}{name}": only(recipe, [other for other in on if other != name]) for name in on}
    names = wanted.split(",") if wanted else [*rows, *(rest if without else ())]
    for name in names:
        if name not in rows | rest:
            raise RecipeError(f"--rows has '{name}', expected some of {', '.join([*rows, *rest])}")
    return {name: (rows | rest)[name] for name in names}


def with_noises(recipe: NetworkRecipe, learn: str) -> NetworkRecipe:
    """Let training take its noises from a folder, and ask for the further conditions.

    Raises:
        RecipeError: the noises of the test lie in that folder too.
    """
    change = msgspec.structs.replace
    augment = _each(recipe, lambda table: change(table, noise=change(table.noise, source=learn)))
    check_conditions(FURTHER, learnt=Path(os.path.expandvars(learn)))
    return change(recipe, augment=augment, conditions=FURTHER)


def prepare(recipe: NetworkRecipe, folds: Sequence[int]) -> tuple[Task, tuple[Fold, ...]]:
    """Read the clips, and choose the folds.

    Raises:
        RecipeError: several corpora, or a fold that there is not.
    """
    task = make_task(load_clips(recipe.data.corpora), recipe.data)
    known = {fold.number: fold for fold in task_folds(task, recipe.data, seed=recipe.seed)}
    if len(task.corpora) > 1 or not set(folds) <= set(known):
        raise RecipeError(
            f"got {', '.join(task.corpora)} and folds {list(folds)}, expected one corpus and folds of {list(known)}"
        )
    return task, tuple(known[number] for number in folds)


def run_row(method: NetworkMethod, row: str, folds: Sequence[Fold], *, results: Path) -> int:
    """Run the folds of one row and seed, write their figures, and return how many folds there are."""
    task, recipe = method.task, method.recipe
    resolved = hashlib.sha256(recipe.to_json().encode()).hexdigest()
    folder = cache_folder() / "ablation" / f"{row}-seed{recipe.seed}-{resolved[:12]}"
    open_folder(folder, recipe, method.versions, resume=True)
    scores = [run_fold(task, method, fold, folder, recipe) for fold in folds]
    for key, made in all_predictions(task, scores, recipe, trained=trained_clips(folds)).items():
        if key.condition in CONDITIONS:
            write_figure(made, replace(key, model=model_of(row, recipe.seed)), results)
    return len(folds)


def _read(path: Path, assignments: list[str], steps: int) -> NetworkRecipe:
    own = [*assignments, "export=false", "teacher.recipe=''", "learning.loss.hint=0"]
    recipe = read_recipe(path, own)
    if not isinstance(recipe, NetworkRecipe):
        raise RecipeError(f"{path}: kind is {recipe.kind}, expected network")
    short = [f"{name}.optimiser.steps={steps}" for name in recipe.plans]
    changed = read_recipe(path, [*own, *short])
    assert isinstance(changed, NetworkRecipe)
    return changed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", type=Path, default=Path(RECIPE))
    parser.add_argument("assignments", nargs="*", metavar="KEY=VALUE", help="changes to the recipe")
    parser.add_argument("--rows", default="", help="rows to run, separated by commas")
    parser.add_argument("--without", action="store_true", help="all but one, too")
    parser.add_argument("--folds", type=_numbers, default=(1, 2))
    parser.add_argument("--seeds", type=_numbers, default=(0, 1, 2))
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of every stage, in place of the recipe's ({STEPS})")
    parser.add_argument("--learn", default=LEARN, help=f"noises of training ({LEARN})")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
