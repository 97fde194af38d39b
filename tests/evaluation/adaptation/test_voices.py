"""The counts of a test speaker: what is drawn is not scored, and a voice with an offset gains."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.evaluation.adaptation.voices import METHODS, ClassView, ScoredVoice, VoiceModel, judge_voice
from emovox.training.adaptation import LabelledStatistics, fit_adaptation
from tests.made_voices import MOODS, MadeScorer, made_clips, made_moods

NAMES = ("neutral", "happy", "sad", "calm")
MERGE = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], float)
MOOD_SHIFTS = made_moods()
CLIPS = made_clips(MOOD_SHIFTS)
PER_MOOD, DRAWS = 20, 3


class Merged(MadeScorer):
    """Over the labels of the model: calm is neutral."""

    def finish(self, hidden: np.ndarray) -> np.ndarray:
        return super().finish(hidden) @ MERGE.astype(np.float32)


def model() -> VoiceModel:
    merged = LabelledStatistics(CLIPS.statistics, MERGE[CLIPS.labels].argmax(axis=1), CLIPS.speakers, CLIPS.corpora)
    labels = Merged(MOOD_SHIFTS, CLIPS.statistics)
    fit = fit_adaptation(merged, labels, {"0": labels, "1": labels}, draws=1)
    return VoiceModel(fit, labels, MadeScorer(MOOD_SHIFTS, CLIPS.statistics), MERGE)


MODEL = model()


def voice(offset: float) -> ScoredVoice:
    """A stranger, each of whose clips has a tile of 3 s and one of 1 s."""
    found = made_clips(MOOD_SHIFTS, corpora=1, offset=offset, per_mood=PER_MOOD, seed=9)
    mine = found.select(found.speakers == "0/0")
    noise = np.random.default_rng(0).normal(0, 0.3, mine.statistics.shape).astype(np.float32)
    views = {
        "own": ClassView(NAMES, np.eye(MOODS), mine.labels),
        "seven": ClassView(NAMES[:3], MERGE, MERGE[mine.labels].argmax(axis=1)),
    }
    n = len(mine.labels)
    return ScoredVoice(
        corpus="made",
        speaker="ada",
        moods=tuple(NAMES[0] if NAMES[label] == "calm" else NAMES[label] for label in mine.labels),
        labels=views["seven"].targets,
        statistics=mine.statistics,
        tiles=np.concatenate([mine.statistics + noise, mine.statistics - noise]),
        owner=np.tile(np.arange(n), 2),
        seconds=np.repeat([3.0, 1.0], n),
        views=views,
    )


def judged(offset: float) -> tuple[AdaptationCounts, ...]:
    others = made_clips(MOOD_SHIFTS, corpora=1, offset=offset, seed=9)
    source = others.select(others.speakers != "0/0").statistics
    sums = MODEL.adaptation.measure(MODEL.labels, source)
    return judge_voice(voice(offset), MODEL, sums, neutral="neutral", draws=DRAWS)


ROWS = judged(offset=1.2)


def total(method: str, mix: str, clips: int, *, view: str = "own", mood: str = "") -> np.ndarray:
    (row,) = [
        row for row in ROWS if (row.view, row.method, row.mix, row.mood, row.clips) == (view, method, mix, mood, clips)
    ]
    return np.array([sum(counts) for counts in (row.scored, row.plain, row.adapted)])


@pytest.mark.parametrize("method", ["mixture", "mean", "source"])
@pytest.mark.parametrize(("mix", "mood", "clips"), [("all", "", 40), ("neutral-70", "", 10), ("one", "sad", 5)])
def test_clips_for_adaptation_are_not_scored(method: str, mix: str, mood: str, clips: int) -> None:
    scored, plain, adapted = total(method, mix, clips, mood=mood)
    assert scored == DRAWS * (MOODS * PER_MOOD - clips)
    assert 0 < plain <= scored
    assert 0 < adapted <= scored


def test_without_clips_all_are_scored_once() -> None:
    scored, plain, adapted = total("mixture", "all", 0)
    assert scored == MOODS * PER_MOOD
    assert plain == adapted
    assert total("source", "all", 0)[2] > plain


@pytest.mark.parametrize(
    ("method", "mix", "clips"),
    [("mixture", "all", 20), ("source", "all", 20), ("labelled", "each", 1), ("labelled", "each", 3)],
)
def test_a_voice_with_an_offset_gains(method: str, mix: str, clips: int) -> None:
    for view in ("own", "seven"):
        scored, plain, adapted = total(method, mix, clips, view=view)
        assert adapted > plain + 0.05 * scored


def test_ranges_of_the_running_estimate() -> None:
    scored = {row.clips: sum(row.scored) for row in ROWS if row.method == "running" and row.view == "own"}
    assert scored == {1: DRAWS, 2: 4 * DRAWS, 6: 10 * DRAWS, 16: 15 * DRAWS, 31: 30 * DRAWS}
    assert total("running", "all", 1)[1] == total("running", "all", 1)[2]
    assert total("running", "all", 31)[2] > total("running", "all", 31)[1]


def test_labelled_clips_are_of_each_label_or_neutral() -> None:
    assert total("labelled", "each", 3)[0] == DRAWS * (MOODS * PER_MOOD - 9)
    assert total("labelled", "neutral", 5)[0] == DRAWS * (MOODS * PER_MOOD - 5)


def test_both_views_and_all_methods_are_there() -> None:
    assert {row.method for row in ROWS} == set(METHODS)
    assert {(row.view, row.classes) for row in ROWS} == {("own", NAMES), ("seven", NAMES[:3])}


def test_draws_depend_on_the_seed_and_the_speaker_alone() -> None:
    assert judged(offset=1.2) == ROWS
