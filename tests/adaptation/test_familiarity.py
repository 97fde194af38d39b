from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from emovox.adaptation.familiarity import (
    LARGEST_TEMPERATURE,
    START,
    Familiarity,
    RunningDistance,
    from_half,
    tempered,
    to_half,
)
from emovox.schema.errors import ModelError
from emovox.schema.trust import CardFamiliarity, HalfArray


def card(**changes: Any) -> CardFamiliarity:
    """Two corpora on two axes: the first and the third of four statistics."""
    plain = CardFamiliarity(
        step=2,
        axes=to_half(np.eye(2)),
        centres=((0.0, 0.0), (10.0, 0.0)),
        voices=(4, 9),
        spread=(1.0, 0.5),
        limits=((1, 2.0), (10, 1.0)),
        slope=2.0,
        known=2.5,
        unheard=90.0,
    )
    return msgspec.structs.replace(plain, **changes)


def known(**changes: Any) -> Familiarity:
    return Familiarity.from_card(card(**changes))


def test_the_distance_is_that_from_the_nearest_corpus() -> None:
    found = known()
    variance = np.array([1.0, 0.5]) * (1 + 1 / 9) + 1 / 10
    place = np.array([12.0, 1.0])
    assert found.distance(place, 10) == pytest.approx(np.sqrt(((place - [10, 0]) ** 2 / variance).mean()))
    assert found.distance(np.array([0.0, 0.0]), 10) == 0


def test_a_short_recording_has_a_wider_limit() -> None:
    found = known()
    assert [found.limit(tiles) for tiles in (1, 10, 100)] == [2.0, 1.0, 1.0]
    assert 1.0 < found.limit(3) < 2.0
    place = np.array([3.0, 3.0])
    assert found.distance(place, 1) < found.distance(place, 10)


def test_the_running_distance_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    tiles = rng.normal(2.0, 1.0, (5, 4)).astype(np.float32)
    running = RunningDistance(known())
    assert running.distance == 0
    for tile in tiles:
        running.add(tile)
    assert running.tiles == 5
    assert running.distance == pytest.approx(known().distance(tiles[:, ::2].mean(axis=0), 5), rel=1e-6)


def test_scores_are_lowered_only_far_away_and_never_reordered() -> None:
    found = known()
    rises = [found.temperature(distance) for distance in (0.0, START, START + 0.5, 99.0)]
    assert rises == pytest.approx([1.0, 1.0, 2.0, LARGEST_TEMPERATURE])
    scores = np.array([0.7, 0.2, 0.1, 0.0], np.float32)
    assert tempered(scores, 1.0) is scores
    lower = tempered(scores, 2.0)
    assert lower.sum() == pytest.approx(1, abs=1e-6)
    assert lower[0] < scores[0]
    assert np.argsort(-lower, kind="stable").tolist() == [0, 1, 2, 3]


def test_arrays_are_kept_in_half_precision() -> None:
    values = np.array([[0.5, -1.25], [3.0, 4.0]])
    assert from_half(to_half(values)).tolist() == values.tolist()


@pytest.mark.parametrize("damaged", [HalfArray((3, 3), to_half(np.eye(2)).base64), HalfArray((2, 2), "?")])
def test_a_damaged_array_is_an_error(damaged: HalfArray) -> None:
    with pytest.raises(ModelError, match=r"familiarity has no array .* measure it again"):
        known(axes=damaged)


@pytest.mark.parametrize("wrong", [{"spread": (1.0,)}, {"voices": (4,)}, {"centres": ((0.0,), (1.0,))}])
def test_parts_that_do_not_fit_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="familiarity has parts of shapes"):
        known(**wrong)


@pytest.mark.parametrize("wrong", [{"spread": (1.0, float("nan"))}, {"spread": (1.0, -1.0)}, {"voices": (0, 9)}])
def test_impossible_numbers_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="familiarity holds NaN, infinity or a number below 0"):
        known(**wrong)


def test_another_model_is_an_error() -> None:
    with pytest.raises(ModelError, match="familiarity is for 2 statistics, got 5"):
        known().project(np.zeros((1, 10), np.float32))
