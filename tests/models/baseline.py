"""A small fitted baseline over real functionals of generated sound."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from emovox.audio.types import Samples
from emovox.features.functionals import functional_names, functionals
from emovox.features.speech_like import speech_like
from emovox.models.functionals import FunctionalsEncoder
from emovox.models.network import BaseNetwork, Recogniser
from emovox.models.scores import Matrix
from emovox.models.svm import (
    Machines,
    Projection,
    SvmHead,
    fit_machines,
    fit_projection,
    kernel,
    natural_gamma,
    prune,
    squared_distances,
)
from emovox.schema.labels import merge_matrix
from tests.sounds import gliding

ALL = np.arange(len(functional_names()))
N = 12000


def sounds(count: int = 24) -> Samples:
    """[count, 12000]: different voices at different levels, with a noise floor of their own each."""
    rng = np.random.default_rng(8)
    found = [gliding(N, seed=n) if n % 2 else speech_like(N / 16000, seed=n) for n in range(count)]
    gains = rng.uniform(0.05, 1, count)
    return np.stack(
        [gain * one + rng.normal(0, 1e-3 * gain, N) for gain, one in zip(gains, found, strict=True)]
    ).astype(np.float32)


@lru_cache(maxsize=1)
def _rows() -> Matrix:
    return np.stack([functionals(one) for one in sounds()]).astype(np.float64)


class SvmNetwork(BaseNetwork):
    head: SvmHead


class FittedSvm(NamedTuple):
    """A fitted baseline in double precision, the reference of its network."""

    classes: tuple[str, ...]
    projection: Projection
    support: Matrix
    weights: Matrix
    bias: Matrix
    gamma: float
    temperature: float

    def decisions(self, rows: Matrix) -> Matrix:
        """Compute the decision values [n, classes] of functionals [n, p]."""
        near = kernel(squared_distances(self.projection(rows), self.support), self.gamma)
        return near @ self.weights + self.bias

    def network(self) -> SvmNetwork:
        """The same as a network."""
        machines = Machines(self.support, self.weights, self.bias, self.gamma)
        return SvmNetwork(FunctionalsEncoder(), SvmHead(self.projection, machines))

    def recogniser(self, labels: Sequence[str] | None = None, kind: type[Recogniser] = Recogniser) -> Recogniser:
        """The same as it is exported."""
        return kind(self.network(), merge_matrix(self.classes, labels or self.classes), self.temperature).eval()


def small_model(classes: tuple[str, ...], *, columns: slice = slice(None), temperature: float = 0.7) -> FittedSvm:
    """A model that learnt the classes in turn over `sounds`."""
    rows = _rows()
    labels = np.arange(len(rows)) % len(classes)
    projection = fit_projection(rows, ALL[columns], variance=0.95)
    projected = projection(rows)
    gamma = 0.5 * natural_gamma(projected)
    allowed = np.ones((len(rows), len(classes)), bool)
    gram = kernel(squared_distances(projected, projected), gamma)
    weights, bias = fit_machines(gram, labels, allowed, c=3.0)
    support, weights = prune(projected, weights)
    return FittedSvm(classes, projection, support, weights, bias, gamma, temperature)
