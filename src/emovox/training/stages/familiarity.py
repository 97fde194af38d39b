"""Stage: how far a recording is from the voices in training, for the warning `unfamiliar`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from emovox.corpora.folds import speaker_key
from emovox.evaluation.trust.familiarity import FEWEST_VOICES, ScoredTiles, VoiceTiles, fit_slope, measure_familiarity
from emovox.models.head_scorer import HeadScorer
from emovox.training.stages.adaptation import exported_scorer, label_of_class
from emovox.training.stages.stage import Context, Fitted

LEAST_CORPORA = 2
"""Corpora with enough voices, at least: each is left out once."""


@dataclass(frozen=True)
class LearnFamiliarity:
    """Measures the distance of recordings from the training corpora, and what it costs confidence.

    The loss of confidence is fitted on each corpus by the head that has not heard it. The stage is skipped without an
    adaptation, whose stage trains these heads, or if fewer than two corpora have enough speakers. An encoder that
    learns has heard all corpora, so its figures on the card are a little too good.
    """

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Return the network with what its card says of familiarity; see `Stage`."""
        tiles = dict(_tiles(context, fitted)) if fitted.unheard else {}
        if len(tiles) < LEAST_CORPORA:
            return fitted
        corpora = {name: one.voices for name, one in tiles.items()}
        profile = exported_scorer(context, fitted.network.head, fitted.temperature).default_profile
        found = measure_familiarity(corpora, profile)
        unheard = {name: _scored(one, fitted.unheard[name]) for name, one in tiles.items()}
        slope = fit_slope(corpora, profile, unheard, axes=found.axes.shape[0])
        return replace(fitted, familiarity=msgspec.structs.replace(found, slope=slope))


@dataclass(frozen=True, eq=False)
class _Tiles:
    """Clean tiles of a corpus, and their labels in the exported model; -1: it has no label for them."""

    voices: VoiceTiles
    labels: np.ndarray[tuple[int], np.dtype[np.int64]]


def _tiles(context: Context, fitted: Fitted) -> Iterator[tuple[str, _Tiles]]:
    """Yield each training corpus that has enough speakers, with its tiles."""
    task, inputs, merge = context.task, context.inputs, np.array(label_of_class(context))
    label = np.where(merge.any(axis=1), merge.argmax(axis=1), -1)
    corpora = np.array([task.clips[clip].corpus for clip in context.train])
    for corpus in np.unique(corpora):
        rows = inputs.select(context.train[corpora == corpus])
        speakers = np.array([speaker_key(task.clips[owner]) for owner in inputs.owner[rows]])
        if len(np.unique(speakers)) >= FEWEST_VOICES:
            values = context.statistics(fitted.network.encoder).values(rows)
            yield str(corpus), _Tiles(VoiceTiles(values, speakers), label[task.labels[inputs.owner[rows]]])


def _scored(tiles: _Tiles, scorer: HeadScorer) -> ScoredTiles:
    known = tiles.labels >= 0
    voices = tiles.voices.select(known)
    return ScoredTiles(voices, scorer.scores(voices.statistics).astype(np.float64), tiles.labels[known])
