from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emovox.evaluation.figures.mistakes import confident_mistakes
from emovox.evaluation.figures.predictions import Predictions


def test_the_surest_mistake_comes_first(hand_made: Predictions) -> None:
    first, second = confident_mistakes(hand_made)
    assert (first.utterance, first.label, first.predicted, first.confidence) == ("u6", "hangry", "meh", 0.6)
    assert (second.utterance, second.confidence) == ("u5", 0.5)
    assert second.scores == {"zen": 0.2, "hangry": 0.5, "meh": 0.3}


def test_as_many_as_wanted_and_all_of_them_wrong(generated: Callable[..., Predictions]) -> None:
    made = generated(300)
    found = confident_mistakes(made, 20)
    assert len(found) == 20
    assert all(each.label != each.predicted for each in found)
    sure = [each.confidence for each in found]
    assert sure == sorted(sure, reverse=True)
    wrong = made.label != made.predicted
    assert sure[0] == made.scores.max(axis=1)[wrong].max()


def test_without_mistakes_there_are_none(generated: Callable[..., Predictions]) -> None:
    made = generated(50)
    assert confident_mistakes(made.select(np.flatnonzero(made.label == made.predicted))) == ()
