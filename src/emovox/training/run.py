"""One training: every fold, its predictions, and the model fitted on all clips, kept in a run folder that resumes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from emovox.corpora.folds import Fold
from emovox.evaluation.predictions import Predictions, write_predictions
from emovox.models.svm import SvmModel
from emovox.schema.errors import RecipeError
from emovox.schema.files import write_whole
from emovox.schema.labels import merge_matrix
from emovox.schema.text import json_document
from emovox.training.cache import load_arrays, save_arrays
from emovox.training.cross_validation import FoldScores, masked_predictions, merged_predictions, run_fold
from emovox.training.fit import fit
from emovox.training.recipe import Recipe
from emovox.training.rows import Indices
from emovox.training.task import Task, task_folds
from emovox.training.views import NARROW, WHOLE

Report = Callable[[int, int, str], None]
"""Called with folds done, folds in all, and a sentence about the last one."""


@dataclass(frozen=True, eq=False)
class Run:
    """What a training gives: `predictions` by name of their CSV, and where wanted the model of the `trained` clips."""

    folder: Path
    folds: tuple[FoldScores, ...]
    predictions: dict[str, Predictions]
    trained: Indices
    model: SvmModel | None

    @property
    def temperature(self) -> float:
        """The median of the folds' temperatures (PROTOCOLS, rule 10)."""
        return float(np.median([fold.temperature for fold in self.folds]))


def train(task: Task, recipe: Recipe, folder: Path, *, resume: bool = False, report: Report | None = None) -> Run:
    """Cross-validate by the recipe's protocol, and fit on all clips if the recipe exports a model.

    A fold is written as soon as it is done; a stopped training goes on from there with `resume`, and gives the same
    figures as one that was not stopped.

    Args:
        task: clips and functionals.
        recipe: what to do.
        folder: the run folder; its `predictions/*.csv` are what `emovox evaluate FOLDER` reads.
        resume: go on in a folder that holds folds of the same recipe.
        report: shows progress.

    Raises:
        RecipeError: the folder holds a run of another recipe, or one that was not to be resumed; or the recipe names
            labels or corpora that do not fit the clips.
        ProtocolError: the protocol cannot be done honestly on these clips.
    """
    _check_names(task, recipe)
    folds = task_folds(task, recipe.data, seed=recipe.seed)
    _open_folder(folder, recipe, resume=resume)
    done = []
    for fold in folds:
        scores = _fold_scores(task, fold, recipe, folder / "folds" / f"{fold.number}.npz")
        done.append(scores)
        if report is not None:
            report(len(done), len(folds), _sentence(scores))
    trained = trained_clips(folds)
    predictions = all_predictions(task, done, recipe, trained=trained)
    for name, made in predictions.items():
        write_predictions(made, folder / "predictions" / f"{name}.csv")
    model = fit(task, trained, recipe).model if recipe.export else None
    return Run(folder, tuple(done), predictions, trained, model)


def trained_clips(folds: Sequence[Fold]) -> Indices:
    """Return the clips that the exported model learns from: all that some fold trains on (TESS is only ever scored)."""
    return np.unique(np.concatenate([np.array(fold.train, dtype=np.int64) for fold in folds]))


def all_predictions(
    task: Task, folds: Sequence[FoldScores], recipe: Recipe, *, trained: Indices
) -> dict[str, Predictions]:
    """Collect all folds' predictions by corpus: on the path of `predict`, its other views, merged to the labels.

    A corpus that no fold trains on (TESS among joint folds) is called zero-shot.
    """
    found = {}
    tested = {int(clip) for fold in folds for clip in fold.test}
    learnt = {task.clips[clip].corpus for clip in trained}
    for corpus in dict.fromkeys(task.clips[clip].corpus for clip in sorted(tested)):
        protocol = recipe.data.protocol if corpus in learnt else "zero-shot"
        name = f"{figure_name(task, corpus, recipe)}-{protocol}"
        found[name] = masked_predictions(task, folds, corpus)
        for view in (WHOLE, NARROW):
            found[f"{name}-{view}"] = masked_predictions(task, folds, corpus, view=view)
        if set(recipe.labels or task.classes) != set(task.classes):
            merged = "ravdess-7" if corpus == "ravdess" else corpus
            found[f"{merged}-{protocol}-seven"] = merged_predictions(task, folds, corpus, recipe.labels)
    return found


def figure_name(task: Task, corpus: str, recipe: Recipe) -> str:
    """Return the name of a corpus in tables: its label view, RAVDESS with calm apart being ravdess-8."""
    if recipe.data.view not in ("own", "seven"):
        return recipe.data.view
    if corpus == "ravdess":
        return "ravdess-8" if "calm" in task.classes else "ravdess-7"
    return corpus


def _check_names(task: Task, recipe: Recipe) -> None:
    unknown = sorted(set(recipe.augment.corpora) - set(task.corpora))
    if unknown:
        raise RecipeError(f"augment.corpora has {', '.join(unknown)}, expected some of {', '.join(task.corpora)}")
    try:
        merge_matrix(task.classes, recipe.labels or task.classes)
    except ValueError as error:
        raise RecipeError(f"labels: {error}; add it, or drop the class by --map when the corpus is indexed") from error


def _open_folder(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    resolved = folder / "recipe.json"
    if resolved.exists():
        same = resolved.read_text(encoding="utf-8") == recipe.to_json()
        if not resume:
            raise RecipeError(f"{folder}: holds a run already; go on with --resume, or name another folder by --output")
        if not same:
            raise RecipeError(f"{folder}: holds a run of another recipe; name another folder by --output")
        return
    versions = {
        name: version(name) for name in ("emovox", "numpy", "scipy", "scikit-learn", "numba", "soundfile", "soxr")
    }
    about = {"python": platform.python_version(), **versions, "recipe_sha256": recipe.sha256()}
    write_whole(folder / "versions.json", json_document(about).encode(), make_folder=True)
    write_whole(resolved, recipe.to_json().encode())


def _fold_scores(task: Task, fold: Fold, recipe: Recipe, path: Path) -> FoldScores:
    if path.is_file():
        arrays = load_arrays(path)
        if not np.array_equal(arrays["test"], fold.test):
            raise RecipeError(f"{path}: tests other clips than the corpus now has; name another folder by --output")
        plain = {name: array if array.ndim else array.item() for name, array in arrays.items()}
        return FoldScores(**plain)
    scores = run_fold(task, fold, recipe)
    save_arrays(path, **{name: np.asarray(value) for name, value in asdict(scores).items()})
    return scores


def _sentence(scores: FoldScores) -> str:
    return (
        f"fold {scores.number}: C {scores.c:g}, gamma {scores.gamma:g} "
        f"(UAR {scores.inner_uar:.1f} on held-out training speakers), temperature {scores.temperature:.2f}"
    )
