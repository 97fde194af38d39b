"""A run: all folds, their predictions, and the model fitted on all clips, in a folder from which it can resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from emovox.corpora.folds import Fold
from emovox.corpora.views import label_space
from emovox.evaluation.adaptation.counts import write_counts
from emovox.evaluation.figures.files import read_predictions, write_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.schema.errors import ProtocolError, RecipeError
from emovox.schema.figure import SEVEN, FigureKey
from emovox.schema.labels import merge_matrix
from emovox.schema.text import in_words
from emovox.training.cross_validation import FoldScores, masked_predictions, merged_predictions
from emovox.training.data.task import Indices, Task, task_folds
from emovox.training.fold_file import is_done, read_fold, write_fold
from emovox.training.recipe import Recipe
from emovox.training.run_folder import RESOLVED, is_same_recipe, is_same_run, model_folder, no_run, open_folder

if TYPE_CHECKING:
    from emovox.models.trained import TrainedModel

ADAPTATION = "adaptation.csv"
"""The counts of the adaptation protocol of all folds."""

Report = Callable[[int, int, str], None]
"""Called with the folds done, all folds, and a message about the last one."""

Model = TypeVar("Model")
Fitted = TypeVar("Fitted", covariant=True)


class Method(Protocol[Fitted]):
    """A kind of model that is trained; it holds task and recipe.

    The method may keep checkpoints in the folders that it gets; it makes these folders itself. What is in them comes
    from the same method and recipe. The result must be the same whether it continues from there or starts again.
    """

    @property
    def versions(self) -> tuple[str, ...]:
        """Return the names of distributions whose versions the run records."""

    def fold(self, fold: Fold, folder: Path) -> FoldScores:
        """Fit on the fold's training clips, and return the scores of its test clips under all test conditions."""

    def fit(self, trained: Indices, folder: Path) -> Fitted:
        """Fit on these clips, and return the model that is exported."""

    def sentence(self, scores: FoldScores) -> str:
        """Return a short message about a fold."""


@dataclass(frozen=True, eq=False)
class Run(Generic[Model]):
    """The result of a training.

    Attributes:
        folder: the run folder.
        temperatures: of the folds, in their order.
        predictions: out of fold, by figure.
        trained: numbers of the clips that the model was trained on.
        model: trained on all of these clips; None if the recipe exports no model.
    """

    folder: Path
    temperatures: tuple[float, ...]
    predictions: dict[FigureKey, Predictions]
    trained: Indices
    model: Model | None

    @property
    def temperature(self) -> float:
        """Return the median of the folds' temperatures (docs/protocols.md, rule 10)."""
        return float(np.median(self.temperatures))

    @classmethod
    def load(cls, folder: Path) -> Run[TrainedModel]:
        """Read a run from its folder, finished or not.

        Args:
            folder: the run folder.

        Returns:
            The run; `trained` is empty, since the network's card names the training data.

        Raises:
            RecipeError: the folder holds no run.
            WeightsError: its network is damaged.
        """
        from emovox.models.trained import TrainedModel

        try:
            name = json.loads((folder / RESOLVED).read_bytes())["name"]
            folds = [json.loads(path.read_bytes()) for path in folder.glob("folds/*.json")]
            temperatures = {int(fold["fold"]): float(fold["temperature"]) for fold in folds}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise no_run(folder, error) from error
        files = sorted((folder / "predictions").glob("*.csv"))
        predictions = {FigureKey.parse(name, path.stem): read_predictions(path) for path in files}
        last = model_folder(folder)
        model = TrainedModel.load(last) if last.is_dir() else None
        return Run(folder, tuple(temperatures[n] for n in sorted(temperatures)), predictions, np.arange(0), model)


def train(
    task: Task,
    recipe: Recipe,
    folder: Path,
    method: Method[Model],
    *,
    resume: bool = False,
    report: Report | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Run[Model]:
    """Cross-validate by the recipe's protocol, and fit on all clips if the recipe exports a model.

    Each fold is written as soon as it is done. With `resume` a stopped training continues from there; it gives the same
    figures as one that was not stopped.

    Args:
        task: clips and classes.
        recipe: of this kind of method.
        folder: the run folder; `emovox evaluate FOLDER` reads its `predictions/*.csv`.
        method: fits and scores, made for this task and recipe; its folders are `folds/<number>` and `folds/all`.
        resume: continue in a folder that holds folds of the same recipe.
        report: called after each fold that was trained; its message ends with an estimate of the time that is left.
        say: called with messages about what comes next.

    Raises:
        RecipeError: the folder holds a run of another recipe, or one of this recipe and `resume` is false; or the
            labels of the recipe do not fit the clips.
        ProtocolError: the clips do not allow the protocol, or a fold tests a class that is missing in its training
            clips.
    """
    folds = check_training(task, recipe, folder, resume=resume)
    open_folder(folder, recipe, method.versions, resume=resume)
    adapts, speaks = recipe.learns_adaptation, recipe.learns_speech
    done = []
    known = {fold.number for fold in folds if is_done(_stem(folder, fold), adapts=adapts, speaks=speaks)}
    say(_prospect(len(folds), len(known), export=recipe.export))
    began = perf_counter()
    for number, fold in enumerate(folds, start=1):
        scores = run_fold(task, method, fold, folder, recipe)
        done.append(scores)
        new = sum(scores.number not in known for scores in done)
        if report is not None and fold.number not in known:
            left = (perf_counter() - began) / new * (len(folds) - len(known) - new + recipe.export)
            rest = f"; about {in_words(left)} left" if left else ""
            report(number, len(folds), f"fold {fold.number}: {method.sentence(scores)}{rest}")
    trained = trained_clips(folds)
    predictions = all_predictions(task, done, recipe, trained=trained)
    for key, made in predictions.items():
        write_predictions(made, folder / "predictions" / f"{key.stem}.csv")
    if counts := [row for scores in done for row in scores.adaptation]:
        write_counts(folder / ADAPTATION, counts)
    if recipe.export:
        say(f"final model: training on all {len(trained)} clips")
    model = method.fit(trained, folder / "folds" / "all") if recipe.export else None
    temperatures = tuple(scores.temperature for scores in done)
    return Run(folder, temperatures, predictions, trained, model)


def _stem(folder: Path, fold: Fold) -> Path:
    """Return the path of a fold's files without their suffix."""
    return folder / "folds" / str(fold.number)


def _prospect(folds: int, known: int, *, export: bool) -> str:
    """Return what a training will do.

    >>> _prospect(4, 0, export=True), _prospect(4, 3, export=False)
    ('4 folds to train, then the final model on all clips', '3 of 4 folds are done already; 1 to train')
    """
    text = f"{folds} folds to train"
    if known:
        text = f"{known} of {folds} folds are done already; {folds - known} to train"
    return f"{text}, then the final model on all clips" if export else text


def check_training(task: Task, recipe: Recipe, folder: Path, *, resume: bool) -> tuple[Fold, ...]:
    """Check all that `train` checks, before anything is computed or written.

    Returns:
        The folds.

    Raises:
        RecipeError: as by `train`.
        ProtocolError: as by `train`.
    """
    _check_labels(task, recipe)
    folds = task_folds(task, recipe.data, seed=recipe.seed)
    check_classes(task, folds)
    is_same_run(folder, recipe, resume=resume)
    return folds


def trained_clips(folds: Sequence[Fold]) -> Indices:
    """Return the clips that the exported model is trained on: all that some fold trains on (TESS is only tested)."""
    return np.unique(np.concatenate([np.array(fold.train, dtype=np.int64) for fold in folds]))


def all_predictions(
    task: Task, folds: Sequence[FoldScores], recipe: Recipe, *, trained: Indices
) -> dict[FigureKey, Predictions]:
    """Return the predictions of all folds by corpus: under each test condition, and merged to the model's labels."""
    found = {}
    tested = {int(clip) for fold in folds for clip in fold.test}
    learnt = {task.clips[clip].corpus for clip in trained}
    for corpus in dict.fromkeys(task.clips[clip].corpus for clip in sorted(tested)):
        labels = label_space(corpus, recipe.data.view, calm="calm" in task.classes)
        unheard = corpus not in learnt and recipe.data.protocol != "zero-shot"
        key = FigureKey(recipe.name, corpus, labels, "unheard" if unheard else recipe.data.protocol)
        for condition in folds[0].scores:
            found[replace(key, condition=condition)] = masked_predictions(task, folds, corpus, condition=condition)
        if set(recipe.labels or task.classes) != set(task.classes):
            found[replace(key, labels=SEVEN)] = merged_predictions(task, folds, corpus, recipe.labels)
    return found


def _check_labels(task: Task, recipe: Recipe) -> None:
    try:
        merge_matrix(task.classes, recipe.labels or task.classes)
    except ValueError as error:
        raise RecipeError(f"labels: {error}; add it, or drop the class by --map when the corpus is indexed") from error


def check_classes(task: Task, folds: Sequence[Fold]) -> None:
    """Refuse folds that test a class without training clips: all these clips would be wrong.

    Raises:
        ProtocolError: there is such a fold.
    """
    for fold in folds:
        missing = np.setdiff1d(task.labels[list(fold.test)], task.labels[list(fold.train)])
        if len(missing):
            names = ", ".join(task.classes[label] for label in missing)
            raise ProtocolError(
                f"fold {fold.number}: tests {names} on {', '.join(fold.test_speakers)}, but no other speaker has a "
                "clip of it to train on; record it with others, or drop the class by --map when the corpus is indexed"
            )


def run_fold(task: Task, method: Method[Model], fold: Fold, folder: Path, recipe: Recipe) -> FoldScores:
    """Run one fold in an open run folder, or read it if it is done.

    Raises:
        RecipeError: another training has started in the folder.
    """
    stem = _stem(folder, fold)
    adapts, speaks = recipe.learns_adaptation, recipe.learns_speech
    known = read_fold(stem, task, fold, adapts=adapts, speaks=speaks)
    if known is not None:
        return known
    scores = method.fold(fold, stem)
    if not is_same_recipe(folder, recipe):  # another recipe may replace a run that has no work yet
        raise RecipeError(f"{folder}: another training has started there meanwhile; name another folder by --output")
    write_fold(stem, task, scores)
    # read back, so that a resumed run gives the same figures to the last digit
    written = read_fold(stem, task, fold, adapts=adapts, speaks=speaks)
    assert written is not None
    return written
