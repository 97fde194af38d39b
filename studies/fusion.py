"""Voice and face on RAVDESS: one decision from the voice's scores and from 35 action units of the face.

    python -m studies.fusion ACTION_UNITS.csv [--folds five six] [--size small full]

The action units are clip means of OpenFace, which emovox does not ship: a table with `;`, whose names 01-… are those of
the audio's 03-…. The heads of the voice come from `python -m studies.fusion_voice`. In each outer fold all choices (the
weight of the face, the temperature, how far a new voice or face is trusted) minimise the log loss on training speakers
that the scores did not learn from. Adapted figures: ten clips of a speaker, without labels and never scored, give the
mean and the deviation that voice and face are normalised by; five draws. The predictions go to
results/fusion/FOLDS.csv; with `--size full` to FOLDS-full.csv.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from emovox.evaluation.adaptation.draws import draw_sets
from emovox.evaluation.figures.calibration import fit_temperature
from emovox.evaluation.figures.files import read_predictions
from emovox.models.head import Head
from emovox.models.scores import softmax
from emovox.training.data.statistics import Standardizer, Values, pooled
from emovox.training.data.task import Indices
from emovox.training.data.views import TILE
from emovox.training.stages.head import logits
from studies.fusion_voice import (
    PROTOCOLS,
    ROOT,
    SIZES,
    SMALL,
    Material,
    OuterFold,
    load_heads,
    outer_folds,
    read_components,
    read_voice,
)

RESULTS = ROOT / "results" / "fusion"

PUBLISHED = {"six": ROOT / "results" / "accurate" / "ravdess_ravdess-8_joint_tile.csv"}
"""Scores of the test clips by `accurate` itself, for the folds that it was measured on."""

SYSTEMS = ("voice", "face", "both")

CLIPS, DRAWS = 10, 5
"""Clips of a speaker for adaptation, and draws of them."""

WEIGHTS = np.arange(0.0, 2.01, 0.1)
"""Weights of the face to choose from."""

TRUST = (3.0, 10.0, 30.0)
"""Clips of prior: the mean of a new speaker is that of n clips and of so many of the training speakers."""

SHARES = (0.5, 1.0)
"""Shares of the adapted scores among the plain ones to choose from."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draw:
    """Clips for adaptation, and the clips that are scored, of all speakers of a part."""

    known: dict[str, Indices]
    scored: Indices


class Study:
    """Clips of RAVDESS with the tiles of the voice [m, p] and the action units of the face [n, 35]."""

    def __init__(self, material: Material, units: Path) -> None:
        self.material, self.clips = material, material.ravdess
        self.labels = material.task.labels
        self.speakers = np.array([clip.speaker for clip in material.task.clips])
        self.classes = np.flatnonzero(material.task.allowed[self.clips[0]])
        self.rows = material.inputs.select(self.clips, (TILE,))
        self.owner = material.inputs.owner[self.rows]
        self.components = read_components(material.size)
        self.tiles = pooled(material.encoder, material.inputs, self.rows).astype(np.float64)
        self.units = np.zeros((len(material.task.clips), 35))
        known = read_units(units)
        for clip in self.clips:
            self.units[clip] = known["01" + material.task.clips[clip].id[2:]]

    def voice(self, heads: Sequence[Head], clips: Indices, scale: tuple[Values, Values] | None = None) -> Floats:
        """Return the log scores [n, 8] of clips, of the members' mean; `scale` is a speaker's mean and deviation."""
        here = np.isin(self.owner, clips)
        tiles = self.components(self.tiles[here].astype(np.float32), None if scale is None else Standardizer(*scale))
        values = np.mean([softmax(logits(head, tiles)[:, self.classes]) for head in heads], axis=0)
        means = self.material.inputs.clip_means(values, self.rows[here], clips)
        found: Floats = np.log(np.nan_to_num(means, nan=1 / len(self.classes)) + 1e-9)
        return found

    def published(self, path: Path, clips: Indices) -> Floats:
        """Return the log scores [n, 8] of clips in a file of predictions."""
        found = read_predictions(path)
        columns = [found.classes.index(self.material.task.classes[number]) for number in self.classes]
        place = {name: row for row, name in enumerate(found.utterance.tolist())}
        rows = [place[self.material.task.clips[clip].id] for clip in clips]
        logs: Floats = np.log(np.nan_to_num(found.scores[rows][:, columns], nan=1 / len(columns)) + 1e-4)
        return logs

    def draws(self, clips: Indices, seed: int) -> Iterator[Draw]:
        """Draw the clips for adaptation of each speaker: all moods as they come, at most half of each mood."""
        for number in range(DRAWS):
            known = {}
            for speaker in np.unique(self.speakers[clips]):
                own = clips[self.speakers[clips] == speaker]
                rng = np.random.default_rng([seed, number, int(speaker)])
                drawn = draw_sets(self.labels[own].tolist(), neutral=0, rng=rng, sizes=(CLIPS,))
                known[speaker] = own[next(one.clips for one in drawn if one.mix == "all")]
            yield Draw(known, np.setdiff1d(clips, np.concatenate(list(known.values()))))


def read_units(path: Path) -> dict[str, Floats]:
    """Return the 35 action units of each clip by name; the column `speech` has nothing to do with the face."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    names = [name for name in rows[0] if name.startswith("AU")]
    return {row["name"]: np.array([float(row[name]) for name in names]) for row in rows}


def moments(values: Floats, speakers: Sequence[str] | npt.NDArray[np.str_]) -> tuple[Floats, Floats]:
    """Return the mean over speakers of their means, and of their variances."""
    names = np.asarray(speakers)
    own = [values[names == name] for name in np.unique(names)]
    return np.mean([each.mean(0) for each in own], 0), np.mean([each.var(0) for each in own], 0)


def normalised(prior: tuple[Floats, Floats], own: Floats, trust: float) -> tuple[Floats, Floats]:
    """Return mean and deviation of a speaker from a few rows: those of the rows and of `trust` rows of the prior."""
    share = len(own) / (len(own) + trust)
    mean = share * own.mean(0) + (1 - share) * prior[0]
    return mean, np.sqrt(share * own.var(0) + (1 - share) * prior[1] + 1e-6)


class Faces:
    """Four classifiers of action units, on values that are standardised, and on those normalised by speaker."""

    def __init__(self, study: Study, clips: Indices, *, by_speaker: bool) -> None:
        values, speakers = study.units[clips], study.speakers[clips]
        self.prior = moments(values, speakers)
        self.scale = values.mean(0), values.std(0) + 1e-6
        if by_speaker:
            for speaker in np.unique(speakers):
                own = speakers == speaker
                mean, deviation = normalised(self.prior, values[own], 0.0)
                values[own] = (values[own] - mean) / deviation
        else:
            values = (values - self.scale[0]) / self.scale[1]
        self.models = [
            LogisticRegression(C=0.3, max_iter=300),
            SVC(C=3.0, gamma="scale", probability=True, random_state=0),
            MLPClassifier((64,), alpha=1.0, max_iter=100, random_state=0),
            ExtraTreesClassifier(300, min_samples_leaf=2, random_state=0),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fixed number of steps ends some before they converge
            for model in self.models:
                model.fit(values, study.labels[clips])

    def log_scores(self, units: Floats, scale: tuple[Floats, Floats] | None = None) -> Floats:
        """Return log scores [n, 8] of action units [n, 35], normalised by `scale`."""
        mean, deviation = self.scale if scale is None else scale
        values = (units - mean) / deviation
        found: Floats = np.log(np.mean([model.predict_proba(values) for model in self.models], axis=0) + 1e-6)
        return found


@dataclass(frozen=True, eq=False)
class Part:
    """Models that learnt from some clips, and others that they score.

    `published` has out-of-fold scores of `accurate`, which take the place of those of the joint head.
    """

    study: Study
    heads: tuple[tuple[Head, ...], ...]
    learnt: Indices
    clips: Indices
    published: Path | None = None

    def plain(self) -> tuple[Floats, Floats]:
        """Return the log scores of voice and face, [n, 8] each."""
        faces = Faces(self.study, self.learnt, by_speaker=False)
        scores = [self.study.voice(members, self.clips) for members in self.heads]
        if self.published is not None:
            scores[0] = self.study.published(self.published, self.clips)
        voice = np.mean(scores, axis=0)
        return voice, faces.log_scores(self.study.units[self.clips])

    def adapted(self, draws: Sequence[Draw]) -> dict[float, list[tuple[Floats, Floats]]]:
        """Return trust → the log scores of voice and face of all clips, normalised by each draw."""
        study = self.study
        faces = Faces(study, self.learnt, by_speaker=True)
        tiles = np.isin(study.owner, self.learnt)
        prior = moments(study.tiles[tiles], study.speakers[study.owner[tiles]])
        found: dict[float, list[tuple[Floats, Floats]]] = {}
        for trust, draw in product(TRUST, draws):
            voice, face = np.zeros((len(self.clips), 8)), np.zeros((len(self.clips), 8))
            for speaker, known in draw.known.items():
                own = study.speakers[self.clips] == speaker
                scale = normalised(prior, study.tiles[np.isin(study.owner, known)], trust)
                single = scale[0].astype(np.float32), scale[1].astype(np.float32)
                voice[own] = np.mean([study.voice(each, self.clips[own], single) for each in self.heads], axis=0)
                units = study.units[self.clips[own]]
                face[own] = faces.log_scores(units, normalised(faces.prior, study.units[known], trust))
            found.setdefault(trust, []).append((voice, face))
        return found


def log_loss(scores: Floats, labels: Indices) -> tuple[float, float]:
    """Return the log loss at the best temperature, and that temperature."""
    temperature = fit_temperature(scores, labels)
    chosen = softmax(scores / temperature)[np.arange(len(labels)), labels]
    return float(-np.log(chosen + 1e-12).mean()), temperature


def choose_weight(voice: Floats, face: Floats, labels: Indices) -> tuple[float, float, float]:
    """Return the log loss, the weight of the face and the temperature with the lowest loss."""
    found = [(*log_loss(voice + weight * face, labels), float(weight)) for weight in WEIGHTS]
    loss, temperature, weight = min(found)
    return loss, weight, temperature


def parts_of(study: Study, fold: OuterFold) -> list[Part]:
    """Return the outer part of a fold, then the inner ones."""
    pairs = [(fold.train, fold.test), *fold.inner]
    return [
        Part(
            study,
            load_heads(fold, number, study.material),
            learnt,
            held,
            PUBLISHED.get(fold.name.split("-")[0]) if number == 0 else None,
        )
        for number, (learnt, held) in enumerate(pairs)
    ]


def run_fold(study: Study, fold: OuterFold, *, plain: bool) -> Iterator[list[object]]:
    """Yield the rows of a fold: as it is, and adapted unless only `plain` rows are asked for."""
    outer, *inner = parts_of(study, fold)
    held = np.concatenate([part.clips for part in inner])
    targets = np.searchsorted(study.classes, study.labels[held])
    scores = [part.plain() for part in (outer, *inner)]
    voice, face = (np.concatenate([pair[side] for pair in scores[1:]]) for side in (0, 1))
    _, weight, temperature = choose_weight(voice, face, targets)
    print(f"{fold.name}: weight {weight:.1f}, temperature {temperature:.2f}", flush=True)
    yield from rows_of(study, fold, "", fold.test, *scores[0], weight, temperature)
    if not plain:
        yield from run_adapted(study, fold, outer, inner, scores)


def run_adapted(
    study: Study, fold: OuterFold, outer: Part, inner: Sequence[Part], plain: Sequence[tuple[Floats, Floats]]
) -> Iterator[list[object]]:
    """Choose how far to trust ten clips, and the weights; yield the rows of each draw."""
    inner_draws = [list(study.draws(part.clips, 1)) for part in inner]
    inner_scores = [part.adapted(draws) for part, draws in zip(inner, inner_draws, strict=True)]
    best: tuple[float, ...] = (np.inf,)
    for trust_voice, trust_face, share in product(TRUST, TRUST, SHARES):
        columns: list[tuple[Floats, Floats, Indices]] = []
        for number, part in enumerate(inner):
            for turn, draw in enumerate(inner_draws[number]):
                scored = np.isin(part.clips, draw.scored)
                pair = inner_scores[number][trust_voice][turn][0], inner_scores[number][trust_face][turn][1]
                mixed = mix(pair, plain[1 + number], share)
                columns.append((mixed[0][scored], mixed[1][scored], study.labels[part.clips[scored]]))
        voice, face, labels = (np.concatenate(column) for column in zip(*columns, strict=True))
        loss, weight, temperature = choose_weight(voice, face, np.searchsorted(study.classes, labels))
        best = min(best, (loss, trust_voice, trust_face, share, weight, temperature))
    _, trust_voice, trust_face, share, weight, temperature = best
    print(f"{fold.name} adapted: trust {trust_voice}, {trust_face}, share {share}, weight {weight:.1f}", flush=True)
    draws = list(study.draws(fold.test, 0))
    scores = outer.adapted(draws)
    for turn, draw in enumerate(draws):
        scored = np.isin(fold.test, draw.scored)
        voice, face = mix((scores[trust_voice][turn][0], scores[trust_face][turn][1]), plain[0], share)
        yield from rows_of(study, fold, str(turn), draw.scored, voice[scored], face[scored], weight, temperature)


def mix(adapted: tuple[Floats, Floats], plain: tuple[Floats, Floats], share: float) -> tuple[Floats, Floats]:
    """Return log scores of voice and face: a share of the adapted ones, and the rest of the plain ones."""
    voice, face = (share * one + (1 - share) * other for one, other in zip(adapted, plain, strict=True))
    return voice, face


def rows_of(
    study: Study, fold: OuterFold, draw: str, clips: Indices, voice: Floats, face: Floats, weight: float, heat: float
) -> Iterator[list[object]]:
    """Yield a row for each clip: names, label, the labels of voice, face and both, and the confidence of both."""
    names = [study.material.task.classes[number] for number in study.classes]
    both = softmax((voice + weight * face) / heat)
    for clip, *scores in zip(clips, voice, face, both, strict=True):
        known = study.material.task.clips[clip]
        label = study.material.task.classes[study.labels[clip]]
        chosen = [names[int(np.argmax(one))] for one in scores]
        yield [known.id, known.speaker, fold.name.split("-")[1], draw, label, *chosen, f"{scores[-1].max():.4f}"]


def main() -> None:
    """Score all folds and write the predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", type=Path, help="table of action units")
    parser.add_argument("--folds", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--plain", action="store_true", help="leave out what is adapted to a person")
    parser.add_argument("--size", choices=SIZES, default=SMALL, help="of the heads of the voice")
    options = parser.parse_args()
    study = Study(read_voice(options.size), options.units)
    RESULTS.mkdir(parents=True, exist_ok=True)
    end = "" if options.size == SMALL else f"-{options.size}"
    for folds in options.folds:
        rows = [
            row for fold in outer_folds(study.material, folds) for row in run_fold(study, fold, plain=options.plain)
        ]
        with (RESULTS / f"{folds}{end}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([["utterance", "speaker", "fold", "draw", "label", *SYSTEMS, "confidence"], *rows])


if __name__ == "__main__":
    main()
