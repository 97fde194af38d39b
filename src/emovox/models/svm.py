"""The classical baseline: standardise, PCA, one-vs-rest RBF machines. Fitting with scikit-learn, deciding with numpy.

Every class has a machine of its own (class against the rest), so a graph of it is plain MatMul and Exp. A machine sees
only clips of corpora that have its class: a corpus without "surprise" says nothing about surprise
(docs/protocols.md, rule 8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emovox.models.scores import Matrix

CLIP = 6.0
"""Standardised functionals beyond this many deviations are cut off: a click must not carry a clip out of the kernel."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Selection, standardisation and PCA, fitted on training rows.

    `columns` [p] are the functionals that are used; `mean`, `scale` [p]; `components` [p, d].
    """

    columns: npt.NDArray[np.int64]
    mean: Matrix
    scale: Matrix
    components: Matrix

    def __call__(self, rows: Matrix) -> Matrix:
        """Project rows [n, all functionals] to [n, d]."""
        standard = (rows[:, self.columns] - self.mean) / self.scale
        return np.clip(standard, -CLIP, CLIP) @ self.components


@dataclass(frozen=True, eq=False)
class SvmModel:
    """A fitted baseline.

    `support` [s, d] projected rows; `weights` [s, classes] and `bias` [classes] of the machines; `gamma` of the kernel
    exp(-gamma |a - b|²); `temperature` divides the decision values before the softmax.
    """

    classes: tuple[str, ...]
    projection: Projection
    support: Matrix
    weights: Matrix
    bias: Matrix
    gamma: float
    temperature: float = 1.0

    def decisions(self, rows: Matrix) -> Matrix:
        """Compute the decision values [n, classes] of functionals [n, all]."""
        return kernel(self.projection(rows), self.support, self.gamma) @ self.weights + self.bias

    @property
    def n_parameters(self) -> int:
        """Count the numbers that were fitted."""
        p = self.projection
        return p.mean.size + p.scale.size + p.components.size + self.support.size + self.weights.size + self.bias.size


def fit_projection(rows: Matrix, columns: npt.NDArray[np.int64], *, variance: float | None) -> Projection:
    """Fit standardisation, and a PCA that keeps the share `variance` of the variance (None: no PCA).

    Args:
        rows: [n, all functionals] of training clips.
        columns: which functionals are used.
        variance: in (0, 1).
    """
    from sklearn.decomposition import PCA

    chosen = rows[:, columns]
    mean, scale = chosen.mean(axis=0), chosen.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)  # a functional that never varies stays 0
    standard = np.clip((chosen - mean) / scale, -CLIP, CLIP)
    if variance is None:
        return Projection(columns, mean, scale, np.eye(len(columns)))
    # The clipped rows have a mean close to 0; it is left in, so that the projection is one matrix product.
    pca = PCA(variance, svd_solver="full").fit(standard)
    return Projection(columns, mean, scale, pca.components_.T)


def kernel(rows: Matrix, support: Matrix, gamma: float) -> Matrix:
    """Compute exp(-gamma |a - b|²) of all pairs: [n, s] from [n, d] and [s, d]."""
    # in one array: with 20,000 rows each further one would take 3 GB
    result: Matrix = rows @ (-2 * support.T)
    result += np.square(rows).sum(axis=1)[:, None]
    result += np.square(support).sum(axis=1)[None, :]
    np.maximum(result, 0, out=result)
    result *= -gamma
    return np.asarray(np.exp(result, out=result))


def natural_gamma(projected: Matrix) -> float:
    """Return 1 / (d · variance), scikit-learn's "scale", of projected rows [n, d]: gammas in recipes multiply it."""
    return float(1 / (projected.shape[1] * projected.var()))


def fit_machines(
    gram: Matrix, labels: npt.NDArray[np.int64], allowed: npt.NDArray[np.bool_], *, c: float
) -> tuple[Matrix, Matrix]:
    """Fit one machine a class on a kernel matrix that was computed once for all of them.

    Args:
        gram: [n, n] kernel of the training rows.
        labels: [n] index of the class.
        allowed: [n, classes] whether the row's corpus has the class.
        c: penalty of a margin violation; classes are balanced.

    Returns:
        weights [n, classes] (0 for rows that support nothing) and bias [classes]. Where all rows are on one side, there
        is nothing to separate: the machine answers -1 (no row has the class; so too where no row may) or 1 throughout.
    """
    from sklearn.svm import SVC

    n, n_classes = allowed.shape
    weights, bias = np.zeros((n, n_classes)), np.zeros(n_classes)
    for index in range(n_classes):
        rows = np.flatnonzero(allowed[:, index])
        positive = labels[rows] == index
        if positive.all() or not positive.any():
            bias[index] = 1 if positive.any() else -1
            continue
        machine = SVC(C=c, kernel="precomputed", class_weight="balanced", cache_size=500)
        machine.fit(gram[np.ix_(rows, rows)], positive)
        weights[rows[machine.support_], index] = machine.dual_coef_[0]
        bias[index] = machine.intercept_[0]
    return weights, bias


def prune(model_rows: Matrix, weights: Matrix) -> tuple[Matrix, Matrix]:
    """Drop the rows that no machine uses: (support [s, d], weights [s, classes])."""
    used = np.flatnonzero(np.abs(weights).max(axis=1) > 0)
    return model_rows[used], weights[used]
