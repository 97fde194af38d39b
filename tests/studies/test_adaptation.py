"""The study of adaptation, on generated clips."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.training.adaptation import fit_adaptation
from studies.adaptation import LABELLED, METHODS, fit_head, judge, judge_labelled, project, summary, without
from tests.made_voices import WIDTH, made_clips, made_moods


def test_projection_keeps_distances_on_the_whole() -> None:
    clips = made_clips(made_moods(), corpora=2)
    kept = project(clips, WIDTH // 2)
    assert kept.statistics.shape == (len(clips.labels), WIDTH // 2)
    assert np.square(kept.statistics).sum(axis=1).mean() == pytest.approx(WIDTH / 2, rel=0.2)


def test_an_unheard_corpus_is_judged_by_every_method() -> None:
    clips = made_clips(made_moods(), corpora=3, offset=1.0)
    heads = {left: fit_head(without(clips, left), steps=150) for left in (("0",), ("0", "1"), ("0", "2"))}
    unheard = {"1": heads["0", "1"], "2": heads["0", "2"]}
    estimator = fit_adaptation(without(clips, ("0",)), heads[("0",)], unheard, draws=1)
    here = clips.select(clips.corpora == "0")
    plain, found = judge(estimator, heads[("0",)], here, draws=2)
    assert 25 < plain < 100
    assert set(found) == set(METHODS)
    every, _, one, worst, least = summary(found["mixture"])
    assert every > 2
    assert one >= worst >= least > -5
    labelled = dict(zip(LABELLED, judge_labelled(estimator, heads[("0",)], here, draws=2), strict=True))
    assert labelled["3 of each"] > labelled["1 of each"] > 2
