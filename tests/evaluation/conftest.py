"""Generated predictions for the tests of this folder; nothing here comes from a corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from emovox.evaluation.figures.predictions import Predictions, Row

OWN = ("zen", "hangry", "meh")
"""Three invented labels: everything must work with them as it does with the seven."""


@pytest.fixture(scope="session")
def hand_made() -> Predictions:
    """Eight clips of four speakers in two folds, three invented labels; every figure below is worked out by hand.

    Right: zen 3 of 4, hangry 1 of 2, meh 1 of 2 (the other has no speech): UAR (0.75 + 0.5 + 0.5) / 3, accuracy 5/8.
    """
    rows = [
        Row("own", "u1", "ada", "1", "zen", "zen", (0.8, 0.1, 0.1)),
        Row("own", "u2", "ada", "1", "zen", "zen", (0.6, 0.3, 0.1)),
        Row("own", "u3", "bob", "1", "zen", "zen", (0.9, 0.05, 0.05)),
        Row("own", "u4", "bob", "1", "hangry", "hangry", (0.1, 0.7, 0.2)),
        Row("own", "u5", "eva", "2", "zen", "hangry", (0.2, 0.5, 0.3)),
        Row("own", "u6", "eva", "2", "hangry", "meh", (0.1, 0.3, 0.6)),
        Row("own", "u7", "dan", "2", "meh", "meh", (0.2, 0.2, 0.6)),
        Row("own", "u8", "dan", "2", "meh", "", None),
    ]
    return Predictions.from_rows(rows, OWN)


def generate(
    n: int = 200,
    *,
    classes: Sequence[str] = OWN,
    speakers: int = 8,
    skill: float = 1.0,
    seed: int = 0,
    corpus: str = "own",
) -> Predictions:
    """Random clips whose true class gets `skill` more logit than the others; `speakers` = 0 leaves them unknown."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(classes), n)
    logits = rng.normal(size=(n, len(classes)))
    logits[np.arange(n), labels] += skill
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.array(list(classes))
    speaker = rng.integers(0, max(speakers, 1), n)
    return Predictions(
        corpus=np.full(n, corpus),
        utterance=np.array([f"{corpus}-{i}" for i in range(n)]),
        speaker=np.array([f"s{i}" if speakers else "" for i in speaker]),
        fold=(speaker % 4 + 1).astype(np.str_),
        label=names[labels],
        predicted=names[scores.argmax(axis=1)],
        scores=scores,
        classes=tuple(classes),
    )


@pytest.fixture(scope="session")
def generated() -> Callable[..., Predictions]:
    """Hand out `generate`: session-wide, so that property tests may use it."""
    return generate
