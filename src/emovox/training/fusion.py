"""Learn how much the face and the words count beside the voice, from recordings that have both.

The score of a clip is log voice + Σ weight · log other, as in `emovox.fusion.modalities`. The weights are learnt, one
for each other modality; the models that give the scores are not. So a few hundred clips are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from emovox.corpora.folds import Fold
from emovox.corpora.manifest import Clip
from emovox.fusion.face.modality import check_face, face_modality
from emovox.fusion.modalities import FACE, MODALITIES, TEXT, VOICE, OtherModality, fused
from emovox.fusion.text.emotion import TextEmotion
from emovox.runtime.predictor import load
from emovox.schema.errors import RecipeError
from emovox.schema.figure import TILE
from emovox.schema.progress import Progress, no_progress
from emovox.schema.result import Result
from emovox.training.cross_validation import FoldScores
from emovox.training.data.task import Indices, Task
from emovox.training.recipe import Recipe, failed

Scores = npt.NDArray[np.float64]

WEIGHTS = tuple(step / 10 for step in range(21))
"""Weights to choose from, 0 to 2; that of the voice is 1."""

_LEAST = 1e-6  # a score of 0 has no logarithm


class FusionRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe of a fusion.

    Attributes:
        voice: name or path of the model of the voice. It must not have learnt from the clips.
        modalities: what is used beside the voice: face, text or both.
    """

    kind: Literal["fusion"] = "fusion"
    voice: str = "accurate"
    modalities: tuple[str, ...] = (TEXT,)


def fusion_problems(recipe: FusionRecipe) -> list[str]:
    """Return a message for each value out of range: key, value, what was expected."""
    others = [name for name in MODALITIES if name != VOICE]
    known = bool(recipe.modalities) and set(recipe.modalities) <= set(others)
    return failed(
        {
            f"modalities is {list(recipe.modalities)}, expected some of {', '.join(others)}": known,
            "export is true, expected false: a fusion has weights, no model": not recipe.export,
            f"conditions is {list(recipe.conditions)}, expected none": not recipe.conditions,
        }
    )


@dataclass(frozen=True, eq=False)
class FusionMethod:
    """Weights of modalities, chosen on training clips; see `emovox.training.run.Method`.

    Attributes:
        task: the clips.
        recipe: of the fusion.
        logs: modality → logarithms of its scores, [clips, classes]; NaN where a clip lacks it.
    """

    task: Task
    recipe: FusionRecipe
    logs: Mapping[str, Scores]
    versions = ("emovox", "numpy", "onnxruntime")

    @classmethod
    def prepared(
        cls,
        task: Task,
        recipe: FusionRecipe,
        *,
        folder: Path,  # noqa: ARG003  # scores of shipped models take minutes: none are cached
        workers: int = 1,  # noqa: ARG003
        progress: Progress = no_progress,
    ) -> FusionMethod:
        """Score all clips by all modalities.

        Args:
            task: the clips.
            recipe: of the fusion.
            folder: as for other methods.
            workers: as for other methods.
            progress: called after each clip.

        Raises:
            RecipeError: a model lacks a class of the clips, or text is asked for and no clip has a sentence.
            AudioError: a clip cannot be decoded.
        """
        predictor = load(recipe.voice)
        others = {name: _READERS[name](task.clips) for name in recipe.modalities}
        _check_classes(task, predictor.labels, recipe.voice)
        logs = {name: np.full((len(task.clips), len(task.classes)), np.nan) for name in (VOICE, *recipe.modalities)}
        for index, clip in enumerate(task.clips):
            result = predictor.predict(clip.path)
            logs[VOICE][index] = _logs(result.scores, task.classes)
            for name, reader in others.items():
                logs[name][index] = _logs(reader(clip, result), task.classes)
            progress(index + 1, len(task.clips))
        return cls(task, recipe, logs)

    def fold(self, fold: Fold, folder: Path) -> FoldScores:  # noqa: ARG002  # it keeps no checkpoints
        """Choose the weights on the fold's training clips, and score its test clips."""
        weights = self.weights(np.array(fold.train, dtype=np.int64))
        test = np.array(fold.test, dtype=np.int64)
        return FoldScores(fold.number, test, {TILE: self.scores(weights, test)}, 1.0, weights)

    def fit(self, trained: Indices, folder: Path) -> dict[str, float]:  # noqa: ARG002
        """Return the weights that are best on these clips."""
        return self.weights(trained)

    def sentence(self, scores: FoldScores) -> str:
        """Return a message with the weights."""
        return ", ".join(f"{name} {weight:.1f}" for name, weight in scores.chosen.items())

    def weights(self, clips: Indices) -> dict[str, float]:
        """Return the weight of each modality with the highest UAR on these clips; of equal ones the smallest."""
        names = self.recipe.modalities
        choices = product(WEIGHTS, repeat=len(names))
        uar = {choice: self._uar(dict(zip(names, choice, strict=True)), clips) for choice in choices}
        best = max(uar, key=lambda choice: (uar[choice], -sum(choice)))
        return dict(zip(names, best, strict=True))

    def scores(self, weights: Mapping[str, float], clips: Indices) -> Scores:
        """Return the scores of clips [k, classes]; a clip that lacks a modality has those of the others."""
        logs = self.logs[VOICE][clips]
        for name, weight in weights.items():
            logs = logs + weight * np.nan_to_num(self.logs[name][clips])
        values = np.exp(logs - logs.max(1, keepdims=True))
        return np.asarray(values / values.sum(1, keepdims=True))

    def _uar(self, weights: Mapping[str, float], clips: Indices) -> float:
        logs = np.where(self.task.allowed[clips], np.nan_to_num(self.scores(weights, clips), nan=-1.0), -2.0)
        labels = self.task.labels[clips]
        right = logs.argmax(1) == labels
        return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


Reader = Callable[[Clip, Result], Mapping[str, float] | None]


def _text_reader(clips: Sequence[Clip]) -> Reader:
    if not any(clip.sentence for clip in clips):
        raise RecipeError(
            "modalities: no clip has a sentence, expected the words of each; give a table with the column sentence, or "
            "a corpus that has them, such as meld"
        )
    emotion = TextEmotion.load()
    return lambda clip, _: emotion.scores([clip.sentence])[0] if clip.sentence else None


def _face_reader(clips: Sequence[Clip]) -> Reader:  # noqa: ARG001  # what has no pictures has no scores
    check_face()
    return lambda clip, result: _mean(face_modality(clip.path), result)


def _mean(other: OtherModality, result: Result) -> Mapping[str, float] | None:
    """Return the mean scores of a modality over the segments that have it."""
    return (fused(result, [other], threshold=0.0).modalities or {}).get(other.name)


_READERS: Mapping[str, Callable[[Sequence[Clip]], Reader]] = {TEXT: _text_reader, FACE: _face_reader}


def _check_classes(task: Task, labels: Sequence[str], voice: str) -> None:
    if unknown := [name for name in task.classes if name not in labels]:
        raise RecipeError(
            f"the clips have {', '.join(unknown)}, the model '{voice}' has {', '.join(labels)}; take data.view = "
            '"seven", or drop the class by --map when the corpus is indexed'
        )


def _logs(scores: Mapping[str, float] | None, classes: Sequence[str]) -> Scores:
    if scores is None:
        return np.full(len(classes), np.nan)
    return np.log(np.maximum([scores[name] for name in classes], _LEAST))
