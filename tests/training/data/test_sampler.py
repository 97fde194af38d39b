"""Which rows a step draws: how often, how evenly, and always the same."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from emovox.training.data.examples import Examples, vectors
from emovox.training.data.sampler import Balance, StratifiedSampler, derived_seed, row_weights
from emovox.training.data.task import Task
from tests.training.tiny import CLASSES, clips, task


def uneven() -> Examples:
    """Corpus a: 6 clips of class 0, 2 of class 1; corpus b: 4 of class 0. The first clip has three rows."""
    own = [msgspec.structs.replace(c, corpus="a" if n < 8 else "b") for n, c in enumerate(task().clips[:12])]
    labels = np.array([1 if n in (6, 7) else 0 for n in range(12)])
    made = Task(tuple(own), CLASSES, labels, np.ones((12, 3), dtype=np.bool_))
    return Examples(made, np.array([0, 0, *range(12)]), vectors(np.zeros((14, 1), np.float32)))


def corpora(examples: Examples) -> npt.NDArray[np.str_]:
    return np.array([examples.task.clips[clip].corpus for clip in examples.owner])


@pytest.mark.parametrize(
    ("balance", "many", "few", "other"),
    [
        ("none", 1 / 12, 1 / 12, 1 / 12),
        ("corpus", 1 / 16, 1 / 16, 1 / 8),
        ("class", 8 / 12 / 12, 8 / 12 / 4, 1 / 12),
        ("corpus-class", 1 / 24, 1 / 8, 1 / 8),
    ],
)
def test_what_a_clip_is_due(balance: Balance, many: float, few: float, other: float) -> None:
    weights = row_weights(uneven(), balance)
    due = np.bincount(uneven().owner, weights)
    np.testing.assert_allclose(due, [many] * 6 + [few] * 2 + [other] * 4)
    np.testing.assert_allclose(weights[:3], many / 3)  # views of one clip share


def test_a_weight_halves_the_share_of_a_corpus() -> None:
    examples = uneven()
    first = examples.task.corpora[0]
    full = row_weights(examples, "corpus")
    lighter = replace(examples, task=replace(examples.task, weights={first: 0.5}))
    here = corpora(examples) == first
    due = row_weights(lighter, "corpus")
    assert due[here].sum() / due[~here].sum() == pytest.approx(0.5 * full[here].sum() / full[~here].sum())


@pytest.mark.parametrize("balance", ["none", "corpus", "class", "corpus-class"])
def test_rows_come_as_often_as_they_are_due(balance: Balance) -> None:
    sampler, weights = StratifiedSampler(uneven(), balance), row_weights(uneven(), balance)
    drawn = np.concatenate([sampler.rows(10, seed=0, step=step) for step in range(2000)])
    found = np.bincount(drawn, minlength=14) / len(drawn)
    deviation = np.sqrt(weights / len(drawn))  # at most: a stratified draw varies less
    assert (np.abs(found - weights) < 4 * deviation).all()


def test_every_step_has_its_share_of_each_corpus() -> None:
    sampler = StratifiedSampler(clips(), "corpus-class")
    for step in range(20):
        rows = sampler.rows(12, seed=1, step=step)
        cells = corpora(clips())[rows].astype(object) + clips().labels[rows].astype(str)
        assert {name: int((cells == name).sum()) for name in sorted(set(cells))} == {
            "casia0": 3,
            "casia1": 3,
            "ravdess0": 2,
            "ravdess1": 2,
            "ravdess2": 2,
        }


def test_a_draw_follows_from_seed_and_step_alone() -> None:
    first, again = StratifiedSampler(clips(), "none"), StratifiedSampler(clips(), "none")
    first.rows(8, seed=0, step=0)
    np.testing.assert_array_equal(first.rows(8, seed=0, step=5), again.rows(8, seed=0, step=5))
    assert (first.rows(8, seed=0, step=5) != first.rows(8, seed=0, step=6)).any()
    assert (first.rows(8, seed=0, step=5) != first.rows(8, seed=1, step=5)).any()


def test_neighbours_on_the_line_are_dealt_apart() -> None:
    rows = StratifiedSampler(clips(), "corpus").rows(24, seed=0, step=0)
    assert (np.diff(corpora(clips())[rows] == "casia") != 0).sum() > 6  # in order there would be one change


def test_seeds_differ_by_purpose_and_fit_torch() -> None:
    seeds = {derived_seed(seed, step, purpose) for seed in range(5) for step in range(20) for purpose in range(3)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)
