"""The method of voice and face: a network for the voice, a regression for the face, one decision from both."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emovox.corpora.folds import Fold, speaker_key
from emovox.evaluation.figures.calibration import fit_temperature
from emovox.fusion.face.expression import FACE_LABELS
from emovox.fusion.face.modality import FACE_WEIGHT
from emovox.models.scores import Matrix, softmax
from emovox.schema.errors import TrainingError
from emovox.schema.progress import Progress, no_progress
from emovox.training.cross_validation import FoldScores
from emovox.training.data.task import Indices, Task
from emovox.training.data.views import TILE
from emovox.training.face.features import SCORES, Features, face_features
from emovox.training.face.recipe import FaceRecipe
from emovox.training.held_out import inner_splits
from emovox.training.log import Report
from emovox.training.network import NetworkMethod

VOICE_ALONE, FACE_ALONE, SHIPPED = "voice-alone", "face-alone", "shipped-face"
"""Conditions beside `tile`, which is voice and face together as they were learnt. The last one is the voice and what
`predict --modalities voice,face` adds: the expression network's own scores, with the fixed weight."""

_STEP = 0.1
_LEAST = 1e-6  # a score of 0 has no logarithm


@dataclass(frozen=True, eq=False)
class FaceMethod:
    """Trains voice and face; see `emovox.training.run.Method`.

    Attributes:
        voice: the method of the voice.
        features: of the face in each clip.
        recipe: of both.
    """

    voice: NetworkMethod
    features: Features
    recipe: FaceRecipe
    versions = (*NetworkMethod.versions, "onnxruntime", "av")

    @classmethod
    def prepared(
        cls,
        task: Task,
        recipe: FaceRecipe,
        *,
        folder: Path,
        workers: int = 2,
        progress: Progress = no_progress,
        report: Report | None = None,
    ) -> FaceMethod:
        """Compute the inputs of the voice and the features of the face, or read them from the cache.

        Arguments and errors are those of `NetworkMethod.prepared`.

        Raises:
            TrainingError: no clip shows a face.
        """
        voice = NetworkMethod.prepared(task, recipe, folder=folder, workers=workers, progress=progress, report=report)
        features = face_features(task.clips, rate=recipe.face.rate, folder=folder, progress=progress)
        if np.isnan(features[:, 0]).all():
            raise TrainingError(f"no face in any of {len(task.clips)} clips, expected videos; see emovox data info")
        return cls(voice, features, recipe)

    def fold(self, fold: Fold, folder: Path) -> FoldScores:
        """Fit on the fold's training clips, choose weight and temperature there, and score the test clips."""
        train, test = (np.array(part, dtype=np.int64) for part in (fold.train, fold.test))
        splits = inner_splits(self.voice.task, train, n_splits=self.recipe.inner_folds, by_clip=False, seed=0)
        held, voices, faces = list[Indices](), list[Matrix](), list[Matrix]()
        for number, (learnt, judged) in enumerate(splits, start=1):
            inner = self._inner(fold.number, learnt, judged)
            held.append(judged)
            voices.append(self.voice.fold(inner, folder / f"inner-{number}").scores[TILE])
            faces.append(self._face(learnt, judged))
        weight, temperature = self._chosen(np.concatenate(held), np.concatenate(voices), np.concatenate(faces))
        voice, face = self.voice.fold(fold, folder), self._face(train, test)
        plain = voice.scores[TILE]
        scores = {
            TILE: self._fused(plain, face, test, weight, temperature),
            VOICE_ALONE: plain,
            FACE_ALONE: face,
            SHIPPED: self._fused(plain, self._shipped(test), test, FACE_WEIGHT, 1.0),
        }
        chosen = {**voice.chosen, "weight": weight}
        return FoldScores(fold.number, test, scores, temperature, chosen)

    def fit(self, trained: Indices, folder: Path) -> None:
        """Do nothing: recipes of voice and face export no model."""

    def sentence(self, scores: FoldScores) -> str:
        """Return a message with the weight of the face and the temperature."""
        return f"weight of the face {scores.chosen['weight']:.1f}, temperature {scores.temperature:.2f}"

    def _inner(self, number: int, learnt: Indices, judged: Indices) -> Fold:
        clips = self.voice.task.clips
        train, test = (tuple(sorted({speaker_key(clips[clip]) for clip in part})) for part in (learnt, judged))
        learnt_from, scored = tuple(learnt.tolist()), tuple(judged.tolist())
        return Fold(number=number, train=learnt_from, test=scored, train_speakers=train, test_speakers=test)

    def _face(self, learnt: Indices, clips: Indices) -> Matrix:
        """Return the scores [n, classes] of the face in clips, learnt from others; NaN where there is no face."""
        task, seen = self.voice.task, ~np.isnan(self.features[:, 0])
        rows = learnt[seen[learnt]]
        scores = np.full((len(clips), len(task.classes)), np.nan)
        if len(np.unique(task.labels[rows])) < 2:
            return scores  # nothing to tell apart
        model = make_pipeline(StandardScaler(), LogisticRegression(C=self.recipe.face.regularisation, max_iter=200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its penalty is enough
            model.fit(self.features[rows], task.labels[rows])
        shown = np.flatnonzero(seen[clips])
        if len(shown):
            known = np.zeros((len(shown), len(task.classes)))
            known[:, model.classes_] = model.predict_proba(self.features[clips[shown]])
            scores[shown] = known
        return scores

    def _shipped(self, clips: Indices) -> Matrix:
        """Return the expression network's own scores; a class that it does not know gets that of neutral."""
        columns = [_column(name) for name in self.voice.task.classes]
        return self.features[clips][:, :SCORES][:, columns].astype(np.float64)

    def _chosen(self, clips: Indices, voice: Matrix, face: Matrix) -> tuple[float, float]:
        """Return the weight of the face and the temperature with the lowest log loss."""
        task, both = self.voice.task, ~np.isnan(voice[:, 0] + face[:, 0])
        if not both.any():
            return 0.0, 1.0
        labels, found = task.labels[clips[both]], []
        for weight in np.arange(0.0, self.recipe.face.heaviest + _STEP / 2, _STEP):
            logs = _masked(_logs(voice[both]) + weight * _logs(face[both]), task, clips[both])
            temperature = fit_temperature(logs, labels)
            loss = -np.log(softmax(logs / temperature)[np.arange(len(labels)), labels] + _LEAST).mean()
            found.append((float(loss), float(weight), temperature))
        _, weight, temperature = min(found)
        return weight, temperature

    def _fused(self, voice: Matrix, face: Matrix, clips: Indices, weight: float, temperature: float) -> Matrix:
        """Return the scores of both; where there is no face, those of the voice as they are."""
        logs = _masked(_logs(voice) + weight * _logs(face), self.voice.task, clips)
        return np.where(np.isnan(face[:, :1]), voice, softmax(np.nan_to_num(logs, nan=0.0) / temperature))


def _column(name: str, labels: Sequence[str] = FACE_LABELS) -> int:
    return labels.index(name) if name in labels else 0


def _logs(scores: Matrix) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(scores, _LEAST))


def _masked(logs: Matrix, task: Task, clips: Indices) -> Matrix:
    """Return logarithms without the classes that the corpus of a clip lacks."""
    return np.where(task.allowed[clips], logs, -np.inf)
