"""The warning on generated statistics: corpora are clouds, and their voices smaller clouds in them."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.adaptation.familiarity import Familiarity
from emovox.adaptation.profile import Profile
from emovox.evaluation.trust.familiarity import (
    EXCEED,
    SLOPES,
    ScoredTiles,
    VoiceTiles,
    distances,
    fit_slope,
    measure_familiarity,
)

P = 40
PROFILE = Profile(np.full(P, 0.5, np.float32), np.full(P, 2.0, np.float32))


def corpus(seed: int, *, speakers: int = 6, tiles: int = 24, apart: float = 2.0) -> VoiceTiles:
    """A corpus whose centre is `apart` deviations from 0 in each direction, and whose voices are 0.3 around it."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(0, apart, P)
    voices = [centre + rng.normal(0, 0.3, P) for _ in range(speakers)]
    rows = np.concatenate([voice + rng.normal(0, 1, (tiles, P)) for voice in voices])
    return VoiceTiles(rows.astype(np.float32), np.repeat([f"s{number}" for number in range(speakers)], tiles))


KNOWN = {f"corpus {seed}": corpus(seed) for seed in range(3)}


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    card = measure_familiarity(KNOWN, PROFILE)
    assert card.slope == 0
    assert card.known <= 100 * 3 * EXCEED
    assert card.unheard >= 90
    assert card.voices == (6, 6, 6)
    return Familiarity.from_card(card)


def test_other_corpora_are_unfamiliar_and_known_ones_are_not(familiarity: Familiarity) -> None:
    rng = np.random.default_rng(9)
    assert (distances(familiarity, corpus(7), 10, rng) > 1).mean() > 0.9
    for voices in KNOWN.values():
        assert (distances(familiarity, voices, 10, rng) > 1).mean() < 2 * EXCEED


def test_a_model_that_is_sure_of_wrong_labels_far_away_loses_confidence() -> None:
    strange = corpus(7)
    n = len(strange.speaker)
    labels = np.random.default_rng(1).integers(0, 4, n)
    sure = np.full((n, 4), 0.02)
    sure[:, 0] = 0.94  # whatever the label
    axes = 16
    assert fit_slope(KNOWN, PROFILE, {"new": ScoredTiles(strange, sure, labels)}, axes=axes) > 0
    right = np.full((n, 4), 0.02)
    right[np.arange(n), labels] = 0.94
    assert fit_slope(KNOWN, PROFILE, {"new": ScoredTiles(strange, right, labels)}, axes=axes) == SLOPES[0]
