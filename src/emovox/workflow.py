"""Train by a recipe in one call; the registry of the kinds of recipes.

A kind has the structure of its recipes, a check of their values, and the function that trains. Libraries that only one
kind needs are imported by that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from emovox.schema.config import convert
from emovox.schema.errors import ConfigError, RecipeError
from emovox.schema.extras import require
from emovox.schema.progress import Progress, no_progress
from emovox.training.cache import cache_folder
from emovox.training.read import read_document
from emovox.training.recipe import Recipe, recipe_problems
from emovox.training.run import Run

if TYPE_CHECKING:
    from emovox.corpora.manifest import Clip
    from emovox.training.face.recipe import FaceRecipe
    from emovox.training.fusion import FusionRecipe
    from emovox.training.log import Report
    from emovox.training.network_recipe import NetworkRecipe
    from emovox.training.pretraining import PretrainingRecipe
    from emovox.training.svm.recipe import SvmRecipe

R = TypeVar("R", bound=Recipe)

DEFAULT_KIND = "svm"


class Watcher:
    """Follows a training. This class shows nothing; the command line has a subclass that prints."""

    steps: Report | None = None
    """Called by the loop with the steps done, all steps, and a message."""

    def say(self, sentence: str) -> None:
        """Show a message."""

    def fold(self, done: int, total: int, sentence: str) -> None:
        """Show that `done` of `total` folds are done, with a message about the last one."""

    def progress(self, title: str) -> AbstractContextManager[Progress]:  # noqa: ARG002
        """Return a context in which the number of clips done is shown."""
        return nullcontext(no_progress)


@dataclass(frozen=True)
class TrainingJob(Generic[R]):
    """A training to run: a recipe, clips, and a run folder."""

    recipe: R
    clips: Sequence[Clip]
    folder: Path
    resume: bool
    workers: int
    watcher: Watcher


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of recipe.

    Attributes:
        struct: structure of its recipes.
        problems: returns a message for each value out of range in its tables.
        run: trains, and writes the run folder.
    """

    struct: type[R]
    problems: Callable[[R], list[str]]
    run: Callable[[TrainingJob[R]], Run[Any]]


def _svm() -> Kind[SvmRecipe]:
    _require_torch("svm")
    from emovox.training.svm.recipe import SvmRecipe, svm_problems

    return Kind(SvmRecipe, svm_problems, _run_svm)


def _network() -> Kind[NetworkRecipe]:
    _require_torch("network")
    from emovox.training.network_recipe import NetworkRecipe, network_problems

    return Kind(NetworkRecipe, network_problems, _run_network)


def _pretraining() -> Kind[PretrainingRecipe]:
    _require_torch("pretraining")
    from emovox.training.pretraining import PretrainingRecipe, pretraining_problems

    return Kind(PretrainingRecipe, pretraining_problems, _run_pretraining)


def _fusion() -> Kind[FusionRecipe]:
    from emovox.training.fusion import FusionRecipe, fusion_problems

    return Kind(FusionRecipe, fusion_problems, _run_fusion)


def _face() -> Kind[FaceRecipe]:
    _require_torch("face")
    from emovox.training.face.recipe import FaceRecipe, face_problems

    return Kind(FaceRecipe, face_problems, lambda job: _run_folds(job)[1])


KINDS: Mapping[str, Callable[[], Kind[Any]]] = {
    "svm": _svm,
    "network": _network,
    "pretraining": _pretraining,
    "fusion": _fusion,
    "face": _face,
}
"""All kinds, by the recipe's key `kind`."""


def read_recipe(path: Path, assignments: Sequence[str] = ()) -> Recipe:
    """Return a recipe with `key=value` arguments applied; see `emovox.training.read` for `base` and `teacher.recipe`.

    Returns:
        The structure of the recipe's kind (`SvmRecipe` …).

    Raises:
        RecipeError: the file cannot be read, or a kind, key, type or value is wrong; the message names file and key.
    """
    data = read_document(path, assignments)
    name = data.get("kind", DEFAULT_KIND)
    if not isinstance(name, str) or name not in KINDS:
        raise RecipeError(f"{path}: kind is {name!r}, expected one of {', '.join(KINDS)}")
    kind = KINDS[name]()
    try:
        recipe: Recipe = convert(data, kind.struct, where=str(path))
    except RecipeError:
        raise
    except ConfigError as error:  # from a table that checks itself
        raise RecipeError(f"{path}: {error}") from error
    for problem in (*recipe_problems(recipe), *kind.problems(recipe)):
        raise RecipeError(f"{path}: {problem}")
    return recipe


def train(
    recipe: str | Path | Recipe,
    assignments: Sequence[str] = (),
    *,
    folder: Path | None = None,
    resume: bool = False,
    workers: int = 2,
    watcher: Watcher | None = None,
) -> Run[Any]:
    """Train by a recipe: all folds of its protocol, and the exported model if the recipe has `export`.

    Args:
        recipe: path of a .toml file, or a recipe from `read_recipe`.
        assignments: changes of the file, each `key=value`.
        folder: the run folder. Default: `runs/NAME` in the cache folder.
        resume: continue a training that was stopped; the figures come out the same.
        workers: number of processes that compute features.
        watcher: follows the training.

    Returns:
        The run; `Run.load(folder)` reads it again. That of a pretraining has no predictions.

    Raises:
        RecipeError: the recipe cannot be read or does not fit the clips, or the folder holds another run.
        MissingExtraError: a library is not installed; the message names the extra.
        CorpusError: clips that cannot be read or decoded.
        ProtocolError: the clips do not allow the protocol.
        TrainingError: the loss is no longer finite.
    """
    for module in ("numba", "sklearn", "matplotlib"):
        require(module, need="emovox train", extra="evaluate")
    from emovox.corpora.load import load_clips

    plan = recipe if isinstance(recipe, Recipe) else read_recipe(Path(recipe), assignments)
    if plan.export:
        for module in ("torch", "onnx", "onnxslim"):
            require(module, need=f"export of '{plan.name}'", extra="train")
    place = folder or cache_folder() / "runs" / plan.name
    if not plan.data.corpora:
        raise RecipeError(
            f"{plan.name}: data.corpora is empty, expected recordings; name a folder, a table or a manifest by --data"
        )
    from emovox.training.settle import settle

    clips = load_clips(plan.data.corpora, name=plan.data.name)
    watcher = watcher or Watcher()
    settled = settle(plan, clips)
    for note in settled.notes:
        watcher.say(note)
    return KINDS[plan.kind]().run(TrainingJob(settled.recipe, clips, place, resume, workers, watcher))


def transfer(
    recipe: str | Path | Recipe,
    assignments: Sequence[str] = (),
    *,
    folder: Path,
    pairs: bool = True,
    resume: bool = False,
    workers: int = 2,
    watcher: Watcher | None = None,
) -> Path:
    """Measure how a recipe carries over from corpus to corpus, and write `transfer.md`, `.csv` and `.png`.

    Args:
        recipe: of a network or of the baseline, as for `train`.
        assignments: as for `train`.
        folder: the run folder.
        pairs: whether models learn from single corpora too, not only from all in other languages.
        resume: continue a run that was stopped.
        workers: number of processes that compute features.
        watcher: follows the run.

    Returns:
        The path of `transfer.md`.

    Raises:
        RecipeError: the recipe cannot be read or does not fit the clips, or the folder holds another run.
        MissingExtraError: a library is not installed; the message names the extra.
        ProtocolError: fewer than two corpora, or clips without speaker or language.
        CorpusError: clips that cannot be read or decoded.
    """
    for module in ("numba", "sklearn", "matplotlib", "jinja2"):
        require(module, need="emovox transfer", extra="evaluate")
    given = recipe if isinstance(recipe, Recipe) else read_recipe(Path(recipe), assignments)
    if given.kind not in METHODS:
        raise RecipeError(f"{given.name}: kind is '{given.kind}', expected one of {', '.join(METHODS)}")
    from emovox.corpora.load import load_clips
    from emovox.evaluation.report.transfer import write_transfer_report
    from emovox.training.data.task import make_task
    from emovox.training.run_folder import is_same_run, open_folder
    from emovox.training.settle import settle
    from emovox.training.transfer import transfer_fits, transfer_recipe, transferred

    watcher = watcher or Watcher()
    clips = load_clips(given.data.corpora, name=given.data.name)
    plan = settle(transfer_recipe(given), clips).recipe
    task = make_task(clips, plan.data)
    planned = transfer_fits(task, pairs=pairs)  # all checks come before inputs are computed for hours
    is_same_run(folder, plan, resume=resume)
    with watcher.progress("clips: inputs") as progress:
        prepared = _prepared(plan.kind, watcher)
        method = prepared(task, plan, folder=cache_folder(), workers=workers, progress=progress)
    open_folder(folder, plan, method.versions, resume=resume)
    figures = transferred(task, method, planned, folder, report=watcher.fold)
    return write_transfer_report(figures, folder, title=f"Transfer of {given.name}")


METHODS = ("svm", "network")
"""Kinds of recipes whose methods `transfer` can take from corpus to corpus."""


def _prepared(kind: str, watcher: Watcher) -> Callable[..., Any]:
    """Return what prepares a method, by the kind of its recipe; a pretraining has none."""
    if kind == "svm":
        from emovox.training.svm.method import SvmMethod

        return SvmMethod.prepared
    if kind == "fusion":
        from emovox.training.fusion import FusionMethod

        return FusionMethod.prepared
    if kind == "face":
        from emovox.training.face.method import FaceMethod

        return partial(FaceMethod.prepared, report=watcher.steps)
    from emovox.training.network import NetworkMethod

    return partial(NetworkMethod.prepared, report=watcher.steps)


def _require_torch(kind: str) -> None:
    for module in ("torch", "lightning_fabric", "safetensors"):
        require(module, need=f"a recipe of kind {kind}", extra="train")


def _run_svm(job: TrainingJob[SvmRecipe]) -> Run[Any]:
    from emovox.training.svm.pictures import write_pictures

    method, run = _run_folds(job)
    for picture in write_pictures(method, job.folder / "pictures"):
        job.watcher.say(f"picture: {picture}")
    return run


def _run_network(job: TrainingJob[NetworkRecipe]) -> Run[Any]:
    from emovox.training.pictures import write_embeddings

    method, run = _run_folds(job)
    for picture in write_embeddings(method, run):
        job.watcher.say(f"picture: {picture}")
    return run


def _run_fusion(job: TrainingJob[FusionRecipe]) -> Run[Any]:
    method, run = _run_folds(job)
    weights = method.fit(run.trained, job.folder)
    shown = ",".join(("voice", *(f"{name}={weight:.1f}" for name, weight in weights.items())))
    job.watcher.say(f"weights on all clips: emovox predict … --model {job.recipe.voice} --modalities {shown}")
    return run


def _run_folds(job: TrainingJob[Any]) -> tuple[Any, Run[Any]]:
    """Prepare a method, run it on all folds, and export its model if the recipe has `export`."""
    from emovox.training.data.task import make_task
    from emovox.training.run import check_training, trained_clips
    from emovox.training.run import train as train_folds
    from emovox.training.settle import not_augmented

    recipe, watcher = job.recipe, job.watcher
    task = make_task(job.clips, recipe.data)
    watcher.say(f"{len(task.clips)} clips, {len(task.classes)} classes: {', '.join(task.classes)}")
    folds = check_training(task, recipe, job.folder, resume=job.resume)  # before inputs are computed for hours
    for note in not_augmented(recipe, {task.clips[clip].corpus for clip in trained_clips(folds)}):
        watcher.say(note)
    with watcher.progress("clips: inputs") as progress:
        prepared = _prepared(recipe.kind, watcher)
        method = prepared(task, recipe, folder=cache_folder(), workers=job.workers, progress=progress)
    run = train_folds(task, recipe, job.folder, method, resume=job.resume, report=watcher.fold, say=watcher.say)
    if run.model is not None:
        from emovox.export.network import export_network

        watcher.say(f"model: {export_network(run, job.folder)}")
    return method, run


def _run_pretraining(job: TrainingJob[PretrainingRecipe]) -> Run[Any]:
    from emovox.training.pretraining import Pretraining, speaker_task
    from emovox.training.run_folder import is_same_run

    is_same_run(job.folder, job.recipe, resume=job.resume)  # before inputs are computed for hours
    task = speaker_task(job.clips)
    job.watcher.say(f"{len(task.clips)} clips of {len(task.classes)} speakers")
    with job.watcher.progress("clips: inputs") as progress:
        pretraining = Pretraining.prepared(
            task, job.recipe, folder=cache_folder(), workers=job.workers, progress=progress
        )
    pretraining.run(job.folder, resume=job.resume, report=job.watcher.steps)
    return Run(job.folder, (), {}, pretraining.learnt, None)
