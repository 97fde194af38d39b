"""Profiles in a batch, and scores from statistics without the encoder."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.adaptation.profile import Profile
from emovox.runtime.model import Model
from emovox.runtime.predictor import load
from emovox.runtime.registry import shipped
from emovox.schema.errors import CardError, ModelError
from emovox.testing import speech, tone, write_toy

# float32 products over another number of rows.
ROUNDING = 1e-6
# The same for the toy model, whose logits reach hundreds.
TOY = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toy")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model.load(write_toy(folder))


def profile(shift: float, stretch: float = 1.0) -> Profile:
    mean, scale = np.array([-3.0, -5.0], np.float32), np.array([1.0, 1.5], np.float32)
    return Profile(mean + np.float32(shift), scale * np.float32(stretch))


def batch(rows: int) -> npt.NDArray[np.float32]:
    return np.stack([tone(200.0 * (1 + row), seconds=1) for row in range(rows)])


@settings(max_examples=30, deadline=None)
@given(shifts=st.lists(st.none() | st.floats(-2, 2, width=32), min_size=1, max_size=6))
def test_each_row_of_a_batch_has_its_profile(model: Model, shifts: list[float | None]) -> None:
    profiles = [None if shift is None else profile(shift) for shift in shifts]
    rows = batch(len(shifts))
    together = model.run(rows, profiles)
    alone = [model.run(rows[at : at + 1], [one]) for at, one in enumerate(profiles)]
    np.testing.assert_allclose(together.scores, np.concatenate([one.scores for one in alone]), atol=TOY)
    np.testing.assert_allclose(model.scores(together.statistics, profiles), together.scores, atol=TOY)


def test_one_profile_counts_for_all_rows_and_none_is_the_training_set_s(model: Model) -> None:
    rows = batch(3)
    one = profile(0.5, 1.2)
    np.testing.assert_array_equal(model.run(rows, [one]).scores, model.run(rows, [one] * 3).scores)
    np.testing.assert_array_equal(model.run(rows, [None]).scores, model.run(rows).scores)
    np.testing.assert_allclose(model.run(rows, [model.default_profile]).scores, model.run(rows).scores, atol=TOY)
    assert not np.allclose(model.run(rows, [one]).scores, model.run(rows).scores, atol=1e-2)


@pytest.mark.parametrize(
    ("mean", "scale", "message"),
    [
        (np.zeros(2), np.ones(2, np.float32), r"mean of a profile is float64 \[2\], expected float32 \[p\]"),
        (np.zeros(2, np.float32), np.ones((1, 2), np.float32), r"scale of a profile is float32 \[1, 2\]"),
        ([0, 0], np.ones(2, np.float32), "mean of a profile is list"),
        (np.array([0, np.nan], np.float32), np.ones(2, np.float32), "mean of a profile holds NaN"),
        (np.zeros(3, np.float32), np.ones(2, np.float32), "mean has 3 numbers and scale 2"),
        (np.zeros(2, np.float32), np.zeros(2, np.float32), "scale of a profile has the minimum 0, expected .* above 0"),
    ],
)
def test_arrays_that_standardise_nothing_are_refused(mean: object, scale: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Profile(mean, scale)  # type: ignore[arg-type]


def test_profiles_that_do_not_fit_are_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="got 2 profiles for 3 rows, expected 1 or 3"):
        model.run(batch(3), [profile(0), None])
    wide = Profile(np.zeros(3, np.float32), np.ones(3, np.float32))
    with pytest.raises(ModelError, match=r"profile has 3 numbers, model 'toy' has 2 statistics; make it with this"):
        model.run(batch(1), [wide])
    stiff = Model.load(write_toy(tmp_path, name="stiff", adaptable=False))
    with pytest.raises(ModelError, match="model 'stiff' takes no profiles"):
        stiff.run(batch(1), [profile(0)])


@pytest.mark.parametrize("statistics", [np.zeros(2, np.float32), np.zeros((1, 3), np.float32), np.zeros((1, 2))])
def test_statistics_of_another_shape_are_refused(model: Model, statistics: npt.NDArray[np.float32]) -> None:
    with pytest.raises(ModelError, match=r"expected float32 \[batch, 2\]"):
        model.scores(statistics)


def test_the_head_is_cut_out_of_the_file_that_was_loaded(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path))
    write_toy(tmp_path, sharpness=2.0)
    with pytest.raises(CardError, match=r"toy\.onnx: sha256 is .* its card expects"):
        model.scores(np.zeros((1, 2), np.float32))


@pytest.mark.parametrize("name", shipped())
def test_shipped_heads_score_an_hour_of_statistics_as_the_graph_does(name: str) -> None:
    model = load(name).model
    rows = np.stack([speech(150.0 + 40 * row, seconds=1) for row in range(3)])
    outputs = model.run(rows)
    np.testing.assert_allclose(model.scores(outputs.statistics), outputs.scores, atol=ROUNDING)
    hour = np.tile(outputs.statistics, (400, 1))
    if model.card.adaptable:
        default = model.default_profile
        speakers = [None, Profile(default.mean + default.scale, 0.8 * default.scale), default]
        given = model.run(rows, speakers)
        np.testing.assert_allclose(model.scores(outputs.statistics, speakers), given.scores, atol=ROUNDING)
        assert not np.allclose(given.scores[1], outputs.scores[1], atol=1e-3)
    begun = time.perf_counter()
    scores = model.scores(hour)
    assert time.perf_counter() - begun < 10  # seconds; a machine that is busy with other work
    assert scores.shape == (1200, len(model.card.labels))
