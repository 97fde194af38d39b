"""The mistakes with the highest confidence: the clips to listen to first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emovox.evaluation.figures.predictions import Predictions


class Mistake(NamedTuple):
    """A clip with a wrong prediction; `scores` by class, `utterance` is its id in the corpus."""

    corpus: str
    utterance: str
    speaker: str
    label: str
    predicted: str
    scores: dict[str, float]

    @property
    def confidence(self) -> float:
        """Return the score of the predicted label, in [0, 1]."""
        return self.scores[self.predicted]


def confident_mistakes(predictions: Predictions, n: int = 3) -> tuple[Mistake, ...]:
    """Return the `n` wrong clips with the highest scores of the predicted label, the highest first.

    Clips without speech have no score and are left out.

    Args:
        predictions: of one or more corpora.
        n: greatest number of clips.

    >>> from emovox.evaluation.figures.predictions import Row
    >>> made = Predictions.from_rows([Row("own", "u1", "ada", "1", "zen", "meh", (0.2, 0.8))], ("zen", "meh"))
    >>> confident_mistakes(made)[0].confidence
    0.8
    """
    wrong = np.flatnonzero(predictions.answered & (predictions.predicted_index != predictions.label_index))
    sure = predictions.scores[wrong, predictions.predicted_index[wrong]]
    chosen = wrong[np.argsort(-sure, kind="stable")[:n]]
    return tuple(
        Mistake(
            row.corpus,
            row.utterance,
            row.speaker,
            row.label,
            row.predicted,
            dict(zip(predictions.classes, row.scores or (), strict=True)),
        )
        for row in predictions.select(chosen).rows()
    )
