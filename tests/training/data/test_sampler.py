"""Which rows a step draws: how often, how evenly, and always the same."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.training.data.sampler import Balance, Drawer, derived_seed, row_weights
from tests.training.tiny import Clips, clips


def uneven() -> Clips:
    """Corpus a: 6 clips of class 0, 2 of class 1; corpus b: 4 of class 0. The first clip has three rows."""
    owner = np.array([0, 0, *range(12)])
    labels = np.where((owner >= 6) & (owner < 8), 1, 0)
    return Clips([], labels, np.ones((14, 3), dtype=np.bool_), owner, np.where(owner < 8, "a", "b"))


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


@pytest.mark.parametrize("balance", ["none", "corpus", "class", "corpus-class"])
def test_rows_come_as_often_as_they_are_due(balance: Balance) -> None:
    drawer, weights = Drawer(uneven(), balance), row_weights(uneven(), balance)
    drawn = np.concatenate([drawer.rows(10, seed=0, step=step) for step in range(2000)])
    found = np.bincount(drawn, minlength=14) / len(drawn)
    deviation = np.sqrt(weights / len(drawn))  # at most: a stratified draw varies less
    assert (np.abs(found - weights) < 4 * deviation).all()


def test_every_step_has_its_share_of_each_corpus() -> None:
    drawer = Drawer(clips(), "corpus-class")
    for step in range(20):
        rows = drawer.rows(12, seed=1, step=step)
        cells = clips().group[rows].astype(object) + clips().labels[rows].astype(str)
        assert {name: int((cells == name).sum()) for name in sorted(set(cells))} == {
            "casia0": 3,
            "casia1": 3,
            "ravdess0": 2,
            "ravdess1": 2,
            "ravdess2": 2,
        }


def test_a_draw_follows_from_seed_and_step_alone() -> None:
    first, again = Drawer(clips(), "none"), Drawer(clips(), "none")
    first.rows(8, seed=0, step=0)
    np.testing.assert_array_equal(first.rows(8, seed=0, step=5), again.rows(8, seed=0, step=5))
    assert (first.rows(8, seed=0, step=5) != first.rows(8, seed=0, step=6)).any()
    assert (first.rows(8, seed=0, step=5) != first.rows(8, seed=1, step=5)).any()


def test_neighbours_on_the_line_are_dealt_apart() -> None:
    rows = Drawer(clips(), "corpus").rows(24, seed=0, step=0)
    assert (np.diff(clips().group[rows] == "casia") != 0).sum() > 6  # in order there would be one change


def test_seeds_differ_by_purpose_and_fit_torch() -> None:
    seeds = {derived_seed(seed, step, purpose) for seed in range(5) for step in range(20) for purpose in range(3)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)
