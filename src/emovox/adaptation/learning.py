"""Learning in use: labelled clips of any speakers change the last affine map of a model's head, a clip at a time.

A head ends in scores = softmax(W · embedding + b). A learner adds a correction to the logarithm of the scores. It is
affine in the embedding, which is scaled to length 1. So it changes W and b of any head, whatever its labels are merged
from. It can follow an adaptation to a voice: the prototypes of a speaker and the correction multiply the same scores.

The correction is the one that makes a memory of labelled clips most probable, with a normal prior around the shipped
weights (a penalty on the squares of the correction). It depends on the memory and on nothing else, so nothing is
forgotten that is in the memory. The memory also judges it: each clip is scored by a correction that has not learnt from
it. If the labels are then hardly more probable than with the shipped weights, or fewer are right, it is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from emovox.adaptation.drift import Drift
from emovox.adaptation.estimator import Numbers
from emovox.adaptation.replay import CAPACITY, Counts, Replay
from emovox.audio.types import Samples
from emovox.schema.errors import ModelError

STRENGTH = 0.05
"""Weight of the squares of the correction beside the loss, which is summed over the clips of the memory."""

ROUNDS = 12
"""Steps of the solver, which starts at 0; more of them change a score of the memory by up to 0.05."""

FOLDS, FOLDS_OF_MANY, MANY = 4, 2, 100
"""Parts of the memory, each of which is judged by a correction that the others taught; fewer from many clips on.

Two parts of many clips are judged as well as four, in half of the time.
"""

GAIN = 0.02
"""Rise of the probability of the right label, mean over labels, below which the correction is taken back."""

_MEMORY, _START = "replay.", "learner.start"
"""Names of arrays in a file: what those of the memory begin with, and that of the start."""

_LARGEST, _LARGEST_COUNT = 1e3, 1e15
"""What weights, and numbers of clips, stay below by far."""

_LEAST = 1e-6
"""Least probability before the logarithm."""


@dataclass(frozen=True, eq=False, slots=True)
class HeadLearner:
    """What labelled clips have taught a head. It does not change: `learn` returns the next one.

    Attributes:
        replay: the clips that it learns from.
        start: [labels, d + 1], a correction from earlier clips that are no longer kept; the last column is the bias.
        weights: [labels, d + 1], the correction in use; that of `start` until there are clips of two labels, and after
            it was taken back.
        drift: whether the errors before learning have grown.
        strength: see `STRENGTH`.
        capacity: clips in the memory, at most.
    """

    replay: Replay
    start: Numbers
    weights: Numbers
    drift: Drift = field(default_factory=Drift)
    strength: float = STRENGTH
    capacity: int = CAPACITY

    @classmethod
    def new(cls, replay: Replay, *, start: Numbers | None = None, drift: Drift | None = None) -> HeadLearner:
        """Return a learner that knows a memory, and the start if there is one.

        Raises:
            ModelError: the start does not fit the memory, or a value is far too large or NaN.
        """
        shape = replay.scores.shape[1], replay.embeddings.shape[1] + 1
        start = np.zeros(shape) if start is None else start
        if start.shape != shape or not (np.abs(start) < _LARGEST).all():
            raise ModelError(f"weights of a learner have the shape {start.shape}, expected {shape} below {_LARGEST}")
        return cls(replay, start, start, drift or Drift())._fitted()

    @classmethod
    def empty(cls, width: int, labels: int, **settings: float) -> HeadLearner:
        """Return a learner that knows nothing yet, for embeddings of a width d and a number of labels."""
        return replace(cls.new(Replay.empty(width, labels)), **settings)  # type: ignore[arg-type]

    @property
    def learnt(self) -> bool:
        """Whether the correction of the memory is in use; False: too few labels, or it was taken back."""
        return self.weights is not self.start

    def corrected(self, embeddings: Samples, scores: Samples) -> Samples:
        """Return the corrected probabilities, shape [n, labels].

        Args:
            embeddings: [n, d], from the graph, without adaptation.
            scores: [n, labels], with or without adaptation.

        Raises:
            ModelError: shapes do not fit, or a value is not finite.
        """
        inputs = self._directions(embeddings, scores)
        if not self.weights.any():
            return scores
        return np.asarray(_softmax(_logarithm(scores) + _with_bias(inputs) @ self.weights.T), np.float32)

    def learn(self, embeddings: Samples, scores: Samples, labels: Sequence[int] | Counts) -> HeadLearner:
        """Return the learner after further clips; it takes some milliseconds for all together.

        Args:
            embeddings: [n, d], from the graph, without adaptation.
            scores: [n, labels], without adaptation.
            labels: [n], index of the label of each clip.

        Raises:
            ModelError: shapes do not fit, a value is not finite, or a label is no index.
        """
        inputs, n_labels = self._directions(embeddings, scores), len(self.start)
        if len(labels) != len(inputs) or not all(0 <= label < n_labels for label in labels):
            raise ModelError(
                f"got labels {list(labels)[:5]} for {len(inputs)} clips, expected one below {n_labels} each"
            )
        replay, drift = self.replay, self.drift
        for row, plain, found, label in zip(inputs, scores, self.corrected(embeddings, scores), labels, strict=True):
            drift = drift.after(1 - float(found[label]))
            replay = replay.added(row, plain, int(label), capacity=self.capacity)
        return replace(self, replay=replay, drift=drift)._fitted()

    def joined(self, other: HeadLearner) -> HeadLearner:
        """Return the learner after the clips in the memory of another one.

        Raises:
            ModelError: they are of different models.
        """
        return self.learn(other.replay.embeddings, other.replay.scores, other.replay.labels)

    def without_clips(self) -> HeadLearner:
        """Return a learner with the same correction, whose memory is empty: its clips cannot be read from it."""
        nothing = Replay.empty(self.replay.embeddings.shape[1], len(self.start))
        return replace(self, replay=nothing, start=self.weights, weights=self.weights)

    def to_arrays(self) -> dict[str, Numbers]:
        """Return what `from_arrays` needs, by name. It is personal data, since the memory has single clips."""
        memory = {f"{_MEMORY}{field.name}": getattr(self.replay, field.name) for field in fields(self.replay)}
        return {name: array.astype(np.float64) for name, array in {**memory, _START: self.start}.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Numbers], drift: Drift) -> HeadLearner:
        """Return the learner of arrays from a file, which may be damaged.

        Raises:
            KeyError: an array is missing.
            ModelError: an array has a wrong shape or value.
        """
        start, found = arrays[_START], [arrays[f"{_MEMORY}{field.name}"] for field in fields(Replay)]
        if not all((np.abs(array) < _LARGEST_COUNT).all() for array in found):
            raise ModelError("the memory of a learner holds NaN or numbers that are far too large")
        types = np.float32, np.float32, np.int64, np.int64
        replay = Replay(*(array.astype(kind) for array, kind in zip(found, types, strict=True)))
        if len(replay) > CAPACITY:
            raise ModelError(f"the memory of a learner has {len(replay)} clips, expected up to {CAPACITY}")
        return cls.new(replay, start=start, drift=drift)

    def _directions(self, embeddings: Samples, scores: Samples) -> Samples:
        width, labels = self.replay.embeddings.shape[1], len(self.start)
        if embeddings.shape != (len(scores), width) or scores.shape != (len(embeddings), labels):
            raise ModelError(
                f"embeddings and scores have the shapes {list(embeddings.shape)} and {list(scores.shape)}, expected "
                f"[n, {width}] and [n, {labels}]; take the model that the learner belongs to"
            )
        if not (np.isfinite(embeddings).all() and np.isfinite(scores).all()):
            raise ModelError("embeddings or scores hold NaN or infinity, expected finite numbers")
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        return np.asarray(embeddings / np.maximum(lengths, _LEAST), np.float32)

    def _fitted(self) -> HeadLearner:
        inputs, labels = _with_bias(self.replay.embeddings), self.replay.labels
        if len(np.unique(labels)) < 2:
            return replace(self, weights=self.start)
        kernel, logits = inputs @ inputs.T, _logarithm(self.replay.scores) + inputs @ self.start.T
        if not _helps(kernel, logits, labels, strength=self.strength):
            return replace(self, weights=self.start)
        return replace(self, weights=self.start + _solve(kernel, logits, labels, strength=self.strength).T @ inputs)


def _helps(kernel: Numbers, logits: Numbers, labels: Counts, *, strength: float) -> bool:
    """Return whether a correction makes labels more probable, and no fewer right, in clips that it has not learnt from.

    A label with one clip cannot be judged; without any other, True. Arguments as for `_solve`.
    """
    counts = np.bincount(labels)[labels]
    rows, judged, after = np.arange(len(labels)), counts > 1, logits.copy()
    place = np.cumsum(np.eye(logits.shape[1])[labels], axis=0)[rows, labels]  # among the clips of its label
    folds = FOLDS if len(labels) < MANY else FOLDS_OF_MANY
    for fold in range(folds):
        out = place % folds == fold
        if len(np.unique(labels[~out])) > 1:
            learnt = _solve(kernel[np.ix_(~out, ~out)], logits[~out], labels[~out], strength=strength)
            after[out] += kernel[np.ix_(out, ~out)] @ learnt
    shares = judged / counts / max(float(np.sum(judged / counts)), _LEAST)
    gain = shares @ (_softmax(after)[rows, labels] - _softmax(logits)[rows, labels])
    recall = shares @ (1.0 * (after.argmax(axis=1) == labels) - (logits.argmax(axis=1) == labels))
    return not judged.any() or bool(gain >= GAIN and recall > -_LEAST)


def _solve(kernel: Numbers, logits: Numbers, labels: Counts, *, strength: float) -> Numbers:
    """Return coefficients [n, labels]: the correction of a clip is its products with the n clips, times these.

    It is multinomial logistic regression; labels weigh alike, those without a clip are left out. Each step minimises
    Böhning's quadratic bound of the loss, so no step size is needed ("Multinomial logistic regression algorithm",
    Annals of the Institute of Statistical Mathematics 1992), with Nesterov's momentum. It is written for the n clips,
    not for the d numbers of an embedding, since n is small.

    Args:
        kernel: [n, n], products of the clips' inputs.
        logits: [n, labels], before the correction.
        labels: [n], indices.
        strength: see `STRENGTH`.
    """
    counts = np.bincount(labels, minlength=logits.shape[1])
    root = np.sqrt(len(labels) / (np.sum(counts > 0) * counts[labels]))[:, None]
    products = kernel * root.T
    step = np.linalg.inv(root * products / 2 + strength * np.eye(len(labels)))
    known, targets = np.where(counts > 0, logits, -np.inf), np.eye(len(counts))[labels]
    dual = ahead = np.zeros_like(logits)
    for done in range(ROUNDS):
        residual = root * (_softmax(known + products @ ahead) - targets)
        last, dual = dual, ahead - step @ (residual + strength * ahead)
        ahead = dual + done / (done + 3) * (dual - last)
    return np.asarray(root * dual)


def _with_bias(inputs: Samples) -> Numbers:
    return np.concatenate([inputs.astype(np.float64), np.ones((len(inputs), 1))], axis=1)


def _logarithm(scores: Samples) -> Numbers:
    return np.asarray(np.log(np.clip(scores.astype(np.float64), _LEAST, None)))


def _softmax(logits: Numbers) -> Numbers:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
