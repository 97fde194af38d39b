"""A small fitted baseline over real functionals of generated sound."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from emovox.audio.types import Samples
from emovox.features.functionals import functional_names, functionals
from emovox.features.speech_like import speech_like
from emovox.models.scores import Matrix
from emovox.models.svm import SvmModel, fit_machines, fit_projection, kernel, natural_gamma, prune
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


def small_model(classes: tuple[str, ...], *, columns: slice = slice(None), temperature: float = 0.7) -> SvmModel:
    """A model that learnt the classes in turn over `sounds`."""
    rows = _rows()
    labels = np.arange(len(rows)) % len(classes)
    projection = fit_projection(rows, ALL[columns], variance=0.95)
    projected = projection(rows)
    gamma = 0.5 * natural_gamma(projected)
    allowed = np.ones((len(rows), len(classes)), bool)
    weights, bias = fit_machines(kernel(projected, projected, gamma), labels, allowed, c=3.0)
    support, weights = prune(projected, weights)
    return SvmModel(classes, projection, support, weights, bias, gamma, temperature)
