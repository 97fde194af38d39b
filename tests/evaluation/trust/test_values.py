"""The values behind the tests, against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.evaluation.figures.metrics import by
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.trust.confidence import aurc_ratio, risk_ratio
from emovox.evaluation.trust.conformal import conformal_sets
from emovox.evaluation.trust.groups import Groups, simulated_limits
from emovox.evaluation.trust.labelled import _ranking
from tests.evaluation.conftest import generate


def speakers_of(n: int) -> list[str]:
    return [f"s{i}" for i in range(n)]


def sets_of(
    found: Predictions, **changes: np.ndarray[tuple[int], np.dtype[np.str_]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    speaker = changes.get("speaker", found.speaker)
    every = np.ones(len(found), np.int64)
    return conformal_sets(found.scores, found.label_index, speaker, every, coverage=0.9).covered


def test_conformal_sets_cover_what_they_promise_for_new_speakers() -> None:
    covered = [sets_of(generate(3000, speakers=40, skill=1.5, seed=seed)).mean() for seed in range(4)]
    assert 0.89 < np.mean(covered) < 0.95


def test_the_clips_of_a_speaker_do_not_calibrate_his_own_sets() -> None:
    found = generate(1200, speakers=30, skill=1.5)
    rows = found.speaker == "s0"
    every = np.ones(len(found), np.int64)
    plain = conformal_sets(found.scores, found.label_index, found.speaker, every, coverage=0.9)
    labels = np.where(rows, (found.label_index + 1) % 3, found.label_index)
    spoilt = conformal_sets(found.scores, labels, found.speaker, every, coverage=0.9)
    assert spoilt.size[rows].tolist() == plain.size[rows].tolist()
    assert spoilt.size[~rows].mean() > plain.size[~rows].mean()


def test_few_speakers_give_sets_of_all_labels() -> None:
    found = generate(200, speakers=5, skill=3.0)
    every = conformal_sets(found.scores, found.label_index, found.speaker, np.ones(200, np.int64), coverage=0.9)
    assert (every.size == 3).all()


def test_risk_and_coverage_of_a_useful_and_of_a_random_confidence() -> None:
    found = generate(4000, skill=1.5)
    assert risk_ratio(found) < 0.9
    assert aurc_ratio(found) < 0.75
    shuffled = np.random.default_rng(0).permutation(found.scores.max(axis=1))
    scores = np.where(found.scores == found.scores.max(axis=1, keepdims=True), shuffled[:, None], 0)
    random = Predictions(
        found.corpus, found.utterance, found.speaker, found.fold, found.label, found.predicted, scores, found.classes
    )
    assert aurc_ratio(random) == pytest.approx(1, abs=0.08)


def test_a_simulated_limit_is_wider_for_few_speakers_and_none_for_many() -> None:
    found = generate(2000, speakers=20)
    few = Groups(("female", "male"), (tuple(speakers_of(3)), tuple(speakers_of(20)[3:6])))
    more = Groups(("female", "male"), (tuple(speakers_of(9)), tuple(speakers_of(20)[9:18])))
    many = Groups(("female", "male"), (tuple(speakers_of(10)), tuple(speakers_of(20)[10:])))
    limits = [simulated_limits(found, groups, seed=0)["uar"].item() for groups in (few, more, many)]
    assert limits[0] > limits[1] > 0.05
    assert limits[2] == 0
    assert simulated_limits(found, few, seed=0)["uar"] == simulated_limits(found, few, seed=0)["uar"]


@pytest.mark.parametrize(("skill", "low", "high"), [(20.0, 0.99, 1.0), (0.0, -0.25, 0.25)])
def test_speakers_are_ranked_by_a_good_system_and_not_by_a_bad_one(skill: float, low: float, high: float) -> None:
    found = list(by(generate(900, speakers=12, skill=skill), "speaker").values())
    assert low <= np.mean([_ranking(found, np.random.default_rng(seed)) for seed in range(8)]) <= high
