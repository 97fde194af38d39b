"""A head learns in use from labelled clips, stays near the shipped weights, and takes back what does not help."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from emovox.adaptation.learning import HeadLearner
from emovox.adaptation.replay import Replay
from emovox.schema.errors import ModelError

WIDTH, MOODS = 16, 4
CENTRES = np.random.default_rng(9).standard_normal((MOODS, WIDTH)) * 0.7
OFFSET = np.random.default_rng(8).standard_normal(WIDTH) * 3
"""What an unheard voice adds to the embeddings."""


def clips(n: int, label: int, *, seed: int = 0, offset: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings and scores of clips of a label; the scores are right for voices without an offset."""
    rng = np.random.default_rng([seed, label])
    embeddings = CENTRES[label] + offset * OFFSET + rng.standard_normal((n, WIDTH))
    logits = embeddings @ CENTRES.T - np.square(CENTRES).sum(axis=1) / 2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return embeddings.astype(np.float32), (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def taught(n: int, *, seed: int = 0, turn: int = 0, learner: HeadLearner | None = None, **how: float) -> HeadLearner:
    """Return a learner after n clips of each label, one by one; `turn` gives each clip another label."""
    learner = HeadLearner.empty(WIDTH, MOODS, **how) if learner is None else learner
    rows = [clips(n, label, seed=seed) for label in range(MOODS)]
    for place in range(n):
        for label, (embeddings, scores) in enumerate(rows):
            one = slice(place, place + 1)
            learner = learner.learn(embeddings[one], scores[one], [(label + turn) % MOODS])
    return learner


def recall(learner: HeadLearner, *, seed: int = 99, offset: float = 1.0) -> float:
    """Return the share of right predictions on other clips."""
    right = []
    for label in range(MOODS):
        embeddings, scores = clips(200, label, seed=seed, offset=offset)
        right.append(np.mean(learner.corrected(embeddings, scores).argmax(axis=1) == label))
    return float(np.mean(right))


def test_it_learns_a_voice_from_a_few_clips() -> None:
    plain = recall(HeadLearner.empty(WIDTH, MOODS))
    after = [recall(taught(n)) for n in (1, 3, 10)]
    assert plain < 0.6
    assert after[0] > plain + 0.15
    assert after[2] > 0.83
    assert all(later > earlier - 0.02 for earlier, later in pairwise([plain, *after]))


def test_probabilities_come_out() -> None:
    embeddings, scores = clips(5, 1)
    found = taught(3).corrected(embeddings, scores)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    nothing = HeadLearner.empty(WIDTH, MOODS)
    np.testing.assert_array_equal(nothing.corrected(embeddings, scores), scores)
    assert nothing.corrected(embeddings[:0], scores[:0]).shape == (0, MOODS)


def test_a_penalty_keeps_it_near_the_shipped_weights() -> None:
    sizes = [np.abs(taught(5, strength=strength).weights).max() for strength in (0.01, 0.1, 1.0, 100.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.05 * sizes[0]
    few, many = np.abs(taught(1).weights).max(), np.abs(taught(10).weights).max()
    assert few < many, "little evidence moves it little"


def test_earlier_speakers_are_not_forgotten() -> None:
    first = taught(5)
    learner = first
    for seed in range(1, 5):
        for label in range(MOODS):
            learner = learner.learn(*clips(5, label, seed=seed, offset=-1.0), [label] * 5)
    assert recall(learner, offset=-1.0) > 0.7
    assert recall(learner) > recall(first) - 0.05


def test_the_memory_is_bounded_and_learning_goes_on() -> None:
    learner = taught(12, capacity=20)
    assert len(learner.replay) == 20
    assert learner.replay.counts.tolist() == [5] * MOODS
    assert learner.learnt
    assert recall(learner) > 0.8


def test_one_label_alone_changes_nothing() -> None:
    embeddings, scores = clips(20, 0)
    learner = HeadLearner.empty(WIDTH, MOODS).learn(embeddings, scores, [0] * 20)
    assert not learner.learnt
    np.testing.assert_array_equal(learner.corrected(embeddings, scores), scores)


def test_labels_without_clips_lose_nothing_to_each_other() -> None:
    learner = HeadLearner.empty(WIDTH, MOODS)
    for label in (0, 1):
        learner = learner.learn(*clips(5, label), [label] * 5)
    embeddings, scores = clips(50, 3, seed=5)
    after = learner.corrected(embeddings, scores)
    np.testing.assert_allclose(after[:, 2] / after[:, 3], scores[:, 2] / scores[:, 3], rtol=1e-3)


@pytest.mark.parametrize("n", [2, 5, 30])
def test_contradictory_labels_are_taken_back(n: int) -> None:
    learner = HeadLearner.empty(WIDTH, MOODS)
    for place in range(n):
        embeddings, scores = (array[place : place + 1] for array in clips(n, 0))
        for label in range(MOODS):
            learner = learner.learn(embeddings, scores, [label])
            assert np.abs(learner.weights).max() < 30
    assert not learner.learnt
    assert recall(learner) == recall(HeadLearner.empty(WIDTH, MOODS))


def test_what_is_learnt_is_taken_back_when_it_does_not_help() -> None:
    learner = taught(5)
    assert learner.learnt
    for place in range(30):
        for label in range(MOODS):
            embeddings, scores = clips(1, label, seed=100 + place)
            learner = learner.learn(embeddings, scores, np.random.default_rng([place, label]).integers(MOODS, size=1))
    assert recall(learner) >= recall(HeadLearner.empty(WIDTH, MOODS)) - 0.05


def test_drift_is_noticed_when_labels_turn_and_not_before() -> None:
    learner = taught(10)
    assert learner.drift.alarms == 0
    assert taught(10, seed=1, learner=learner).drift.alarms == 0, "more of the same"
    assert taught(10, seed=1, turn=1, learner=learner).drift.alarms >= 1


def test_the_same_clips_give_the_same_weights() -> None:
    np.testing.assert_array_equal(taught(12, capacity=20).weights, taught(12, capacity=20).weights)


def test_a_memory_alone_gives_the_weights_again() -> None:
    learner = taught(5)
    np.testing.assert_array_equal(HeadLearner.new(learner.replay).weights, learner.weights)


def test_weights_stay_when_the_clips_go() -> None:
    learner = taught(5)
    bare = learner.without_clips()
    embeddings, scores = clips(20, 2, seed=3)
    assert len(bare.replay) == 0
    np.testing.assert_array_equal(bare.corrected(embeddings, scores), learner.corrected(embeddings, scores))
    again = HeadLearner.new(bare.replay, start=bare.start, drift=bare.drift)
    np.testing.assert_array_equal(again.weights, learner.weights)
    assert recall(taught(3, seed=4, learner=again)) > recall(learner) - 0.03


def test_clips_that_do_not_fit_are_refused_and_nothing_is_lost() -> None:
    learner, (embeddings, scores) = taught(3), clips(2, 0)
    before = learner.weights.copy()
    for arguments, message in (
        (
            (embeddings[:, :-1], scores, [0, 0]),
            r"have the shapes \[2, 15\] and \[2, 4\], expected \[n, 16\] and \[n, 4\]",
        ),
        ((embeddings, scores[:, :-1], [0, 0]), "take the model that the learner belongs to"),
        ((embeddings[:1], scores, [0]), "have the shapes"),
        ((embeddings * np.nan, scores, [0, 0]), "NaN or infinity"),
        ((embeddings, scores * np.inf, [0, 0]), "NaN or infinity"),
        ((embeddings, scores, [0, MOODS]), r"got labels \[0, 4\] for 2 clips, expected one below 4 each"),
        ((embeddings, scores, [0]), "for 2 clips"),
    ):
        with pytest.raises(ModelError, match=message):
            learner.learn(*arguments)
    np.testing.assert_array_equal(learner.weights, before)
    assert np.isfinite(learner.learn(np.zeros_like(embeddings), scores, [0, 1]).weights).all()
    for start in (np.zeros((MOODS, WIDTH)), np.full((MOODS, WIDTH + 1), np.nan)):
        with pytest.raises(ModelError, match="weights of a learner"):
            HeadLearner.new(Replay.empty(WIDTH, MOODS), start=start)


def test_a_learner_comes_back_from_its_arrays_and_damaged_ones_are_refused() -> None:
    learner = taught(5)
    arrays = learner.to_arrays()
    again = HeadLearner.from_arrays(arrays, learner.drift)
    np.testing.assert_array_equal(again.weights, learner.weights)
    assert again.drift == learner.drift
    np.testing.assert_array_equal(again.replay.seen, learner.replay.seen)
    many = {name: np.repeat(array, 40, axis=0) for name, array in arrays.items() if name.startswith("replay.")}
    bad: list[dict[str, np.ndarray]] = [
        {"replay.embeddings": arrays["replay.embeddings"] * np.nan},
        {"replay.embeddings": arrays["replay.embeddings"][:-1]},
        {"replay.labels": arrays["replay.labels"] + MOODS},
        {"replay.seen": arrays["replay.seen"] * np.inf},
        {"learner.start": arrays["learner.start"][:-1]},
        {"learner.start": arrays["learner.start"] + 1e300},
        {**many, "replay.seen": arrays["replay.seen"] * 40},
    ]
    for change in bad:
        with pytest.raises(ModelError):
            HeadLearner.from_arrays({**arrays, **change}, learner.drift)
    with pytest.raises(KeyError):
        HeadLearner.from_arrays({}, learner.drift)
