"""The rows of a training step: a function of seed and step, so a resumed run needs no state of the sampler."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from emovox.training.data.examples import Examples

Balance = Literal["none", "corpus", "class", "corpus-class"]

ROWS, NOISE, MIXING = 0, 1, 2
"""Purposes of the random numbers of a step: rows; dropout; crops, stripes and mixtures."""


def derived_seed(seed: int, *numbers: int) -> int:
    """Return a seed in [0, 2^63) that is different for different `numbers`, all >= 0.

    >>> derived_seed(0, 1) == derived_seed(0, 1), derived_seed(0, 1) == derived_seed(0, 2)
    (True, False)
    """
    return int(np.random.SeedSequence((seed, *numbers)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def row_weights(examples: Examples, balance: Balance) -> npt.NDArray[np.float64]:
    """Return the probability of each row, [n], sum 1.

    Rows of a clip share the probability of the clip. Clips of one class of a corpus have equal probability. `balance`
    makes equal: "none" all clips; "corpus" all corpora; "class" all classes of a corpus, with a corpus in proportion
    to its clips; "corpus-class" both. At the end the weights of the task multiply.
    """
    _, clip, rows_of_clip = np.unique(examples.owner, return_inverse=True, return_counts=True)
    share = 1 / rows_of_clip[clip]
    labels = examples.labels
    _, corpus = np.unique(examples.task.corpus[examples.owner], return_inverse=True)
    cell = corpus * (int(labels.max()) + 1) + labels
    clips_of_corpus, clips_of_cell = np.bincount(corpus, share), np.bincount(cell, share)
    if balance in ("class", "corpus-class"):
        classes_of_corpus = np.bincount(np.unique(np.stack([corpus, cell]), axis=1)[0])
        share = share / clips_of_cell[cell] * clips_of_corpus[corpus] / classes_of_corpus[corpus]
    if balance in ("corpus", "corpus-class"):
        share = share / clips_of_corpus[corpus]
    given = [examples.task.weights.get(clip.corpus, 1.0) for clip in examples.task.clips]
    share = share * np.array(given)[examples.owner]
    weights: npt.NDArray[np.float64] = share / share.sum()
    return weights


class StratifiedSampler:
    """Draws the rows of a step, stratified by corpus, class and clip.

    Rows are sorted by corpus, class and clip, and put on a line, each as long as its weight. A step of n rows cuts the
    line into n equal parts and draws a point in each. So each row is drawn as often as its weight demands, and each
    step has nearly the expected number of each corpus and class.

    Args:
        examples: the rows.
        balance: see `row_weights`.

    Reference:
        Stratified resampling: Douc and Cappé, "Comparison of resampling schemes for particle filtering", 2005.
    """

    def __init__(self, examples: Examples, balance: Balance) -> None:
        self._rows = np.lexsort((examples.owner, examples.labels, examples.task.corpus[examples.owner]))
        self._ends = np.cumsum(row_weights(examples, balance)[self._rows])

    def rows(self, count: int, *, seed: int, step: int) -> npt.NDArray[np.int64]:
        """Return the numbers [count] of the rows of a step, in random order; a row may occur twice."""
        rng = np.random.default_rng(derived_seed(seed, step, ROWS))
        points = (np.arange(count) + rng.random(count)) / count * self._ends[-1]
        places = np.searchsorted(self._ends, points, side="right")
        return rng.permutation(self._rows[np.minimum(places, len(self._rows) - 1)])
