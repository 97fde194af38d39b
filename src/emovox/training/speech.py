"""Learn the map from statistics to speech, and test it on speakers and kinds of sounds that it has not heard.

Speakers and kinds are divided into folds. A map for each fold learns from the others. Its threshold is the logit that
all but a small share of the speech in the other folds reaches, by the maps that had not heard that speech.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression

from emovox.audio.types import Samples
from emovox.models.speech_map import LARGEST, FramePooling, SpeechMap
from emovox.models.trained import NetworkSpeech
from emovox.schema.errors import RecipeError
from emovox.training.speech_sounds import FOLDS, NEVER, PieceNote

LOST = 0.005
"""Share of the speech, plain and changed together, that may fall below the threshold."""

PENALTY = 25.0
"""Inverse strength of the penalty on weights, divided by their number."""

LEAST_SCALE = 1e-3
"""Added to the deviation of a value: one that is constant in training stays small."""

ROUNDS = 300
"""Steps of the optimiser, at most."""

Logits = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SpeechData:
    """What a model computes from pieces of sounds.

    Attributes:
        notes: what is known of each piece.
        values: [n, p] float32, statistics or pooled frames.
        pooling: computes the values from frames; None: they are statistics.
    """

    notes: Sequence[PieceNote]
    values: Samples
    pooling: FramePooling | None = None

    @property
    def is_speech(self) -> Flags:
        """Whether each piece is speech, [n]."""
        return np.array([note.is_speech for note in self.notes])

    @property
    def heard(self) -> Flags:
        """Whether `predict` scores each piece, [n]."""
        return np.array([note.heard for note in self.notes])

    @property
    def folds(self) -> npt.NDArray[np.str_]:
        """The fold of each piece, [n]."""
        return np.array([note.fold for note in self.notes])


class SpeechFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well a map tells speech, in shares from 0 to 1, on speakers and kinds that it has not heard.

    Attributes:
        kept: share of tiles of unchanged speech at or above the threshold.
        kept_changed: the same for speech in rooms, in noise, over telephones.
        kept_corpus: corpus → the same for its unchanged speech.
        refused: kind of sound → share of its time without a label, because of the map or of voice activity detection.
        undetected: the same with voice activity detection alone.
        tiles: number of tiles of speech, plain and changed, and of other sounds.
    """

    kept: float
    kept_changed: float
    kept_corpus: dict[str, float]
    refused: dict[str, float]
    undetected: dict[str, float]
    tiles: tuple[int, int]

    @property
    def mean_refused(self) -> float:
        """Mean of `refused` over the kinds."""
        return float(np.mean(list(self.refused.values())))


@dataclass(frozen=True, eq=False)
class LearntSpeech:
    """The map of a training, and what its card says of it."""

    map: SpeechMap
    about: NetworkSpeech


def held_groups(fold: int | None, n_folds: int) -> tuple[str, ...]:
    """Return the groups of kinds of sounds that a fold of a training does not learn from, so that they can test it.

    Args:
        fold: number of the fold, from 1; None: the model of all clips, which learns from all groups.
        n_folds: number of folds; a single one learns from all groups.

    >>> held_groups(2, 6), held_groups(6, 6), held_groups(1, 2), held_groups(None, 6)
    (('water',), (), ('animals', 'machines', 'air'), ())
    """
    if fold is None or n_folds < 2:
        return ()
    return tuple(name for place, name in enumerate(FOLDS) if place % n_folds == fold - 1)


def learn_speech(data: SpeechData) -> tuple[SpeechMap, float, SpeechFigures]:
    """Return the map that learnt from all pieces, its threshold (a logit), and the figures of the maps of the folds.

    Raises:
        RecipeError: a fold has all pieces of speech, so the others have none to learn from.
    """
    folds = data.folds
    logits = np.full(len(folds), np.nan)
    names = sorted({*folds.tolist()} - {NEVER})
    for fold in names:
        logits[folds == fold] = logits_of(fit(data, folds != fold), data.values[folds == fold])
    limits = {fold: threshold_of(data, logits, folds != fold) for fold in names}
    above = logits >= np.array([limits.get(fold, np.nan) for fold in folds.tolist()])
    everything = np.full(len(folds), True)
    return fit(data, everything), threshold_of(data, logits, everything), figures_of(data, above)


def threshold_of(data: SpeechData, logits: Logits, chosen: Flags) -> float:
    """Return the logit that all but `LOST` of the chosen speech reaches; pieces without a logit do not count."""
    return float(np.quantile(logits[chosen & data.is_speech & np.isfinite(logits)], LOST))


def fit(data: SpeechData, chosen: Flags) -> SpeechMap:
    """Return a map that learnt from the chosen pieces by logistic regression; speech and the rest weigh the same.

    Raises:
        RecipeError: all of them are speech, or none is.
    """
    values, speech = data.values[chosen], data.is_speech[chosen]
    if speech.all() or not speech.any():
        raise RecipeError(
            f"speech is learnt from {speech.sum()} pieces of speech and {(~speech).sum()} of other sounds, expected "
            "both; it needs two or more speakers in whose clips speech is found"
        )
    made = SpeechMap(values.shape[1], data.pooling)
    mean, scale = (_halved(found) for found in (values.mean(0), values.std(0) + LEAST_SCALE))
    standard = np.clip((values - mean) / scale, -LARGEST, LARGEST)
    fitted = LogisticRegression(C=PENALTY / len(mean), max_iter=ROUNDS, class_weight="balanced")
    fitted.fit(standard, speech)
    for buffer, found in ((made.mean, mean), (made.scale, scale), (made.weight, _halved(fitted.coef_[0]))):
        buffer.copy_(torch.from_numpy(found))
    made.bias.fill_(float(fitted.intercept_[0]))
    return made.eval()


def _halved(numbers: npt.NDArray[np.floating]) -> Samples:
    """Return numbers in half precision, as a graph stores them, except those that it cannot hold."""
    with np.errstate(over="ignore"):
        halves = numbers.astype(np.float16).astype(np.float32)
    return np.where(np.isfinite(halves), halves, numbers).astype(np.float32)


def logits_of(made: SpeechMap, values: Samples) -> Logits:
    """Return the logits [n] of values [n, p]."""
    with torch.no_grad():
        return made.of(torch.from_numpy(values)).double().numpy()


def figures_of(data: SpeechData, above: Flags) -> SpeechFigures:
    """Return the figures of pieces, given whether the logit of each reaches its threshold."""
    speech, heard = data.is_speech, data.heard
    corpora = np.array([note.kind if note.is_speech else "" for note in data.notes])
    return SpeechFigures(
        kept=float(above[speech & heard].mean()),
        kept_changed=float(above[speech & ~heard].mean()),
        kept_corpus={
            name: float(above[(corpora == name) & heard].mean()) for name in sorted({*corpora.tolist()} - {""})
        },
        refused=_unlabelled(data, above),
        undetected=_unlabelled(data, np.full(len(above), True)),
        tiles=(int(speech.sum()), int((~speech & heard).sum())),
    )


def _unlabelled(data: SpeechData, above: Flags) -> dict[str, float]:
    """Return for each kind the share of its time in no tile that reaches the threshold."""
    total: dict[str, dict[str, float]] = {}
    labelled: dict[str, float] = {}
    for note, reached in zip(data.notes, above.tolist(), strict=True):
        if not note.is_speech and note.fold in FOLDS:
            total.setdefault(note.kind, {})[note.sound] = note.of
            labelled[note.kind] = labelled.get(note.kind, 0.0) + note.seconds * (note.heard and reached)
    return {kind: 1 - labelled[kind] / sum(own.values()) for kind, own in sorted(total.items())}
