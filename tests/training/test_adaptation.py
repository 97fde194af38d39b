"""The estimator learns in simulation, gains on voices with an offset, and is safe with one mood."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.adaptation.estimator import Adaptation, adapted_scores
from emovox.evaluation.adaptation.draws import draw_sets, set_uar
from emovox.schema.errors import RecipeError
from emovox.training.adaptation import LabelledStatistics, fit_adaptation, fit_moods
from tests.made_voices import CORPORA, MOODS, MadeScorer, made_clips, made_moods

MOOD_SHIFTS = made_moods()
CLIPS = made_clips(MOOD_SHIFTS)


def scorer_of(clips: LabelledStatistics) -> MadeScorer:
    return MadeScorer(MOOD_SHIFTS, clips.statistics)


@pytest.fixture(scope="module")
def adaptation() -> Adaptation:
    unheard = {name: scorer_of(CLIPS.select(CLIPS.corpora != name)) for name in map(str, range(CORPORA))}
    return fit_adaptation(CLIPS, scorer_of(CLIPS), unheard)


def change(adaptation: Adaptation, mix: str, size: int, offset: float) -> float:
    """Return the mean change of UAR in points over strangers."""
    scorer, strangers = scorer_of(CLIPS), made_clips(MOOD_SHIFTS, offset=offset, per_mood=20, seed=7)
    rng, found = np.random.default_rng(3), []
    for speaker in np.unique(strangers.speakers):
        voice = strangers.select(strangers.speakers == speaker)
        labels, plain = list(voice.labels), scorer.scores(voice.statistics)
        for drawn in draw_sets(labels, neutral=0, rng=rng, sizes=[size]):
            if drawn.mix == mix:
                sums = adaptation.measure(scorer, voice.statistics[drawn.clips])
                scores = adapted_scores(scorer, voice.statistics, adaptation.mixture(scorer, sums))
                found.append(set_uar(scores, labels, drawn.clips) - set_uar(plain, labels, drawn.clips))
    return 100 * float(np.mean(found))


@pytest.mark.parametrize(("mix", "size"), [("all", 5), ("all", 20), ("neutral-70", 10)])
def test_diverse_clips_of_a_shifted_voice_raise_the_recall(adaptation: Adaptation, mix: str, size: int) -> None:
    assert change(adaptation, mix, size, offset=1.5) > 8


@pytest.mark.parametrize("offset", [0.0, 0.5, 1.5])
def test_clips_of_one_mood_do_no_harm(adaptation: Adaptation, offset: float) -> None:
    assert change(adaptation, "one", 10, offset) > -1


def test_a_familiar_voice_loses_nothing(adaptation: Adaptation) -> None:
    assert change(adaptation, "all", 20, offset=0.0) > -1


def test_moods_are_found_beside_the_offsets_of_speakers(adaptation: Adaptation) -> None:
    true = MOOD_SHIFTS / scorer_of(CLIPS).default_profile.scale
    found = (adaptation.within @ adaptation.apart).T @ adaptation.axes
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.98
    np.testing.assert_allclose(adaptation.axes @ adaptation.axes.T, np.eye(len(adaptation.axes)), atol=1e-5)
    rest = np.square(1 / scorer_of(CLIPS).default_profile.scale).sum()
    assert adaptation.variance == pytest.approx(rest, rel=0.05)


def test_the_same_seed_gives_the_same_gate() -> None:
    unheard = {name: scorer_of(CLIPS.select(CLIPS.corpora != name)) for name in ("0", "1")}
    one, two = (fit_adaptation(CLIPS, scorer_of(CLIPS), unheard, draws=1, seed=4).gate for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.bias == two.bias


def test_without_a_gate_no_clips_count_as_diverse() -> None:
    scorer = scorer_of(CLIPS)
    shape = fit_moods(CLIPS, scorer.default_profile, MOODS)
    assert shape.weight(shape.measure(scorer, CLIPS.statistics[:40])) == 0


def test_too_few_corpora_or_clips_are_refused() -> None:
    with pytest.raises(RecipeError, match="got 1 corpora to learn from, expected at least two"):
        fit_adaptation(CLIPS, scorer_of(CLIPS), {"0": scorer_of(CLIPS)})
    few = made_clips(MOOD_SHIFTS, per_mood=2)
    with pytest.raises(RecipeError, match="sets and 0 of one mood, expected both"):
        fit_adaptation(few, scorer_of(few), {"0": scorer_of(few), "1": scorer_of(few)})
