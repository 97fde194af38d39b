from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.evaluation.figures import counts, metrics
from emovox.evaluation.figures.predictions import Predictions, Row, join

EXACT = 1e-12
LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40)


def test_figures_worked_out_by_hand(hand_made: Predictions) -> None:
    values = metrics.values(hand_made)
    assert values["uar"] == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3, abs=EXACT)
    assert values["accuracy"] == pytest.approx(5 / 8, abs=EXACT)
    # F1 = 2 hits / (true + called): zen 6 / (4 + 3), hangry 2 / (2 + 2), meh 2 / (2 + 2)
    assert values["macro_f1"] == pytest.approx((6 / 7 + 1 / 2 + 1 / 2) / 3, abs=EXACT)
    assert values["weighted_f1"] == pytest.approx((4 * 6 / 7 + 2 / 2 + 2 / 2) / 8, abs=EXACT)
    # Bins of 1/15 by confidence: 0.5 wrong, three of 0.6 (two right), 0.7, 0.8 and 0.9 right; 7 clips.
    assert values["ece"] == pytest.approx((0.5 + abs(2 - 1.8) + 0.3 + 0.2 + 0.1) / 7, abs=EXACT)


def test_confusion_counts_clips_without_an_answer_in_a_column_of_their_own(hand_made: Predictions) -> None:
    assert metrics.confusion(hand_made).tolist() == [[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    assert metrics.recalls(hand_made) == {"zen": 0.75, "hangry": 0.5, "meh": 0.5}


def test_confusions_by_name_come_with_counts_and_shares(hand_made: Predictions) -> None:
    assert metrics.top_confusions(hand_made, 2) == (("hangry", "meh", 1, 0.5), ("meh", "no answer", 1, 0.5))
    assert metrics.top_confusions(hand_made)[2] == ("zen", "hangry", 1, 0.25)


def test_names_and_indices_give_the_same(hand_made: Predictions) -> None:
    for function in (metrics.uar, metrics.accuracy, metrics.weighted_f1, metrics.macro_f1):
        assert function(hand_made.label, hand_made.predicted) == function(
            hand_made.label_index, hand_made.predicted_index
        )


def test_a_class_without_clips_takes_no_part() -> None:
    """A corpus without disgust: calling a clip disgust is wrong, but disgust has no recall of its own."""
    labels, predicted = ["a", "a", "b", "b"], ["a", "a", "b", "disgust"]
    assert metrics.uar(labels, predicted) == pytest.approx(0.75, abs=EXACT)
    assert metrics.macro_f1(labels, predicted) == pytest.approx((1 + 2 / 3) / 2, abs=EXACT)


@given(LABELS)
def test_counts_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """The bootstrap computes from counts what the metrics ask of scikit-learn; they must be one thing."""
    label, predicted = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    table = counts.count(label, predicted, n_classes=4).astype(np.float64)
    assert counts.uar(table) == pytest.approx(metrics.uar(label, predicted), abs=EXACT)
    assert counts.accuracy(table) == pytest.approx(metrics.accuracy(label, predicted), abs=EXACT)
    assert counts.macro_f1(table) == pytest.approx(metrics.macro_f1(label, predicted), abs=EXACT)
    assert counts.weighted_f1(table) == pytest.approx(metrics.weighted_f1(label, predicted), abs=EXACT)


@given(LABELS, st.randoms(use_true_random=False), st.permutations(range(4)))
def test_order_of_clips_and_names_of_classes_do_not_matter(pairs, random, renamed) -> None:  # type: ignore[no-untyped-def]
    label, predicted = (list(column) for column in zip(*pairs, strict=True))
    random.shuffle(pairs)
    names = [*renamed, -1]  # index -1 stays "no answer"
    other = [names[a] for a, _ in pairs], [names[b] for _, b in pairs]
    for function in (metrics.uar, metrics.accuracy, metrics.weighted_f1, metrics.macro_f1):
        assert function(label, predicted) == pytest.approx(function(*other), abs=EXACT)


def test_a_perfect_predictor_reaches_one(generated: Callable[..., Predictions]) -> None:
    made = metrics.summary(generated(120, skill=50.0), draws=50)
    for name in ("uar", "accuracy", "weighted_f1", "macro_f1"):
        assert made.estimates[name].value == made.estimates[name].low == made.estimates[name].high == 1
    assert made.estimates["ece"].value < 1e-6


def test_a_predictor_without_skill_is_at_chance_and_its_interval_says_so(
    generated: Callable[..., Predictions],
) -> None:
    made = generated(3000, skill=0.0, classes="abcd", speakers=20)
    found = metrics.summary(made)
    expected = metrics.chance(made)
    for name in ("uar", "accuracy", "weighted_f1", "macro_f1"):
        assert found.estimates[name].low < expected[name] < found.estimates[name].high
    assert expected["uar"] == 0.25


def test_chance_of_unequal_classes() -> None:
    rows = [Row("c", str(i), "s", "1", "a" if i < 3 else "b", "a", (0.5, 0.5, 0.0)) for i in range(4)]
    found = metrics.chance(Predictions.from_rows(rows, ("a", "b", "never")))
    assert found["uar"] == found["accuracy"] == 0.5
    # F1 of a guess at 1/2: 2 p / (2 p + 1) → a: 0.6, b: 1/3
    assert found["macro_f1"] == pytest.approx((0.6 + 1 / 3) / 2, abs=EXACT)
    assert found["weighted_f1"] == pytest.approx(0.75 * 0.6 + 0.25 / 3, abs=EXACT)


def test_mean_and_deviation_over_folds(hand_made: Predictions) -> None:
    found = metrics.summary(hand_made, draws=20)
    # Fold 1 is all right; in fold 2 zen 0/1, hangry 0/1, meh 1/2.
    assert found.uar.fold_mean == pytest.approx((1 + 1 / 6) / 2, abs=EXACT)
    assert found.uar.fold_sd == pytest.approx((1 - 1 / 6) / 2**0.5, abs=EXACT)
    assert (found.clips, found.unanswered, found.speakers, found.folds) == (8, 1, 4, 2)


def test_one_fold_has_no_deviation(hand_made: Predictions) -> None:
    found = metrics.summary(hand_made.select(hand_made.fold == "1"), draws=20)
    assert found.uar.fold_mean is None
    assert found.uar.fold_sd is None


def test_calibration_error_weights_corpora_equally(generated: Callable[..., Predictions]) -> None:
    small, large = generated(50, corpus="a", seed=1), generated(900, corpus="b", seed=2, skill=3)
    found = metrics.summary(join([small, large]), draws=20)
    alone = {each.corpora[0]: metrics.values(each)["ece"] for each in (small, large)}
    assert found.ece_by_corpus == pytest.approx(alone, abs=EXACT)
    assert found.estimates["ece"].value == pytest.approx(sum(alone.values()) / 2, abs=EXACT)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100))
def test_scores_that_are_true_probabilities_are_calibrated(seed: int) -> None:
    """Labels drawn from the scores themselves: the error is only that of sampling, about sqrt(bins / n)."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(3), 4000)
    labels = np.array([rng.choice(3, p=row) for row in scores])
    assert metrics.expected_calibration_error(scores, labels) < 0.05


def test_the_same_seed_gives_the_same_interval(generated: Callable[..., Predictions]) -> None:
    made = generated()
    first, again = metrics.summary(made, rng=3, draws=100), metrics.summary(made, rng=3, draws=100)
    assert first.estimates == again.estimates
    assert metrics.summary(made, rng=4, draws=100).estimates != first.estimates


def test_speakers_of_the_same_name_in_two_corpora_are_two_people(generated: Callable[..., Predictions]) -> None:
    both = join([generated(100, corpus="a", seed=1), generated(100, corpus="b", seed=2)])
    assert metrics.summary(both, draws=10).speakers == 16


def test_unknown_speakers_are_not_counted(generated: Callable[..., Predictions]) -> None:
    found = metrics.summary(generated(speakers=0), draws=10)
    assert found.speakers == 0
    assert found.resampled == "utterances"


def test_nothing_to_summarise_is_an_error(hand_made: Predictions) -> None:
    with pytest.raises(ValueError, match="got no predictions"):
        metrics.summary(hand_made.select(np.zeros(8, dtype=bool)))


def test_predictions_that_never_answer_have_figures_of_zero() -> None:
    rows = [Row("c", str(i), "s", "1", "ab"[i % 2], "", None) for i in range(6)]
    found = metrics.summary(Predictions.from_rows(rows, ("a", "b")), draws=10)
    assert found.uar.value == found.accuracy.value == 0
    assert np.isnan(found.estimates["ece"].value)
    assert found.unanswered == 6
