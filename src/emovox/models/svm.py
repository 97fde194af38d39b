"""The classical baseline as a head: standardise, PCA, one-vs-rest RBF machines, fitted with scikit-learn.

Each class has one machine (class against the rest), so its graph is plain MatMul and Exp. A machine is fitted only on
clips of corpora that have its class: a corpus without "surprise" is no evidence about surprise (docs/protocols.md,
rule 8).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from emovox.models.head import BaseHead
from emovox.models.scores import Matrix

CLIP = 6.0
"""Limit of standardised functionals, in deviations: a click must not move a clip out of reach of the kernel."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Standardisation and PCA, fitted on training rows: `mean`, `scale` [p]; `components` [p, d].

    Unused statistics have components of 0.
    """

    mean: Matrix
    scale: Matrix
    components: Matrix

    def __call__(self, rows: Matrix) -> Matrix:
        """Project rows [n, p] to [n, d]."""
        return np.clip((rows - self.mean) / self.scale, -CLIP, CLIP) @ self.components


class SvmSizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sizes of a fitted head: principal `components`, and `support` vectors."""

    components: int
    support: int


class Machines(nn.Module):
    """One RBF machine per class: embedding → decision values.

    Args:
        support: [s, d] projected training rows, in half precision: 6 MB instead of 12, and kernel values change by
            only about 1e-5.
        weights: [s, classes].
        bias: [classes].
        gamma: of the kernel exp(-gamma |a - b|²).
    """

    gamma: Tensor
    reach: Tensor

    def __init__(self, support: Matrix, weights: Matrix, bias: Matrix, gamma: float) -> None:
        super().__init__()
        rounded = support.astype(np.float16).astype(np.float64)
        self.support, self.weights, self.bias = _fixed(rounded.T), _fixed(weights), _fixed(bias)
        self.register_buffer("gamma", torch.tensor(gamma, dtype=torch.float32))
        self.register_buffer("reach", torch.from_numpy((-gamma * np.square(rounded).sum(axis=1)).astype(np.float32)))

    def forward(self, embedding: Tensor) -> Tensor:
        """Return the decision values [b, classes] of embeddings [b, d]."""
        # exp(-gamma |x - s|²) with the squares of s folded in: four passes over the support vectors instead of seven
        near = self.reach + (2 * self.gamma * embedding) @ self.support
        kernel = torch.exp((near - self.gamma * embedding.square().sum(1, keepdim=True)).clamp(max=0))
        return kernel @ self.weights + self.bias


class SvmHead(BaseHead):
    """Statistics → decision values: standardise, clip, PCA, one machine per class.

    Args:
        projection: p statistics to d.
        machines: fitted on projected rows.
    """

    classify: Machines
    training_mean: Tensor
    training_scale: Tensor

    def __init__(self, projection: Projection, machines: Machines) -> None:
        super().__init__()
        self.register_buffer("training_mean", torch.from_numpy(projection.mean.astype(np.float32)))
        self.register_buffer("training_scale", torch.from_numpy(projection.scale.astype(np.float32)))
        self.components = _fixed(projection.components)
        self.classify = machines

    @classmethod
    def empty(cls, n_statistics: int, n_classes: int, sizes: SvmSizes) -> SvmHead:
        """Return a head of these sizes; the caller sets all weights."""
        p, d, s = n_statistics, sizes.components, sizes.support
        machines = Machines(np.zeros((s, d)), np.zeros((s, n_classes)), np.zeros(n_classes), 0.0)
        return cls(Projection(np.zeros(p), np.ones(p), np.zeros((p, d))), machines)

    @property
    def sizes(self) -> SvmSizes:
        """Return the sizes that `empty` needs beside the numbers of statistics and classes."""
        components, support = self.classify.support.shape
        return SvmSizes(components=components, support=support)

    @property
    def mean(self) -> Tensor:
        """Return the mean of the training rows, [p]."""
        return self.training_mean

    @property
    def scale(self) -> Tensor:
        """Return the deviation of the training rows, [p]."""
        return self.training_scale

    def embed(self, statistics: Tensor, mean: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        """Return the principal components [b, d] of statistics [b, p]; arguments as for a network's head."""
        standard = (statistics - (self.mean if mean is None else mean)) / (self.scale if scale is None else scale)
        return standard.clamp(-CLIP, CLIP) @ self.components


def _fixed(values: npt.NDArray[np.floating]) -> nn.Parameter:
    """Return weights that no gradient step changes."""
    return nn.Parameter(torch.from_numpy(np.ascontiguousarray(values, np.float32)), requires_grad=False)


def fit_projection(rows: Matrix, columns: npt.NDArray[np.int64], *, variance: float | None) -> Projection:
    """Fit standardisation, and a PCA that keeps the share `variance` of the variance (None: no PCA).

    Args:
        rows: [n, p] of training clips.
        columns: numbers of the statistics that are used.
        variance: in (0, 1).
    """
    from sklearn.decomposition import PCA

    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)  # a statistic that never varies stays 0
    # The clipped rows have a mean close to 0; it is left in, so that the projection is one matrix product.
    standard = np.clip((rows[:, columns] - mean[columns]) / scale[columns], -CLIP, CLIP)
    kept = None if variance is None else PCA(variance, svd_solver="full").fit(standard).components_.T
    components = np.zeros((rows.shape[1], len(columns) if kept is None else kept.shape[1]))
    components[columns] = np.eye(len(columns)) if kept is None else kept
    return Projection(mean, scale, components)


def squared_distances(rows: Matrix, support: Matrix) -> Matrix:
    """Compute |a - b|² of all pairs: [n, s] from [n, d] and [s, d]."""
    # in one array: with 20,000 rows each further one would take 3 GB
    result: Matrix = rows @ (-2 * support.T)
    result += np.square(rows).sum(axis=1)[:, None]
    result += np.square(support).sum(axis=1)[None, :]
    return np.maximum(result, 0, out=result)


def kernel(distances: Matrix, gamma: float, *, out: Matrix | None = None) -> Matrix:
    """Compute exp(-gamma |a - b|²) of squared distances; in place where `out` is the same array."""
    result = np.multiply(distances, -gamma, out=out)
    return np.asarray(np.exp(result, out=result))


def natural_gamma(projected: Matrix) -> float:
    """Return 1 / (d · variance), scikit-learn's "scale", of projected rows [n, d]: gammas in recipes multiply it."""
    return float(1 / (projected.shape[1] * projected.var()))


def fit_machines(
    gram: Matrix, labels: npt.NDArray[np.int64], allowed: npt.NDArray[np.bool_], *, c: float
) -> tuple[Matrix, Matrix]:
    """Fit one machine per class on a kernel matrix that is shared by all of them.

    Args:
        gram: [n, n] kernel of the training rows.
        labels: [n] index of the class.
        allowed: [n, classes] whether the row's corpus has the class.
        c: penalty of a margin violation; classes are balanced.

    Returns:
        weights [n, classes] (0 for rows that are no support vectors) and bias [classes]. If all rows are on one side,
        the machine always returns -1 (no row has the class, or no row is allowed to) or 1.
    """
    from sklearn.svm import SVC

    n, n_classes = allowed.shape
    weights, bias = np.zeros((n, n_classes)), np.zeros(n_classes)
    for members in np.unique(allowed, axis=1).T:  # classes of the same rows share a matrix: copying it costs two fits
        rows = np.flatnonzero(members)
        part = gram if members.all() else gram[np.ix_(rows, rows)]
        for index in np.flatnonzero((allowed == members[:, None]).all(axis=0)):
            positive = labels[rows] == index
            if positive.all() or not positive.any():
                bias[index] = 1 if positive.any() else -1
                continue
            machine = SVC(C=c, kernel="precomputed", class_weight="balanced", cache_size=500)
            machine.fit(part, positive)
            weights[rows[machine.support_], index] = machine.dual_coef_[0]
            bias[index] = machine.intercept_[0]
    return weights, bias


def prune(model_rows: Matrix, weights: Matrix) -> tuple[Matrix, Matrix]:
    """Return the rows that a machine uses: (support [s, d], weights [s, classes])."""
    used = np.flatnonzero(np.abs(weights).max(axis=1) > 0)
    return model_rows[used], weights[used]
