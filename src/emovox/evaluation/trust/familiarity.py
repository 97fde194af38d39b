"""Fit how far recordings are from the voices in training, and measure what its warning is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.adaptation.estimator import Numbers
from emovox.adaptation.familiarity import Familiarity, from_half, to_half
from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.evaluation.figures.predictions import Floats, Integers, Names
from emovox.schema.trust import CardFamiliarity

DIMENSIONS = 512
"""Statistics that count, at most: they are redundant, and the card stays small."""

AXES = (16, 32, 64)
"""Numbers of axes that are tried; the smallest that finds nearly as many left-out corpora as the best is taken."""

NEARLY = 0.05
"""Share of recordings of left-out corpora that more axes must find beyond fewer ones."""

ROWS = 250
"""Tiles of each corpus that the axes are found from, so that each corpus has the same weight."""

OWN_AXES, TILE_SHARE = 0.5, 0.02
"""Share of the covariance of voices between different axes that is dropped, since the voices are few; and the share of
the variance of tiles that is added to theirs."""

FLAT = 1e-4
"""Least variance of tiles along an axis, as a share of the largest: with few tiles some axes have none."""

FOLDS = 6
"""Parts of the speakers of each corpus; each is held out once."""

FEWEST_VOICES = 3
"""Speakers of a corpus that counts, at least: one is held out at a time, and two tell how voices differ."""

TILES = (1, 3, 10)
"""Lengths of recordings in tiles that limits are found for; 10 tiles are about 30 s of speech."""

DRAWS = 10
"""Recordings of each length that are drawn from the tiles of a speaker."""

SLOPES = np.arange(0.0, 10.5, 0.5)
"""Rises of the temperature with the distance that are tried. With the last one it is 2 at the limit, 3 soon after."""

LEAST_SCORE = 1e-3
"""Least score in the cross entropy: predictions in files are rounded."""

EXCEED = 0.025
"""Share of recordings of held-out speakers above the limit."""


class VoiceTiles(NamedTuple):
    """Tiles of the speakers of one corpus: `statistics` [n, p] float32, `speaker` [n] names."""

    statistics: Samples
    speaker: Names

    def select(self, rows: npt.NDArray[np.bool_]) -> VoiceTiles:
        """Return some tiles, by mask [n]."""
        return VoiceTiles(self.statistics[rows], self.speaker[rows])


def measure_familiarity(corpora: Mapping[str, VoiceTiles], profile: Profile, *, seed: int = 0) -> CardFamiliarity:
    """Return what a card holds; its `slope` is 0: `fit_slope` finds it on a corpus that the model does not know.

    Args:
        corpora: tiles of the training corpora, two or more, each of `FEWEST_VOICES` speakers or more.
        profile: the default profile of the model.
        seed: of the recordings that are drawn.
    """
    found = {k: _share_above(corpora, profile, k, seed) for k in AXES}
    best = max(found.values())
    axes = min(k for k, share in found.items() if share >= best - NEARLY)
    limits, known = _limits(corpora, profile, axes, seed)
    made = replace(_fit(corpora, profile, axes), limits=limits)
    return CardFamiliarity(
        step=made.step,
        axes=to_half(made.axes),
        centres=tuple(tuple(round(float(value), 4) for value in row) for row in made.centres),
        voices=tuple(int(number) for number in made.voices),
        spread=tuple(round(float(value), 5) for value in made.spread),
        limits=limits,
        slope=0.0,
        known=known,
        unheard=round(100 * found[axes], 1),
    )


def recordings(speaker: Names, tiles: int, rng: np.random.Generator) -> Iterator[Integers]:
    """Yield the rows of recordings of some tiles, `DRAWS` of each speaker."""
    for name in np.unique(speaker):
        rows = np.flatnonzero(speaker == name)
        for _ in range(DRAWS):
            yield rng.choice(rows, min(tiles, len(rows)), replace=False)


def distances(familiarity: Familiarity, voices: VoiceTiles, tiles: int, rng: np.random.Generator) -> Floats:
    """Return the distances of drawn recordings of a corpus."""
    places = familiarity.project(voices.statistics)
    drawn = recordings(voices.speaker, tiles, rng)
    return np.array([familiarity.distance(places[rows].mean(axis=0), len(rows)) for rows in drawn])


def _fit(corpora: Mapping[str, VoiceTiles], profile: Profile, k: int) -> Familiarity:
    """Fit axes, centres and spread; the limit is 1 for any length."""
    step = -(-len(profile.mean) // DIMENSIONS)
    mean, scale = (np.asarray(values[::step], np.float64) for values in (profile.mean, profile.scale))
    tables = {name: (part.statistics[:, ::step] - mean) / scale for name, part in corpora.items()}
    chosen = np.concatenate([_some(table, ROWS) for table in tables.values()])
    axes = np.linalg.svd(chosen - chosen.mean(axis=0), full_matrices=False)[2][:k]
    means, within = [], []
    for name, part in corpora.items():
        places = tables[name] @ axes.T
        groups = [places[part.speaker == speaker] for speaker in np.unique(part.speaker)]
        means.append(np.stack([group.mean(axis=0) for group in groups]))
        within += [np.cov(group.T) for group in groups if len(group) > 1]
    centres = np.stack([part.mean(axis=0) for part in means])
    apart = np.concatenate([part - centre for part, centre in zip(means, centres, strict=True)])
    between = apart.T @ apart / max(1, len(apart) - len(means))
    turn, spread = _diagonal(np.mean(within, axis=0), between)
    axes = from_half(to_half(turn @ axes / scale))  # as rounded on the card, so that the centres fit
    counts = np.array([len(part) for part in means], np.float64)
    return Familiarity(step, axes, centres @ turn.T + axes @ mean, counts, spread, ((1, 1.0),), 0.0)


def _diagonal(within: Numbers, between: Numbers) -> tuple[Numbers, Numbers]:
    """Return a map [k, k] that makes the covariance of tiles 1 and that of voices diagonal, and the latter [k]."""
    own = np.diag(np.diag(between))
    between = (1 - OWN_AXES) * between + OWN_AXES * own + TILE_SHARE * np.diag(np.diag(within))
    values, vectors = np.linalg.eigh(within)
    white = (vectors / np.sqrt(np.maximum(values, FLAT * values.max()))).T
    spread, turn = np.linalg.eigh(white @ between @ white.T)
    return turn.T @ white, np.maximum(spread, 0.0)


def _some(table: Numbers, rows: int) -> Numbers:
    """Return at most `rows` rows, evenly spaced."""
    return np.asarray(table[np.unique(np.linspace(0, len(table) - 1, min(rows, len(table))).astype(int))])


def _held_out(corpora: Mapping[str, VoiceTiles]) -> Iterator[tuple[dict[str, VoiceTiles], dict[str, VoiceTiles]]]:
    """Yield training and held-out speakers of each fold; a corpus keeps two speakers in training at least."""
    for fold in range(FOLDS):
        learnt, held = {}, {}
        for name, part in corpora.items():
            speakers = np.unique(part.speaker)
            out = speakers[fold::FOLDS] if len(speakers) > 2 else speakers[:0]
            is_held = np.isin(part.speaker, out)
            learnt[name], held[name] = part.select(~is_held), part.select(is_held)
        if any(len(part.speaker) for part in held.values()):
            yield learnt, {name: part for name, part in held.items() if len(part.speaker)}


def _limits(
    corpora: Mapping[str, VoiceTiles], profile: Profile, k: int, seed: int
) -> tuple[tuple[tuple[int, float], ...], float]:
    """Return the limits, and the percentage of held-out speakers' recordings above the limit of the other folds."""
    found: dict[int, list[Floats]] = {tiles: [] for tiles in TILES}
    for fold, (learnt, held) in enumerate(_held_out(corpora)):
        fitted = _fit(learnt, profile, k)
        for tiles in TILES:
            rng = np.random.default_rng([seed, fold, tiles])
            found[tiles].append(np.concatenate([distances(fitted, part, tiles, rng) for part in held.values()]))
    limits = tuple((tiles, round(float(np.quantile(np.concatenate(found[tiles]), 1 - EXCEED)), 3)) for tiles in TILES)
    longest = found[TILES[-1]]
    above = [
        own > np.quantile(np.concatenate(longest[:fold] + longest[fold + 1 :]), 1 - EXCEED)
        for fold, own in enumerate(longest)
    ]
    return limits, round(100 * float(np.concatenate(above).mean()), 1)


def _share_above(corpora: Mapping[str, VoiceTiles], profile: Profile, k: int, seed: int) -> float:
    """Return the share of recordings of left-out corpora above the limit, the mean over corpora."""
    shares = []
    for number, (name, part) in enumerate(corpora.items()):
        others = {other: voices for other, voices in corpora.items() if other != name}
        limits, _ = _limits(others, profile, k, seed)
        fitted = replace(_fit(others, profile, k), limits=limits)
        rng = np.random.default_rng([seed, number])
        shares.append(float((distances(fitted, part, TILES[-1], rng) > 1).mean()))
    return float(np.mean(shares))


class ScoredTiles(NamedTuple):
    """Tiles of a corpus that a model did not learn from, with their plain scores [n, labels] and true labels [n]."""

    voices: VoiceTiles
    scores: Floats
    labels: Integers


def fit_slope(
    corpora: Mapping[str, VoiceTiles], profile: Profile, unheard: Mapping[str, ScoredTiles], *, axes: int, seed: int = 0
) -> float:
    """Return the rise of the temperature that gives the scores of unknown recordings the least cross entropy.

    Recordings of `TILES[-1]` tiles are drawn; each tile has the distance of those up to it, as in `predict`.

    Args:
        corpora: tiles of the corpora that the model knows.
        profile: the default profile of the model.
        unheard: corpus → its tiles, scored by a model that did not learn from it. Corpora have equal weight.
        axes: number of axes.
        seed: of the recordings that are drawn.
    """
    costs = []
    for name, corpus in unheard.items():
        others = {other: voices for other, voices in corpora.items() if other != name}
        limits, _ = _limits(others, profile, axes, seed)
        costs.append(_costs(replace(_fit(others, profile, axes), limits=limits), corpus, seed))
    return float(SLOPES[int(np.argmin(np.mean(costs, axis=0)))])


def _costs(fitted: Familiarity, corpus: ScoredTiles, seed: int) -> Floats:
    """Return the cross entropy of the scores of a corpus with each of `SLOPES`."""
    found, rows = running_distances(fitted, corpus.voices, np.random.default_rng(seed))
    costs = []
    for slope in SLOPES:
        changed = replace(fitted, slope=float(slope))
        temperatures = np.array([changed.temperature(distance) for distance in found])
        powers = np.maximum(corpus.scores[rows], LEAST_SCORE) ** (1 / temperatures[:, None])
        right = powers[np.arange(len(rows)), corpus.labels[rows]] / powers.sum(axis=1)
        costs.append(-np.log(right).mean())
    return np.array(costs)


def running_distances(
    familiarity: Familiarity, voices: VoiceTiles, rng: np.random.Generator
) -> tuple[Floats, Integers]:
    """Return the distance after each tile of drawn recordings of `TILES[-1]` tiles, [m], and the row of that tile."""
    places = familiarity.project(voices.statistics)
    drawn = list(recordings(voices.speaker, TILES[-1], rng))
    starts = [rows[:number] for rows in drawn for number in range(1, len(rows) + 1)]
    found = [familiarity.distance(places[rows].mean(axis=0), len(rows)) for rows in starts]
    return np.array(found), np.concatenate(drawn)
