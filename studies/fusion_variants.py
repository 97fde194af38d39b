"""Other ways to join voice and face than that of `studies.fusion`, on the five published folds, plain.

    python -m studies.fusion_variants ACTION_UNITS.csv [--size small full]

Each way is fitted on training speakers that the scores did not learn from, as there. docs/tried.md has the table.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from emovox.training.data.task import Indices
from studies.fusion import WEIGHTS, Floats, Part, Study, choose_weight, log_loss, parts_of
from studies.fusion_voice import SIZES, SMALL, outer_folds, read_voice

SEEDS = 5

Way = Callable[["Scored", "Scored"], Floats]
"""From scores of held-out training clips and of test clips to log scores [n, 8] of the test clips."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Log scores [n, 8] of clips by each kind of heads and by each classifier of the face, and the labels [n]."""

    voices: tuple[Floats, ...]
    faces: Mapping[str, Floats]
    labels: Indices

    @property
    def voice(self) -> Floats:
        """Return the mean over the kinds of heads."""
        return np.asarray(np.mean(self.voices, axis=0))

    def face(self, *names: str) -> Floats:
        """Return the logarithm of the mean of some classifiers' scores; of all if none is named."""
        chosen = [self.faces[name] for name in names or self.faces]
        return np.asarray(np.log(np.mean(np.exp(chosen), axis=0) + 1e-6))


def scored(study: Study, part: Part) -> Scored:
    """Return the scores of the clips that a part holds out."""
    values = study.units[part.learnt]
    mean, deviation = values.mean(0), values.std(0) + 1e-6
    learnt, asked = (values - mean) / deviation, (study.units[part.clips] - mean) / deviation
    known = study.labels[part.learnt]
    faces = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fixed number of steps ends some before they converge
        for name, model in classifiers().items():
            faces[name] = np.log(model.fit(learnt, known).predict_proba(asked) + 1e-6)
    voices = tuple(study.voice(members, part.clips) for members in part.heads)
    return Scored(voices, faces, np.searchsorted(study.classes, study.labels[part.clips]))


def classifiers() -> dict[str, LogisticRegression | SVC | MLPClassifier | ExtraTreesClassifier]:
    """Return the four of `studies.fusion`, and further seeds of those that have some."""
    found: dict[str, LogisticRegression | SVC | MLPClassifier | ExtraTreesClassifier] = {
        "lr": LogisticRegression(C=0.3, max_iter=300),
        "svm": SVC(C=3.0, gamma="scale", probability=True, random_state=0),
    }
    for seed in range(SEEDS):
        found[f"mlp{seed}"] = MLPClassifier((64,), alpha=1.0, max_iter=100, random_state=seed)
        found[f"trees{seed}"] = ExtraTreesClassifier(300, min_samples_leaf=2, random_state=seed)
    return found


ONE_SEED = ("lr", "svm", "mlp0", "trees0")


def weighed(face: Callable[[Scored], Floats]) -> Way:
    """Return the way of `studies.fusion`, with another face."""

    def way(held: Scored, test: Scored) -> Floats:
        """Choose the weight of the face."""
        _, weight, _ = choose_weight(held.voice, face(held), held.labels)
        return test.voice + weight * face(test)

    return way


def kinds_weighed(held: Scored, test: Scored) -> Floats:
    """Choose the share of the joint heads in the voice, too."""

    def voice(part: Scored, share: float) -> Floats:
        """Return both kinds of heads together."""
        return np.asarray(share * part.voices[0] + (1 - share) * part.voices[1])

    def loss(choice: tuple[float, float]) -> float:
        """Return the log loss of a share and a weight on the held-out clips."""
        return log_loss(voice(held, choice[0]) + choice[1] * held.face(*ONE_SEED), held.labels)[0]

    share, weight = min(product((0.0, 0.25, 0.5, 0.75, 1.0), WEIGHTS[::2].tolist()), key=loss)
    return np.asarray(voice(test, share) + weight * test.face(*ONE_SEED))


def stacked(strength: float) -> Way:
    """Return a logistic regression on the log scores of voice and face."""

    def way(held: Scored, test: Scored) -> Floats:
        """Learn from the held-out clips."""
        model = LogisticRegression(C=strength, max_iter=500)
        model.fit(np.hstack([held.voice, held.face(*ONE_SEED)]), held.labels)
        return np.asarray(model.predict_log_proba(np.hstack([test.voice, test.face(*ONE_SEED)])))

    return way


WAYS: dict[str, Way] = {
    "the way of the study": weighed(lambda part: part.face(*ONE_SEED)),
    "product of the four classifiers in place of their mean": weighed(
        lambda part: np.mean([part.faces[name] for name in ONE_SEED], axis=0)
    ),
    "five seeds of network and trees": weighed(lambda part: part.face()),
    "SVM alone": weighed(lambda part: part.face("svm")),
    "share of joint heads chosen as well": kinds_weighed,
    "logistic regression on all log scores, C 0.01": stacked(0.01),
    "the same, C 0.1": stacked(0.1),
}


def main() -> None:
    """Print the accuracy of each way over all test clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", type=Path, help="table of action units")
    parser.add_argument("--size", choices=SIZES, default=SMALL, help="of the heads of the voice")
    options = parser.parse_args()
    study = Study(read_voice(options.size), options.units)
    right: dict[str, list[bool]] = {name: [] for name in ("voice alone", "face alone", *WAYS)}
    for fold in outer_folds(study.material, "five"):
        test, *inner = (scored(study, part) for part in parts_of(study, fold))
        held = joined(inner)
        found = {"voice alone": test.voice, "face alone": test.face(*ONE_SEED)}
        found |= {name: way(held, test) for name, way in WAYS.items()}
        for name, logs in found.items():
            right[name] += (logs.argmax(1) == test.labels).tolist()
        print(f"{fold.name} done", flush=True)
    for name, hits in right.items():
        print(f"| {name} | {100 * np.mean(hits):.1f} |")


def joined(parts: list[Scored]) -> Scored:
    """Return the clips of several parts."""
    voices = zip(*(part.voices for part in parts), strict=True)
    faces = {name: np.concatenate([part.faces[name] for part in parts]) for name in parts[0].faces}
    labels = np.concatenate([part.labels for part in parts])
    return Scored(tuple(np.concatenate(each) for each in voices), faces, labels)


if __name__ == "__main__":
    main()
