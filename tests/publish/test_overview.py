"""The picture of accuracy, time and size has the planned models and the published systems."""

from __future__ import annotations

import pytest

from publish.laboratory import Figures
from publish.overview import Point, draw, our_points, peer_points
from publish.published import INDEPENDENT


@pytest.mark.slow
def test_ours_have_measured_costs() -> None:
    ours = {point.name: point for point in our_points(Figures())}
    assert {"mobile", "hybrid", "accurate"} <= set(ours)
    assert all(point.milliseconds and 0 < point.uar < 100 for point in ours.values())


def test_peers_are_as_published() -> None:
    stated = [row for row in INDEPENDENT if row[2] != "–"]
    assert [point.uar for point in peer_points()] == [float(row[2].split()[0]) for row in stated]
    assert all(point.milliseconds is None for point in peer_points())


def test_every_point_is_drawn_where_its_axis_has_a_value() -> None:
    picture = draw([Point("a", 60, 1e6, 3.0)], [Point("b", 70, 1e8)])
    left, right = ([text.get_text() for text in axes.texts] for axes in picture.axes)
    assert (left, right) == (["a"], ["a", "b"])
