"""Groups of speakers by sex and by pitch, and the differences that models without any bias have between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emovox.audio.reader import load_audio
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures import counts
from emovox.evaluation.figures.predictions import Floats, Integers, Predictions
from emovox.evaluation.trust.draws import precision
from emovox.evaluation.trust.material import CorpusUnderTest
from emovox.evaluation.trust.sample import sample_clips
from emovox.evaluation.trust.suite import (
    ENOUGH_IN_GROUP,
    FEWEST_IN_GROUP,
    LABEL_SPREAD,
    RECALL,
    SIMULATED_MODELS,
    SIMULATED_SHARE,
    SPEAKER_SPREAD,
)
from emovox.features.pitch import yin
from emovox.schema.errors import AudioError

TERCILES = ("low", "middle", "high")

VOICING = 0.2
"""Threshold of voicing: some quiet recordings have hardly a voiced frame at YIN's usual 0.1."""

_FEWEST_VOICED = 10
"""Voiced frames (10 ms each) of a speaker below which the pitch is unknown."""


@dataclass(frozen=True)
class Groups:
    """Groups of the speakers of a corpus: names, and the speakers of each; `why` if they cannot be compared."""

    names: tuple[str, ...] = ()
    speakers: tuple[tuple[str, ...], ...] = ()
    why: str = ""


def by_sex(corpus: CorpusUnderTest, predictions: Predictions) -> Groups:
    """Return women and men; a speaker of unknown sex makes the corpus untestable."""
    speakers = sorted(set(predictions.speaker.tolist()))
    unknown = [name for name in speakers if name not in corpus.sexes]
    if unknown:
        return Groups(why=f"the sex of {len(unknown)} of {len(speakers)} speakers is unknown")
    return _checked({sex: [name for name in speakers if corpus.sexes[name] == sex] for sex in ("female", "male")})


def by_pitch(corpus: CorpusUnderTest, predictions: Predictions, *, most: int, seed: int) -> Groups:
    """Return speakers with low, middle and high voices: terciles of the median fundamental frequency.

    Args:
        corpus: with recordings.
        predictions: of the corpus.
        most: clips of a speaker whose pitch is measured.
        seed: of their choice.
    """
    speakers = sorted(set(predictions.speaker.tolist()) - {""})
    if len(speakers) < len(TERCILES) * FEWEST_IN_GROUP:
        needed = len(TERCILES) * FEWEST_IN_GROUP
        return Groups(why=f"{len(speakers)} known speakers, at least {needed} are needed for three groups")
    clips: dict[str, list[Clip]] = {}
    for clip in corpus.clips:
        clips.setdefault(clip.speaker or "", []).append(clip)
    pitches = {name: _pitch(sample_clips(clips.get(name, []), most, seed=seed)) for name in speakers}
    if any(np.isnan(value) for value in pitches.values()):
        return Groups(why="there is no recording to measure the pitch of each speaker")
    order = sorted(speakers, key=lambda name: pitches[name])
    return _checked(dict(zip(TERCILES, (part.tolist() for part in np.array_split(order, len(TERCILES))), strict=True)))


def _pitch(clips: Sequence[Clip]) -> float:
    """Return the median fundamental frequency in Hz of the voiced frames of clips; NaN without enough of them."""
    voiced = []
    for clip in clips:
        try:
            audio, rate = load_audio(clip.path)
        except AudioError:
            continue
        hertz, is_voiced = yin(audio[0], sample_rate=rate, threshold=VOICING)
        voiced.append(hertz[is_voiced])
    every = np.concatenate([*voiced, np.empty(0)])
    return float(np.median(every)) if len(every) >= _FEWEST_VOICED else float("nan")


def _checked(groups: Mapping[str, Sequence[str]]) -> Groups:
    small = [f"{len(members)} {name}" for name, members in groups.items() if len(members) < FEWEST_IN_GROUP]
    if small:
        return Groups(why=f"{' and '.join(small)}: at least {FEWEST_IN_GROUP} speakers of each group are needed")
    return Groups(tuple(groups), tuple(tuple(members) for members in groups.values()))


def group_index(predictions: Predictions, groups: Groups) -> Integers:
    """Return the number of the group of each clip, [n]."""
    known = {name: number for number, members in enumerate(groups.speakers) for name in members}
    return np.array([known[name] for name in predictions.speaker.tolist()], np.int64)


def differences(tables: Floats) -> dict[str, Floats]:
    """Return the largest differences between groups of UAR [...], recall and precision [..., labels].

    Args:
        tables: [..., groups, labels, labels + 1] confusion counts.
    """
    recall, right = counts.recall(tables), precision(tables)
    return {
        "uar": np.ptp(counts.uar(tables), axis=-1),
        "recall": np.ptp(recall, axis=-2),
        "precision": np.ptp(right, axis=-2),
    }


def simulated_limits(predictions: Predictions, groups: Groups, *, seed: int) -> dict[str, Floats]:
    """Return the differences that models without a bias stay below, in `SIMULATED_SHARE` of the cases.

    A simulated model answers the same clips. Its recall differs by chance from speaker to speaker, and from label to
    label of a speaker, as it does for real models; the group of a speaker plays no part. Wrong answers are spread
    evenly over the other labels of the corpus.

    Args:
        predictions: of the corpus; only speakers and labels are used.
        groups: of its speakers.
        seed: of the simulation.

    Returns:
        As `differences`; zeros if every group has `ENOUGH_IN_GROUP` speakers, so that the published limits hold.
    """
    n_classes = len(predictions.classes)
    if min(map(len, groups.speakers)) >= ENOUGH_IN_GROUP:
        return {"uar": np.zeros(()), "recall": np.zeros(n_classes), "precision": np.zeros(n_classes)}
    rng = np.random.default_rng([seed, len(predictions)])
    tables = np.stack([_simulated(predictions, members, rng) for members in groups.speakers], axis=1)
    return {name: _quantile(found) for name, found in differences(tables).items()}


def _quantile(values: Floats) -> Floats:
    """Return the quantile over models, [...]; 0 for a label that nobody speaks."""
    known = np.nan_to_num(values, nan=0.0)
    return np.asarray(np.quantile(known, SIMULATED_SHARE, axis=0))


def _simulated(predictions: Predictions, speakers: Sequence[str], rng: np.random.Generator) -> Floats:
    """Return the confusions of a group, [models, classes, classes + 1]."""
    n, present = len(predictions.classes), np.unique(predictions.label_index)
    table = np.zeros((SIMULATED_MODELS, n, n + 1))
    for speaker in speakers:
        labels = predictions.label_index[predictions.speaker == speaker]
        clips = np.bincount(labels, minlength=n)
        mean = RECALL + SPEAKER_SPREAD * rng.standard_normal((SIMULATED_MODELS, 1))
        recall = np.clip(mean + LABEL_SPREAD * rng.standard_normal((SIMULATED_MODELS, n)), 0, 1)
        hits = rng.binomial(clips, recall)
        for label in present:
            others = present[present != label]
            wrong = rng.multinomial(clips[label] - hits[:, label], np.full(len(others), 1 / len(others)))
            table[:, label, label] += hits[:, label]
            table[:, label, others] += wrong
    return table
