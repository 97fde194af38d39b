"""Would a temperature that depends on the clip calibrate better than one for all? It reads predictions on file.

    python -m studies.temperature [--folder results/accurate]

The logarithm of the temperature is an affine map of what is known of a clip without its corpus: its length, the entropy
of its scores, or the distance of the two best. It is fitted on half of the speakers and measured on the others, then
the other way round; corpora weigh the same. Lengths need `$EMOVOX_CORPORA`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from emovox.corpora.load import load_clips
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.metrics import expected_calibration_error
from emovox.evaluation.figures.predictions import Floats, Integers, Predictions, join
from publish.tables import table

CORPORA = ("ravdess", "casia", "emodb", "nemo", "emovo")

LEAST = 1e-4
"""Least score; those on file are rounded."""

SIGNALS = {
    "one for all": (),
    "length": ("length",),
    "entropy": ("entropy",),
    "distance of the two best": ("margin",),
    "all three": ("length", "entropy", "margin"),
}


def signals(found: Predictions, seconds: Floats) -> dict[str, Floats]:
    """Return what is known of each clip, [n] each, about 0 on average."""
    scores = np.maximum(found.scores, LEAST)
    best = np.sort(scores, axis=1)[:, -2:]
    return {
        "length": np.log(seconds / 2.5),
        "entropy": -(scores * np.log(scores)).sum(axis=1) - 1,
        "margin": best[:, 1] - best[:, 0] - 0.5,
    }


def tempered(scores: Floats, temperatures: Floats) -> Floats:
    """Return probabilities [n, labels] with a temperature for each row."""
    powers = np.maximum(scores, LEAST) ** (1 / temperatures[:, None])
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit(scores: Floats, labels: Integers, known: Floats, weights: Floats) -> Floats:
    """Return the map with the least cross entropy; `known` [n, k] begins with ones."""

    def cost(guess: Floats) -> float:
        right = tempered(scores, np.exp(known @ guess))[np.arange(len(labels)), labels]
        return float(-(weights * np.log(right)).sum())

    return np.asarray(minimize(cost, np.zeros(known.shape[1]), method="Nelder-Mead").x)


def row(name: str, found: Predictions, known: Floats) -> tuple[str, ...]:
    """Return the error of each corpus, and their mean, in percent."""
    counts = dict(zip(*np.unique(found.corpus, return_counts=True), strict=True))
    weights = np.array([1 / counts[corpus] / len(counts) for corpus in found.corpus])
    speakers = np.unique(names := np.char.add(found.corpus, found.speaker))
    half = np.isin(names, np.random.default_rng(0).permutation(speakers)[::2])
    scores = np.empty_like(found.scores)
    for part in (half, ~half):
        guess = fit(found.scores[~part], found.label_index[~part], known[~part], weights[~part])
        scores[part] = tempered(found.scores[part], np.exp(known[part] @ guess))
    errors = [
        100 * expected_calibration_error(scores[found.corpus == corpus], found.label_index[found.corpus == corpus])
        for corpus in CORPORA
    ]
    return (name, *(f"{error:.1f}" for error in errors), f"{np.mean(errors):.1f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("results/accurate"))
    folder = parser.parse_args().folder
    made = [read_predictions(folder / f"{corpus}_seven_joint_tile.csv") for corpus in CORPORA]
    found = join([one.select(one.answered) for one in made])
    seconds = {(clip.corpus, clip.id): clip.duration for clip in load_clips(CORPORA)}
    lengths = np.array([seconds[key] for key in zip(found.corpus.tolist(), found.utterance.tolist(), strict=True)])
    parts = signals(found, lengths)
    ones = np.ones(len(lengths))
    rows = [row(name, found, np.stack([ones, *(parts[one] for one in used)], axis=1)) for name, used in SIGNALS.items()]
    print(table(("temperature by", *CORPORA, "mean"), rows))


if __name__ == "__main__":
    main()
