"""The baseline's arithmetic against scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emovox.models.scores import Matrix
from emovox.models.svm import CLIP, fit_machines, fit_projection, natural_gamma, prune, squared_distances
from emovox.models.svm import kernel as kernel_of
from tests.models.baseline import FittedSvm

# libsvm stops when the conditions of the optimum hold to 1e-3; both sides stop there, on kernels of equal values.
SOLVER = 1e-6
EVERY = np.arange(12)


def kernel(rows: Matrix, support: Matrix, gamma: float) -> Matrix:
    return kernel_of(squared_distances(rows, support), gamma)


def blobs(n: int = 90, *, seed: int = 0) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """Rows [n, 12] of three overlapping classes, the columns of very different sizes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    rows = rng.normal(size=(n, 12)) + 1.2 * np.eye(3, 12)[labels]
    return rows * np.geomspace(0.01, 1000, 12), labels


def fitted(*, c: float = 3.0) -> tuple[FittedSvm, Matrix]:
    """A model on the blobs that keeps every row as support, and its training rows."""
    rows, labels = blobs()
    projection = fit_projection(rows, EVERY, variance=0.95)
    projected = projection(rows)
    gamma = natural_gamma(projected)
    allowed = np.ones((len(rows), 3), bool)
    weights, bias = fit_machines(kernel(projected, projected, gamma), labels, allowed, c=c)
    return FittedSvm(("a", "b", "c"), projection, projected, weights, bias, gamma, 1.0), rows


def test_kernel_is_the_rbf_kernel() -> None:
    rng = np.random.default_rng(1)
    rows, support = rng.normal(size=(7, 5)), rng.normal(size=(4, 5))
    np.testing.assert_allclose(kernel(rows, support, 0.3), rbf_kernel(rows, support, gamma=0.3), atol=1e-12)


def test_kernel_of_equal_rows_is_one_at_any_size() -> None:
    rows = np.full((3, 8), 1e6)
    np.testing.assert_array_equal(kernel(rows, rows, 5.0), 1)


def test_natural_gamma_is_scikit_learns_scale() -> None:
    rows, labels = blobs()
    assert natural_gamma(rows) == pytest.approx(SVC(gamma="scale").fit(rows, labels)._gamma)


@pytest.mark.parametrize("c", [0.5, 10.0])
def test_machines_are_one_vs_rest_machines_of_scikit_learn(c: float) -> None:
    rows, labels = blobs()
    others, _ = blobs(40, seed=9)
    rows, others = StandardScaler().fit_transform(rows), StandardScaler().fit_transform(others)
    reference = OneVsRestClassifier(SVC(C=c, gamma=0.1, class_weight="balanced")).fit(rows, labels)
    weights, bias = fit_machines(kernel(rows, rows, 0.1), labels, np.ones((len(rows), 3), bool), c=c)
    found = kernel(others, rows, 0.1) @ weights + bias
    np.testing.assert_allclose(found, reference.decision_function(others), atol=SOLVER)


def test_a_machine_sees_only_corpora_that_have_its_class() -> None:
    rows, labels = blobs()
    rows = StandardScaler().fit_transform(rows)
    second = np.arange(len(rows)) >= 45
    kept = ~(second & (labels == 2))  # the second corpus has no class 2
    rows, labels, second = rows[kept], labels[kept], second[kept]
    allowed = np.ones((len(rows), 3), bool)
    allowed[second, 2] = False
    weights, bias = fit_machines(kernel(rows, rows, 0.1), labels, allowed, c=3.0)
    alone = SVC(C=3.0, gamma=0.1, class_weight="balanced").fit(rows[~second], labels[~second] == 2)
    found = kernel(rows, rows, 0.1) @ weights + bias
    np.testing.assert_allclose(found[:, 2], alone.decision_function(rows), atol=SOLVER)
    assert not weights[second, 2].any()
    assert weights[second, 0].any()


@pytest.mark.parametrize(("present", "answer"), [((0, 1), -1.0), ((2,), 1.0)])
def test_a_machine_without_both_sides_gives_one_answer(present: tuple[int, ...], answer: float) -> None:
    rows, labels = blobs()
    kept = np.isin(labels, present)
    rows, labels = StandardScaler().fit_transform(rows[kept]), labels[kept]
    weights, bias = fit_machines(kernel(rows, rows, 0.1), labels, np.ones((len(rows), 3), bool), c=1.0)
    assert not weights[:, 2].any()
    assert bias[2] == answer


def test_a_class_that_no_training_corpus_has_is_never_said() -> None:
    rows, labels = blobs()
    rows = StandardScaler().fit_transform(rows)
    allowed = np.ones((len(rows), 4), bool)
    allowed[:, 3] = False
    weights, bias = fit_machines(kernel(rows, rows, 0.1), labels, allowed, c=1.0)
    assert not weights[:, 3].any()
    assert bias[3] == -1


def test_projection_keeps_95_percent_of_the_variance() -> None:
    rows, _ = blobs(200)
    projection = fit_projection(rows, EVERY, variance=0.95)
    standard = np.clip(StandardScaler().fit_transform(rows), -CLIP, CLIP)
    kept = projection(rows).var(axis=0).sum() / standard.var(axis=0).sum()
    fewer = projection.components.shape[1] - 1
    assert kept >= 0.95 > PCA(fewer).fit(standard).explained_variance_ratio_.sum()
    np.testing.assert_allclose(projection.components.T @ projection.components, np.eye(fewer + 1), atol=1e-9)


def test_projection_without_pca_standardises() -> None:
    rows, _ = blobs()
    np.testing.assert_allclose(
        fit_projection(rows, EVERY, variance=None)(rows), StandardScaler().fit_transform(rows), atol=1e-9
    )


def test_projection_takes_its_columns_only() -> None:
    rows, _ = blobs()
    projection = fit_projection(rows, np.array([1, 4]), variance=None)
    spoilt = rows.copy()
    spoilt[:, [0, 2, 3, *range(5, 12)]] = 1e9
    np.testing.assert_array_equal(projection(rows), projection(spoilt))
    np.testing.assert_allclose(projection(rows), StandardScaler().fit_transform(rows[:, [1, 4]]), atol=1e-9)


def test_a_functional_that_never_varies_is_harmless() -> None:
    rows, _ = blobs()
    rows[:, 5] = 7.0
    assert not fit_projection(rows, EVERY, variance=None)(rows)[:, 5].any()


def test_an_outlier_is_cut_off() -> None:
    rows, _ = blobs()
    projection = fit_projection(rows, EVERY, variance=None)
    assert projection(rows[:1] + 1e9)[0].tolist() == [CLIP] * 12


def test_prune_changes_no_decision() -> None:
    model, rows = fitted(c=10.0)
    support, weights = prune(model.support, model.weights)
    assert 0 < len(support) < len(model.support)
    pruned = model._replace(support=support, weights=weights)
    np.testing.assert_allclose(pruned.decisions(rows), model.decisions(rows), atol=1e-12)


def test_the_model_tells_its_classes_apart() -> None:
    model, _ = fitted()
    rows, labels = blobs(300, seed=4)
    assert (model.decisions(rows).argmax(axis=1) == labels).mean() > 0.45  # chance is 0.33
