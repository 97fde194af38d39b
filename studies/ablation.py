"""What each change of the training clips brings: the same network with none of them, each alone, and all.

    python -m studies.ablation [RECIPE] [KEY=VALUE …] [--rows none,speed,…] [--without] [--folds 1,2] [--seeds 0,1,2]
                                  [--steps N] [--learn FOLDER] [--test FOLDER] [--results FOLDER] [--workers N]

RECIPE is of kind network, on one corpus (default: recipes/mobile-ravdess.toml); what it switches on is what is taken
apart: the tables of [augment], `spec-augment` and `mixup`. A teacher is left out. Scored are the test clips of the
folds as they are, with noise at 10 dB, and through 8 kHz G.711, all on the path of `predict`. The noises of the test
lie in another folder than those of training. Copies are made once with the first seed, so that the seeds differ in
weights and draws alone.

A unit of work is one row, seed and fold. It goes to the cache folder, from where a stopped run goes on. A row and seed
whose folds are done is written to results/ablation at once. `make results` makes the table. Processes that take
different seeds can run beside each other.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import soundfile
import torch

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.augment.codec import through_g711
from emovox.augment.config import ORDER, Augment
from emovox.augment.noise import at_snr
from emovox.augment.recordings import Recordings, read_noises
from emovox.corpora.folds import Fold
from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.corpora.views import label_space
from emovox.evaluation.figures.files import read_predictions, write_figure, write_predictions
from emovox.evaluation.figures.predictions import Predictions, join
from emovox.evaluation.report.document import to_markdown
from emovox.models.scores import softmax
from emovox.schema.errors import RecipeError
from emovox.schema.figure import FigureKey
from emovox.schema.files import replacing
from emovox.training.cache import cache_folder
from emovox.training.cross_validation import FoldScores, masked_predictions
from emovox.training.data.inputs import Inputs, make_inputs
from emovox.training.data.statistics import pooled
from emovox.training.data.task import Task, make_task, task_folds
from emovox.training.data.views import TILE
from emovox.training.held_out import clip_means
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.plan import Mixup, Plan, SpecAugment
from emovox.training.read import read_recipe
from emovox.training.stages.head import logits
from emovox.training.stages.stage import Fitted
from publish.ablation import ALL, CONDITIONS, NONE, WITHOUT, ablation_table, model_of, read_runs

RECIPE = "recipes/mobile-ravdess.toml"
LEARN, TEST = "$EMOVOX_NOISE/esc10", "$EMOVOX_NOISE/nonspeech100"
SNR_DB = 10.0
STEPS = 600
"""Of every stage: about 2 minutes a unit on one core, so that 66 units take an afternoon."""
IN_TRAINING = {"spec-augment": "spec_augment", "mixup": "mixup"}
"""Switches that are no change of the waveform: name → table of `learning` and `head_learning`."""


@dataclass(frozen=True, eq=False)
class Study:
    """What all units share: clips, folds, the test clips under each condition, and where things go."""

    task: Task
    folds: tuple[Fold, ...]
    tests: Mapping[str, Inputs]
    cache: Path
    results: Path
    workers: int


def main() -> None:
    """Run what is missing, then print the table of all that is there."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    recipe = with_noises(_read(options.recipe, options.assignments, options.steps), options.learn, options.test)
    rows = chosen_rows(recipe, options.rows, without=options.without)
    study = prepare(
        recipe, cache_folder(), options.results, test=options.test, folds=options.folds, workers=options.workers
    )
    units = [(row, seed, fold) for seed in options.seeds for row in rows for fold in study.folds]
    begun, done = time.monotonic(), 0
    for number, (row, seed, fold) in enumerate(units, start=1):
        if run_unit(study, row, rows[row], seed, fold, copies_seed=recipe.seed):
            done += 1
            left = (len(units) - number) * (time.monotonic() - begun) / done / 60
            _say(f"[{number}/{len(units)}] {row}, seed {seed}, fold {fold.number}; at most {left:.0f} min to go")
    print(to_markdown("Ablation", [ablation_table(read_runs(options.results))]))


def switches(recipe: NetworkRecipe) -> tuple[str, ...]:
    """Name what a recipe switches on."""
    waveform = [name for name in ORDER if getattr(recipe.augment, name).probability]
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
        augment=Augment(**{name: getattr(recipe.augment, name) for name in ORDER if name in names}),
        learning=_only(recipe.learning, names),
        head_learning=None if second is None else _only(second, names),
        export=False,
    )


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


def with_noises(recipe: NetworkRecipe, learn: str, test: str) -> NetworkRecipe:
    """Let training take its noises from one folder, after checking that the test's are not in it.

    Raises:
        RecipeError: one folder lies in the other.
    """
    first, second = (Path(os.path.expandvars(folder)).resolve() for folder in (learn, test))
    if first.is_relative_to(second) or second.is_relative_to(first):
        raise RecipeError(f"training learns from {first} and the test is made from {second}, expected folders apart")
    augment = msgspec.structs.replace(recipe.augment, noise=msgspec.structs.replace(recipe.augment.noise, source=learn))
    return msgspec.structs.replace(recipe, augment=augment)


def prepare(
    recipe: NetworkRecipe, cache: Path, results: Path, *, test: str, folds: Sequence[int], workers: int
) -> Study:
    """Read the clips, and make the noisy and the telephone's copies of the test clips.

    Raises:
        RecipeError: several corpora, or a fold that there is not.
    """
    task = make_task(load_clips(recipe.data.corpora), recipe.data)
    known = {fold.number: fold for fold in task_folds(task, recipe.data, seed=recipe.seed)}
    if len(task.corpora) > 1 or not set(folds) <= set(known):
        raise RecipeError(
            f"got {', '.join(task.corpora)} and folds {list(folds)}, expected one corpus and folds of {list(known)}"
        )
    chosen = tuple(known[number] for number in folds)
    tested = np.array(sorted({clip for fold in chosen for clip in fold.test}))
    noises = read_noises(Path(os.path.expandvars(test)))
    tests = {}
    for condition, change in _changes(noises).items():
        _say(f"test clips: {CONDITIONS[condition]}")
        folder = (
            cache / "ablation" / "clips" / f"{condition}-{noises.fingerprint[:12] if condition == 'noise-10' else ''}"
        )
        clips = [_copied(task.clips[index], change, folder) for index in tested]
        made = make_inputs(clips, recipe.encoder, copies={}, augment=Augment(), seed=0, folder=cache, workers=workers)
        tests[condition] = replace(made, owner=tested[made.owner])
    return Study(task, chosen, tests, cache, results, workers)


Change = Callable[[Samples, np.random.Generator], Samples]


def _changes(noises: Recordings) -> dict[str, Change | None]:
    def noisy(samples: Samples, rng: np.random.Generator) -> Samples:
        noise = noises.samples[int(rng.integers(len(noises.samples)))]
        return at_snr(samples, np.roll(noise, -int(rng.integers(len(noise)))), SNR_DB)

    def phone(samples: Samples, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        return through_g711(samples)

    return dict(zip(CONDITIONS, (None, noisy, phone), strict=True))


def _copied(clip: Clip, change: Change | None, folder: Path) -> Clip:
    """Write a changed copy of a clip unless it is there; the clip itself where nothing changes it."""
    if change is None:
        return clip
    digest = hashlib.sha256(f"{clip.corpus}/{clip.id} {os.path.getsize(clip.path)}".encode())
    path = folder / f"{digest.hexdigest()[:16]}.flac"
    if not path.is_file():
        audio, rate = load_audio(clip.path)
        samples = change(audio[0], np.random.default_rng(int.from_bytes(digest.digest()[:8])))
        with replacing(path, make_folder=True) as file:
            soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return msgspec.structs.replace(clip, path=str(path))


def run_unit(study: Study, row: str, recipe: NetworkRecipe, seed: int, fold: Fold, *, copies_seed: int) -> bool:
    """Train one row with one seed on one fold and score its test clips, unless that is done; say whether it was not."""
    own = msgspec.structs.replace(recipe, name=f"ablation-{row}", seed=seed)
    resolved = hashlib.sha256(own.to_json().encode()).hexdigest()  # defaults included: nobody else compares them
    run = study.cache / "ablation" / f"{row}-seed{seed}-{resolved[:12]}"
    folder = run / f"fold-{fold.number}"
    missing = not all((folder / f"{condition}.csv").is_file() for condition in CONDITIONS)
    if missing:
        inputs = make_inputs(
            study.task.clips,
            own.encoder,
            copies=own.copies,
            augment=own.augment,
            seed=copies_seed,
            folder=study.cache,
            workers=study.workers,
        )
        fitted = NetworkMethod(study.task, inputs, own).fit(np.array(fold.train, dtype=np.int64), folder)
        for condition, test in study.tests.items():
            write_predictions(scored(study.task, fitted, test, fold), folder / f"{condition}.csv")
    labels = label_space(corpus := study.task.corpora[0], own.data.view, calm="calm" in study.task.classes)
    for condition in CONDITIONS:
        done = [run / f"fold-{each.number}" / f"{condition}.csv" for each in study.folds]
        if all(path.is_file() for path in done):
            key = FigureKey(model_of(row, seed), corpus, labels, own.data.protocol, condition)
            write_figure(join([read_predictions(path) for path in done]), key, study.results)
    return missing


def scored(task: Task, fitted: Fitted, test: Inputs, fold: Fold) -> Predictions:
    """Score the fold's test clips from their tiles, as `predict` does."""
    clips = np.array(fold.test, dtype=np.int64)
    rows = test.select(clips, (TILE,))
    values = logits(fitted.network.head, pooled(fitted.network.encoder, test, rows))
    scores = softmax(values / fitted.temperature)
    tile = clip_means(scores, test.owner[rows], test.seconds[rows], len(task.clips))[clips]
    found = FoldScores(fold.number, clips, {TILE: tile}, fitted.temperature, {})
    return masked_predictions(task, [found], task.corpora[0])


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
    parser.add_argument("--test", default=TEST, help=f"noises of the test ({TEST})")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
