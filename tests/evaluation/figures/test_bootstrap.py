from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from emovox.evaluation.figures import bootstrap, metrics
from emovox.evaluation.figures.predictions import Predictions, Row, join
from emovox.schema.errors import PredictionsError

EXACT = 1e-12


def test_undrawn_sums_give_the_plain_metrics(generated: Callable[..., Predictions], hand_made: Predictions) -> None:
    for made in (hand_made, generated(), join([generated(corpus="a"), generated(90, corpus="b", seed=1)])):
        table, layout = bootstrap.sums_by_unit(made, bootstrap.units(made))
        found = {name: float(f(table.sum(axis=0))) for name, f in bootstrap.metrics_of(layout).items()}
        assert found == pytest.approx(metrics.values(made), abs=EXACT)


def test_each_draw_is_a_sample_of_whole_speakers_of_each_corpus() -> None:
    stratum = np.array([0, 0, 0, 1, 1])
    rows = bootstrap.draw(np.eye(5), stratum, rng=np.random.default_rng(0), draws=200)
    assert rows.shape == (200, 5)
    assert (rows[:, :3].sum(axis=1) == 3).all()
    assert (rows[:, 3:].sum(axis=1) == 2).all()
    assert (rows == rows.round()).all()
    assert (rows.max(axis=0) > 1).all(), "drawing with replacement takes some unit twice"


def test_draws_in_pieces_have_the_right_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 7)
    rows = bootstrap.draw(np.ones((3, 1)), np.zeros(3, dtype=np.int64), rng=np.random.default_rng(0), draws=11)
    assert rows.tolist() == [[3.0]] * 11


@pytest.mark.parametrize(("speakers", "kind"), [(8, "speakers"), (4, "utterances"), (0, "utterances")])
def test_fewer_than_five_speakers_means_utterances(
    generated: Callable[..., Predictions], speakers: int, kind: str
) -> None:
    assert bootstrap.units(generated(speakers=speakers)).name == kind


def test_the_choice_is_made_for_each_corpus(generated: Callable[..., Predictions]) -> None:
    drawn = bootstrap.units(join([generated(100, corpus="a"), generated(30, corpus="b", speakers=2)]))
    assert drawn.name == "speakers or utterances"
    assert len(drawn.stratum) == 8 + 30
    assert drawn.index[:100].max() == 7
    assert drawn.index[100:].tolist() == list(range(8, 38))


def test_speakers_who_differ_widen_the_interval() -> None:
    """Half of the speakers always right, half always wrong: resampling people must see it, resampling clips cannot."""
    rows = [
        Row("c", f"{s}-{i}", f"s{s}", "1", "a", "a" if s % 2 else "b", (0.6, 0.4) if s % 2 else (0.4, 0.6))
        for s in range(10)
        for i in range(40)
    ]
    people = Predictions.from_rows(rows, ("a", "b"))
    strangers = Predictions.from_rows([row._replace(speaker="") for row in rows], ("a", "b"))
    widths = []
    for each in (people, strangers):
        low, high = bootstrap.intervals(each, rng=np.random.default_rng(0)).metrics["accuracy"]
        assert low < 0.5 < high
        widths.append(high - low)
    # Deviations: sqrt(0.25 / 10 speakers) and sqrt(0.25 / 400 clips); 1.96 of them to each side.
    assert widths[0] == pytest.approx(2 * 1.96 * (0.25 / 10) ** 0.5, rel=0.15)
    assert widths[1] == pytest.approx(2 * 1.96 * (0.25 / 400) ** 0.5, rel=0.15)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """100 experiments with 40 speakers and a true accuracy of 0.7: about 95 intervals hold it."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        right = rng.random(800) < 0.7
        names = np.where(right, "a", "b")
        column = np.array([f"s{i % 40}" for i in range(800)])
        scores = np.where(right[:, None], [[0.7, 0.3]], [[0.3, 0.7]])
        one = np.full(800, "a")
        made = Predictions(np.full(800, "c"), np.arange(800).astype(str), column, one, one, names, scores, ("a", "b"))
        low, high = bootstrap.intervals(made, rng=rng, draws=200).metrics["accuracy"]
        held += low <= 0.7 <= high
    assert 87 <= held <= 100


def test_a_model_against_itself_does_not_differ(generated: Callable[..., Predictions]) -> None:
    made = generated()
    backwards = made.select(np.arange(len(made))[::-1])
    found = bootstrap.paired_difference(made, backwards, rng=np.random.default_rng(0))
    assert found == pytest.approx((0, 0, 0, 1, 1), abs=EXACT)
    assert not found.detectable


def test_a_better_model_is_seen_although_the_intervals_overlap(generated: Callable[..., Predictions]) -> None:
    first = generated(400, skill=1.5)
    repaired = np.flatnonzero(first.label != first.predicted)[:20]
    predicted = first.predicted.copy()
    predicted[repaired] = first.label[repaired]
    second = Predictions(
        first.corpus, first.utterance, first.speaker, first.fold, first.label, predicted, first.scores, first.classes
    )
    found = bootstrap.paired_difference(first, second, rng=np.random.default_rng(0), metric="accuracy")
    assert found.value == pytest.approx(20 / 400, abs=EXACT)
    assert 0 < found.low < found.value < found.high
    assert found.not_better == 0
    assert found.p == pytest.approx(2 / (bootstrap.DRAWS + 1))
    assert found.detectable
    alone = [bootstrap.intervals(each, rng=np.random.default_rng(0)).metrics["accuracy"] for each in (first, second)]
    assert alone[1].low < alone[0].high, "the example is meant to need the pairing"


def test_lower_calibration_error_is_better(generated: Callable[..., Predictions]) -> None:
    first = generated(600, skill=1.0)
    sure = first.scores**4 / (first.scores**4).sum(axis=1, keepdims=True)
    second = Predictions(
        first.corpus, first.utterance, first.speaker, first.fold, first.label, first.predicted, sure, first.classes
    )
    found = bootstrap.paired_difference(first, second, rng=np.random.default_rng(0), metric="ece")
    assert found.low > 0
    assert found.not_better == 1


def test_the_mean_of_seeds_is_compared(generated: Callable[..., Predictions]) -> None:
    weak, strong = ([_noisy(generated(400, skill=2), share, seed) for seed in range(3)] for share in (0.3, 0.1))
    found = bootstrap.mean_difference(weak, strong, rng=np.random.default_rng(0), metric="accuracy")
    accuracy = [np.mean([(run.label == run.predicted).mean() for run in runs]) for runs in (weak, strong)]
    assert found.value == pytest.approx(accuracy[1] - accuracy[0], abs=EXACT)
    assert found.low < found.value < found.high
    one = bootstrap.paired_difference(weak[0], strong[0], rng=np.random.default_rng(0), metric="accuracy")
    assert found.high - found.low < one.high - one.low, "the mean of three seeds scatters less than one"


def test_seeds_may_differ_in_number_and_order(generated: Callable[..., Predictions]) -> None:
    runs = [_noisy(generated(200), 0.3, seed) for seed in range(2)]
    backwards = [run.select(np.arange(len(run))[::-1]) for run in (*runs, *runs)]
    found = bootstrap.mean_difference(runs, backwards, rng=np.random.default_rng(0))
    assert found == pytest.approx((0, 0, 0, 1, 1), abs=EXACT)


def test_p_is_as_often_small_as_it_says(generated: Callable[..., Predictions]) -> None:
    """60 pairs of equally good runs, 40 speakers: p is below 0.2 in about a fifth of them, and below 0.01 hardly."""
    made = generated(800, skill=2, speakers=40)
    found = [
        bootstrap.paired_difference(
            _noisy(made, 0.2, 2 * pair), _noisy(made, 0.2, 2 * pair + 1), rng=np.random.default_rng(0), draws=200
        ).p
        for pair in range(60)
    ]
    assert 4 <= sum(p < 0.2 for p in found) <= 22
    assert sum(p < 0.011 for p in found) <= 3


def _noisy(made: Predictions, share: float, seed: int) -> Predictions:
    """Predictions of which a share is drawn anew."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.array(made.classes), len(made))
    predicted = np.where(rng.random(len(made)) < share, drawn, made.predicted)
    return Predictions(
        made.corpus, made.utterance, made.speaker, made.fold, made.label, predicted, made.scores, made.classes
    )


def test_other_utterances_cannot_be_compared(generated: Callable[..., Predictions], hand_made: Predictions) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(PredictionsError, match=r"lacks 8 of the first's 8 utterances, for example own/u1 and has 200"):
        bootstrap.paired_difference(hand_made, generated(), rng=rng)
    with pytest.raises(PredictionsError, match=r"lacks 0 of the first's 4 utterances and has 4 of its own"):
        bootstrap.paired_difference(hand_made.select(np.arange(4)), hand_made, rng=rng)
    relabelled = Predictions.from_rows(
        [Row("own", f"u{i}", "", "1", "meh", "meh", (0.1, 0.1, 0.8)) for i in range(1, 9)], hand_made.classes
    )
    with pytest.raises(PredictionsError, match=r"6 true labels differ, for example u1 is 'zen' in the first and 'meh'"):
        bootstrap.paired_difference(hand_made, relabelled, rng=rng)


def test_four_thousand_clips_take_little_work(generated: Callable[..., Predictions]) -> None:
    """No clock: the cost is one matrix product over units, so the table must have a row a speaker, not a row a clip."""
    made = generated(4000, classes="abcdefg", speakers=24)
    table, _ = bootstrap.sums_by_unit(made, bootstrap.units(made))
    assert table.shape == (24, 7 * 8 + 2 * bootstrap.BINS)
