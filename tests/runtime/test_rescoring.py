"""A head in two parts: the same scores, under any mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.adaptation.estimator import WeightedProfile, adapted_scores
from emovox.adaptation.profile import Profile
from emovox.adaptation.rescoring import rescore
from emovox.runtime.graph_file import first_product
from emovox.runtime.model import Model
from emovox.runtime.model_head import split_head
from emovox.runtime.registry import resolve
from emovox.schema.errors import CardError, ModelError
from emovox.schema.labels import EMOTIONS
from emovox.testing import toy_graph, write_toy

ROUNDING = 2e-6
"""Sums of float32 in another order."""


def rows(model: Model, n: int = 40) -> np.ndarray:
    profile = model.default_profile
    drawn = np.random.default_rng(0).standard_normal((n, profile.mean.size))
    return (profile.mean + profile.scale * drawn).astype(np.float32)


@pytest.fixture(scope="module", params=["toy", "accurate", "hybrid", "mobile"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_toy(tmp_path_factory.mktemp("toy")) if request.param == "toy" else resolve(request.param))


def test_both_parts_after_each_other_are_the_head(model: Model) -> None:
    statistics = rows(model)
    np.testing.assert_allclose(model.finish(model.hidden(statistics)), model.scores(statistics), atol=ROUNDING)


def test_a_mixture_is_scored_from_either(model: Model) -> None:
    statistics, start = rows(model), model.default_profile
    other = Profile(start.mean + np.float32(0.4) * start.scale, start.scale)
    mixture = [WeightedProfile(0.3, None), WeightedProfile(0.7, other)]
    found = rescore(model, model.hidden(statistics), mixture)
    np.testing.assert_allclose(found, adapted_scores(model, statistics, mixture), atol=ROUNDING)
    assert np.abs(found - model.scores(statistics)).max() > 0.01


def test_the_first_part_takes_a_profile(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path))
    start, statistics = model.default_profile, rows(model)
    profile = Profile(start.mean + 1, start.scale * 2)
    found = model.finish(model.hidden(statistics, profile))
    np.testing.assert_allclose(found, model.scores(statistics, [profile]), atol=ROUNDING)


def test_statistics_of_another_model_are_refused(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path))
    with pytest.raises(ModelError, match=r"statistics are float32 of shape \[3, 5\], expected float32 \[batch, 2\]"):
        model.hidden(np.zeros((3, 5), np.float32))


def test_a_head_without_an_affine_map_is_named() -> None:
    graph = toy_graph(EMOTIONS).replace(b"MatMul", b"MatMuk")
    with pytest.raises(KeyError, match="statistics"):
        first_product(graph, source="statistics")
    with pytest.raises(CardError, match=r"x\.onnx: the head does not begin with an affine map"):
        split_head(graph, where=Path("x.onnx"))
