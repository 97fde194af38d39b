"""Predictions of a run over the labels of its models, and what a run says about its training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emovox.evaluation.figures.predictions import Predictions, Row
from emovox.export.fold_models import run_corpora, run_system, training_noises, unheard_kinds, with_labels
from emovox.schema.errors import RecipeError


def test_scores_are_merged_into_the_labels_of_the_model() -> None:
    rows = [
        Row("c", "1", "ada", "1", "calm", "sad", (0.3, 0.4, 0.3, 0.0)),
        Row("c", "2", "ada", "1", "boredom", "sad", (0.1, 0.6, 0.0, 0.3)),
        Row("c", "3", "bob", "2", "sad", "", None),
    ]
    found = with_labels(Predictions.from_rows(rows, ("neutral", "sad", "calm", "boredom")), ("neutral", "sad"))
    assert found.utterance.tolist() == ["1", "3"]  # the model has no boredom
    assert found.label.tolist() == ["neutral", "sad"]
    assert found.predicted.tolist() == ["neutral", ""]
    assert found.scores[0].tolist() == pytest.approx([0.6, 0.4])


def test_a_kind_of_sound_is_tested_by_a_fold_that_learnt_from_nothing_like_it() -> None:
    learnt = {"1": ("rain", "fire"), "2": ("dog", "fire"), "3": ("dog", "rain", "fire")}
    found = unheard_kinds({**{fold: {"kinds": kinds} for fold, kinds in learnt.items()}, "4": None})
    assert (found["dog"], found["rooster"], found["rain"]) == ("1", "1", "2")
    assert found["fire"] is found["wind"] is None  # nothing like fire is unknown to any
    assert "bell" not in found  # no fold learnt from such a sound
    assert unheard_kinds({"1": None}) == {}


def test_a_folder_without_fold_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not the folder of a run"):
        run_corpora(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps({"name": "x", "data": {"corpora": ["tess"]}}), encoding="utf-8")
    assert run_corpora(tmp_path) == (("tess",), "")
    with pytest.raises(RecipeError, match=r"has no networks of folds, expected folds/1/network\.json"):
        run_system(tmp_path, tmp_path / "cache")


def test_the_noises_of_all_tables_of_a_training_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMOVOX_NOISE", str(tmp_path / "noise"))
    synthetic = {"noise": {"probability": 1, "coloured": 0.5, "babble": 0.5}}
    one, other = ({"noise": {"probability": 1, "source": str(tmp_path / "own" / name)}} for name in ("a", "b"))
    assert training_noises({}) is None
    assert training_noises({"augment": synthetic}) is None
    assert training_noises({"augment": {"noise": {"probability": 0.5}}}) == tmp_path / "noise"
    assert training_noises({"augment": [synthetic, one]}) == tmp_path / "own" / "a"
    assert training_noises({"augment": [one, other]}) == tmp_path / "own"
    monkeypatch.delenv("EMOVOX_NOISE")
    assert training_noises({"augment": {"noise": {"probability": 0.5}}}) is None
