"""Learn the parameters of the adaptation of a model from its training speakers, in simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from emovox.adaptation.estimator import Adaptation, Gate, StatisticsScorer
from emovox.adaptation.profile import Profile
from emovox.evaluation.adaptation.draws import SIZES, draw_sets
from emovox.schema.errors import RecipeError

Values = npt.NDArray[np.float32]
Names = npt.NDArray[np.str_]

AXES = 16
"""Number of directions in which moods differ that a voice keeps the scatter of, at most."""

ROUNDS = 15
"""Rounds of alternating least squares; offsets and moods change by less than 1 % after 10."""

ROOM = 1e-3
"""Share of the mean variance that is added to the covariance of the axes, so that it can be inverted."""

PENALTY = 0.3
"""Inverse strength of the penalty on the weights of the gate (scikit-learn's C)."""

CLOSED = Gate(np.zeros(5), np.ones(5), np.zeros(5), -np.inf)
"""The gate of an estimator that has not learnt one: no clips count as diverse."""


@dataclass(frozen=True, eq=False)
class LabelledStatistics:
    """Statistics of n training clips.

    Attributes:
        statistics: [n, p] float32, the mean over the tiles of each clip.
        labels: [n], indices into the labels of the model.
        speakers: [n], names that are unique across corpora.
        corpora: [n], names.
    """

    statistics: Values
    labels: npt.NDArray[np.int64]
    speakers: Names
    corpora: Names

    def select(self, mask: npt.NDArray[np.bool_]) -> LabelledStatistics:
        """Return the clips where the mask [n] is true."""
        return LabelledStatistics(self.statistics[mask], self.labels[mask], self.speakers[mask], self.corpora[mask])


def fit_adaptation(
    clips: LabelledStatistics,
    scorer: StatisticsScorer,
    unheard: Mapping[str, StatisticsScorer],
    *,
    neutral: int = 0,
    draws: int = 2,
    seed: int = 0,
) -> Adaptation:
    """Return the adaptation of a model.

    The gate learns from sets of clips of each corpus, scored by a model that did not learn from this corpus.

    Args:
        clips: the training clips of the model.
        scorer: the model.
        unheard: corpus → a model that learnt from the other corpora only. Its shifts and axes are learnt from these.
        neutral: the label of neutral speech.
        draws: sets of each mix, mood and size per speaker.
        seed: draws the sets.

    Raises:
        RecipeError: there are fewer than two corpora, or no set with one mood and none with several.
    """
    if len(unheard) < 2:
        raise RecipeError(f"adaptation got {len(unheard)} corpora to learn from, expected at least two")
    rng, features, targets, weights = np.random.default_rng(seed), [], [], []
    n_labels = scorer.scores(clips.statistics[:1]).shape[1]
    for corpus, other in unheard.items():
        here = clips.corpora == corpus
        shape = fit_moods(clips.select(~here), other.default_profile, n_labels)
        found, diverse = _simulate(shape, other, clips.select(here), neutral=neutral, draws=draws, rng=rng)
        features.append(found)
        targets.append(diverse)
        weights.append(_balance(diverse))
    gate = _fit_gate(np.concatenate(features), np.concatenate(targets), np.concatenate(weights))
    return replace(fit_moods(clips, scorer.default_profile, n_labels), gate=gate)


def fit_moods(clips: LabelledStatistics, profile: Profile, n_labels: int) -> Adaptation:
    """Return an adaptation whose gate is closed: axes and variances of clips, standardised by a profile.

    A clip's statistics are the sum of an offset of its speaker, a shift of its label and a rest, by alternating least
    squares. Corpora weigh alike.
    """
    standard = ((clips.statistics - profile.mean) / profile.scale).astype(np.float32)
    share = _shares(clips.corpora)
    speaker = np.unique(clips.speakers, return_inverse=True)[1]
    offsets, moods = _effects(standard, speaker, clips.labels, share, n_labels)
    rest = standard - offsets[speaker] - moods[clips.labels]
    axes = _axes(clips, rest, moods)
    along = (rest @ axes.T).astype(np.float64)
    within = (along * share[:, None]).T @ along
    within += ROOM * np.trace(within) / len(within) * np.eye(len(within))
    return Adaptation(
        axes=axes.astype(np.float64),
        apart=np.linalg.solve(within, axes @ moods.T).astype(np.float64),
        within=within,
        variance=float(share @ np.square(rest).sum(axis=1)),
        gate=CLOSED,
    )


def _effects(
    standard: Values,
    speakers: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    share: npt.NDArray[np.float64],
    n_labels: int,
) -> tuple[Values, Values]:
    """Return the offsets of speakers and the shifts of labels, which sum to 0; `share` [n] weighs the latter.

    The means of each speaker's clips of a label are enough, so the rounds do not depend on the number of clips.
    """
    cells, cell = np.unique(speakers * n_labels + labels, return_inverse=True)
    of_speaker, of_label = np.divmod(cells, n_labels)
    means = _averages(cell, np.ones(len(cell))) @ standard
    by_speaker = _averages(of_speaker, np.bincount(cell))
    by_label = _averages(of_label, np.bincount(cell, share), range(n_labels))
    moods = np.zeros((n_labels, standard.shape[1]), np.float32)
    for _ in range(ROUNDS):
        offsets = by_speaker @ (means - moods[of_label])
        moods = by_label @ (means - offsets[of_speaker])
        moods -= moods.mean(axis=0)
    return offsets, moods


def _axes(clips: LabelledStatistics, rest: Values, moods: Values) -> Values:
    """Return the directions [d, p] of the largest shifts of labels, of each corpus separately."""
    shifts = []
    for corpus in np.unique(clips.corpora):
        for label in np.unique(clips.labels[clips.corpora == corpus]):
            here = (clips.corpora == corpus) & (clips.labels == label)
            shifts.append(moods[label] + rest[here].mean(axis=0))
    _, strengths, axes = np.linalg.svd(np.stack(shifts), full_matrices=False)
    return np.asarray(axes[: min(AXES, int((strengths > 1e-6 * strengths[0]).sum()))])


def _shares(corpora: Names) -> npt.NDArray[np.float64]:
    """Return the share of each clip, [n], so that corpora weigh alike and all sum to 1."""
    _, where, counts = np.unique(corpora, return_inverse=True, return_counts=True)
    shares: npt.NDArray[np.float64] = 1 / counts[where] / len(counts)
    return shares


def _averages(groups: npt.NDArray[np.int64], weights: npt.NDArray[np.number], known: range | None = None) -> Values:
    """Return the matrix [groups, n] that averages rows over each group; a group without rows gets zeros."""
    names = np.unique(groups) if known is None else np.asarray(known)
    matrix = (names[:, None] == groups[None]) * weights
    return np.asarray(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-12), np.float32)


def _simulate(
    shape: Adaptation,
    scorer: StatisticsScorer,
    clips: LabelledStatistics,
    *,
    neutral: int,
    draws: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the features [sets, f] of simulated sets of two clips or more, and which are diverse, [sets]."""
    sizes = [size for size in SIZES if size > 1]
    found, diverse = [np.empty((0, 5))], []
    profile = scorer.default_profile
    for speaker in np.unique(clips.speakers):
        voice = clips.select(clips.speakers == speaker)
        scores = scorer.scores(voice.statistics)
        for _ in range(draws):
            for drawn in draw_sets(list(voice.labels), neutral=neutral, rng=rng, sizes=sizes):
                sums = shape.sums(voice.statistics[drawn.clips], scores[drawn.clips], (), profile)
                found.append(shape.diversity(sums)[None])
                diverse.append(drawn.mix != "one")
    return np.concatenate(found), np.array(diverse, bool)


def _balance(diverse: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return weights with which a corpus's diverse sets weigh twice what its sets of one mood weigh."""
    return np.asarray(np.where(diverse, 2 / max(diverse.sum(), 1), 1 / max((~diverse).sum(), 1)))


def _fit_gate(
    features: npt.NDArray[np.float64], diverse: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]
) -> Gate:
    if diverse.all() or not diverse.any():
        raise RecipeError(
            f"adaptation got {diverse.sum()} diverse sets and {(~diverse).sum()} of one mood, expected both; "
            "it needs speakers with four clips or more of a label"
        )
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    fitted = LogisticRegression(C=PENALTY, max_iter=500).fit(
        (features - mean) / scale, diverse, weights / weights.mean()
    )
    return Gate(mean, scale, fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0]))
