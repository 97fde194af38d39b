from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from emovox.evaluation.figures import metrics
from emovox.evaluation.figures.comparison import (
    Entry,
    as_data,
    check_independent,
    compare,
    mean_calibration_errors,
    measure,
)
from emovox.evaluation.figures.predictions import Predictions, Row, join
from emovox.schema.errors import ProtocolError
from emovox.schema.figure import FigureKey


def test_corpora_are_measured_one_by_one(generated: Callable[..., Predictions]) -> None:
    first, second = generated(80, corpus="a"), generated(60, corpus="b", seed=1)
    found = measure([Entry("x", join([first, second])), Entry("y", first)], draws=20)
    assert [(each.corpus, each.name, each.summary.clips) for each in found] == [
        ("a", "x", 80),
        ("a", "y", 80),
        ("b", "x", 60),
    ]
    assert found[0].summary.uar.value == metrics.uar(first.label, first.predicted)


def test_calibration_over_corpora_weights_them_equally(generated: Callable[..., Predictions]) -> None:
    parts = [generated(400, corpus="a"), generated(50, corpus="b", skill=3)]
    found = mean_calibration_errors(measure([Entry("x", join(parts)), Entry("y", parts[0])], draws=10))
    assert found == pytest.approx({"x": sum(metrics.values(part)["ece"] for part in parts) / 2})


def test_others_are_compared_with_the_first(generated: Callable[..., Predictions]) -> None:
    good, bad = generated(300, skill=3), generated(300, skill=0.5)
    (found,) = compare(measure([Entry("good", good), Entry("bad", bad)], draws=50), draws=50)
    assert (found.first, found.second) == ("good", "bad")
    difference = found.differences["accuracy"]
    expected = np.mean(bad.label == bad.predicted) - np.mean(good.label == good.predicted)
    assert difference.value == pytest.approx(expected)
    assert difference.high < 0


def test_conditions_of_several_runs_are_compared_with_their_own_kind(generated: Callable[..., Predictions]) -> None:
    entries = [
        Entry(f"{run} {condition}", generated(100, skill=skill), key=FigureKey(run, "own", "own", "si", condition))
        for run, skill in (("a", 1.0), ("b", 2.0))
        for condition in ("tile", "whole")
    ]
    measured = measure(entries, draws=20)
    found = compare(measured, by_condition=True, draws=20)
    assert [(each.first, each.second) for each in found] == [("a tile", "b tile"), ("a whole", "b whole")]
    assert [each.first for each in compare(measured, draws=20)] == ["a tile"] * 3


def test_the_seven_class_view_is_compared_with_its_own_kind(generated: Callable[..., Predictions]) -> None:
    keys = [
        FigureKey("run", "own", labels, "joint", name)
        for labels, name in (("own", "tile"), ("seven", "tile"), ("own", "whole"))
    ]
    measured = measure([Entry(key.stem, generated(seed=number), key=key) for number, key in enumerate(keys)])
    assert [(each.first, each.second) for each in compare(measured, draws=50)] == [(keys[0].stem, keys[2].stem)]


def test_what_cannot_be_compared_says_why(generated: Callable[..., Predictions]) -> None:
    (found,) = compare(measure([Entry("all", generated(50)), Entry("some", generated(40))], draws=10), draws=10)
    assert found.differences == {}
    assert "lacks 10 of the first's 50 utterances" in found.reason


def test_independent_predictions_pass(generated: Callable[..., Predictions]) -> None:
    check_independent(Entry("fine", generated()))


def test_a_speaker_in_two_folds_is_not_independent() -> None:
    rows = [Row("own", f"u{i}", "ada", str(i), "a", "a", (0.9, 0.1)) for i in (1, 2)]
    with pytest.raises(ProtocolError, match=r"wrong: speaker ada of own is tested in folds 1 and 2, expected one fold"):
        check_independent(Entry("wrong", Predictions.from_rows(rows, ("a", "b"))))


def test_without_speakers_nothing_is_independent(generated: Callable[..., Predictions]) -> None:
    with pytest.raises(ProtocolError, match=r"none: 200 of 200 clips have no speaker \(own-0 is the first\)"):
        check_independent(Entry("none", generated(speakers=0)))


def test_data_for_programs_hold_the_true_figures(hand_made: Predictions) -> None:
    measured = measure([Entry("x", hand_made, "speaker-independent")], draws=20)
    data = msgspec.json.decode(msgspec.json.encode(as_data(measured, compare(measured))))
    (found,) = data["results"]
    assert found["metrics"]["uar"]["value"] == pytest.approx(7 / 12)
    assert found["clips"] == 8
    assert found["without_speech"] == 1
    assert found["confusion"] == [[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    assert found["recalls"]["zen"]["value"] == 0.75
    assert found["confusions"][0] == {"label": "hangry", "predicted": "meh", "clips": 1, "share": 0.5}
    assert found["abstention"] == {"threshold": 0.0, "share": 0.875, "accuracy": pytest.approx(5 / 7)}
    assert data["comparisons"] == []


def test_data_say_whether_a_difference_can_be_told(generated: Callable[..., Predictions]) -> None:
    measured = measure([Entry("x", generated(300)), Entry("same", generated(300)), Entry("y", generated(300, skill=4))])
    same, better = as_data(measured, compare(measured))["comparisons"]
    assert (same["differences"]["uar"]["detectable"], same["differences"]["uar"]["p"]) == (False, 1.0)
    assert better["differences"]["uar"]["detectable"]
    assert better["differences"]["uar"]["p"] < 0.01


def test_not_a_number_is_null_for_programs() -> None:
    rows = [Row("c", str(i), "s", "1", "ab"[i % 2], "", None) for i in range(6)]
    measured = measure([Entry("silent", Predictions.from_rows(rows, ("a", "b")))], draws=5)
    (found,) = msgspec.json.decode(msgspec.json.encode(as_data(measured)))["results"]
    assert found["metrics"]["ece"]["value"] is None
    assert found["abstention"] is None
