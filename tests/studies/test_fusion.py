"""Parts of the study of voice and face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studies.fusion import choose_weight, mix, moments, normalised, read_units


def test_action_units_are_read_by_name_without_other_columns(tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_text("AU01_r;AU45_c;speech;name;index\n0.5;1.0;7;01-01;0\n0;0;7;01-02;0\n")
    found = read_units(tmp_path / "units.csv")
    assert {name: values.tolist() for name, values in found.items()} == {"01-01": [0.5, 1.0], "01-02": [0.0, 0.0]}


def test_a_new_speaker_is_trusted_more_with_more_clips() -> None:
    values = np.array([[0.0], [2.0], [10.0], [14.0]])
    prior = moments(values, ["a", "a", "b", "b"])
    assert (prior[0].tolist(), prior[1].tolist()) == ([6.5], [2.5])
    own = np.full((10, 1), 1.5)
    mean, deviation = normalised(prior, own, 10.0)
    assert mean == pytest.approx([4.0])
    assert deviation == pytest.approx([np.sqrt(1.25)], rel=1e-4)
    assert normalised(prior, own, 0.0)[0] == pytest.approx([1.5])


def test_the_weight_is_that_of_the_better_side() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    right = np.eye(3)[labels] * 2 + rng.standard_normal((300, 3))
    noise = rng.standard_normal((300, 3))
    _, weight, temperature = choose_weight(right, noise, labels)
    assert weight <= 0.3
    assert temperature > 0
    assert choose_weight(noise, right, labels)[1] > 1.5


def test_a_share_of_the_adapted_scores_is_mixed_in() -> None:
    one, other = np.ones((1, 2)), np.zeros((1, 2))
    voice, face = mix((one, other), (other, one), 0.25)
    assert voice.tolist() == [[0.25, 0.25]]
    assert face.tolist() == [[0.75, 0.75]]
