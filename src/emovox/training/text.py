"""Learn a head for the emotion of lines of text from labelled lines: two logistic regressions and a few choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from emovox.fusion.text.emotion import TextHead
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.fusion.text.ngrams import NgramRows, plain
from emovox.schema.errors import TrainingError

Array = NDArray[np.float32]

COLUMNS = 2**14
"""Columns of the hashed n-grams. On MELD four times as many gained 0.1 points of weighted F1."""

FEATURES_C, NGRAMS_C = (0.001, 0.003, 0.01), (4.0,)
"""Inverse strengths of regularisation to choose from; features are standardised, n-grams have norm 1."""

SHARES = PRIORS = tuple(step / 10 for step in range(11))
"""Weights of the n-grams and exponents of the prior to choose from."""

_LEAST_DEVIATION = 1e-3  # a few features of the encoder never change


class LabelledLines(NamedTuple):
    """Lines of text, and the label of each."""

    lines: Sequence[str]
    labels: Sequence[str]


class TextFigures(NamedTuple):
    """Figures of a head on some lines, in [0, 1]: the mean F1 of the labels by their frequency, and evenly."""

    weighted_f1: float
    macro_f1: float


def learn_text(
    training: LabelledLines, choosing: LabelledLines, *, encoder: SentenceEncoder, labels: Sequence[str]
) -> TextHead:
    """Return the head that does best on lines that it did not learn from.

    Args:
        training: lines to learn from.
        choosing: other lines, of other conversations, on which strengths, weight and prior are chosen: the sum of
            weighted and macro F1 is largest.
        encoder: gives the features.
        labels: order of the scores.

    Raises:
        TrainingError: a part lacks one of the labels, or has another one.
    """
    for name, part in (("training", training), ("choosing", choosing)):
        if set(part.labels) != set(labels):
            raise TrainingError(
                f"the lines for {name} have the labels {', '.join(sorted(set(part.labels)))}, expected all of "
                f"{', '.join(labels)}"
            )
    known, asked = _Inputs(training, encoder, labels), _Inputs(choosing, encoder, labels)
    heads = _heads(known, labels)
    return max(_chosen(heads, known.truth, len(labels)), key=lambda head: sum(_figures(head, asked)))


def text_figures(head: TextHead, part: LabelledLines, *, encoder: SentenceEncoder) -> TextFigures:
    """Return the figures of a head on labelled lines."""
    return _figures(head, _Inputs(part, encoder, head.labels))


class _Inputs:
    """Features, n-grams and true labels of lines."""

    def __init__(self, part: LabelledLines, encoder: SentenceEncoder, labels: Sequence[str]) -> None:
        lines = [plain(line) for line in part.lines]
        self.features = encoder.features(lines)
        self.ngrams = NgramRows(lines, COLUMNS)
        self.truth = np.array([labels.index(label) for label in part.labels])


def _heads(known: _Inputs, labels: Sequence[str]) -> Iterator[TextHead]:
    """Give a head for each strength of regularisation of both maps; the n-grams have weight 0 yet."""
    mean, deviation = known.features.mean(0), np.maximum(known.features.std(0), _LEAST_DEVIATION)
    rarity = _rarity(known.ngrams)
    features, table = (known.features - mean) / deviation, _table(known.ngrams.weighted(rarity))
    encoders = [_regression(c, features, known.truth) for c in FEATURES_C]
    ngrams = [_regression(c, table, known.truth) for c in NGRAMS_C]
    for (encoder, encoder_bias), (matrix, bias) in product(encoders, ngrams):
        yield TextHead(
            labels=tuple(labels),
            mean=mean,
            encoder=encoder / deviation[:, None],
            encoder_bias=encoder_bias,
            rarity=rarity,
            ngrams=matrix,
            ngrams_bias=bias,
            offset=np.zeros(len(labels), np.float32),
            share=0.0,
        )


def _rarity(rows: NgramRows) -> Array:
    """Return the inverse document frequency of each column, [columns]."""
    count = np.bincount(np.concatenate(rows.columns), minlength=COLUMNS)
    return (np.log((1 + len(rows.columns)) / (1 + count)) + 1).astype(np.float32)


def _table(rows: NgramRows) -> Any:
    """Return rows as a sparse array of SciPy, [lines, columns]."""
    from scipy.sparse import csr_array

    ends = np.cumsum([0, *map(len, rows.columns)])
    return csr_array((np.concatenate(rows.values), np.concatenate(rows.columns), ends), (len(ends) - 1, COLUMNS))


def _regression(c: float, inputs: Any, truth: NDArray[np.intp]) -> tuple[Array, Array]:
    """Return matrix [inputs, labels] and bias [labels] of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, max_iter=300).fit(inputs, truth)
    matrix, bias = fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)
    if matrix.shape[1] == 1:  # of two labels scikit-learn keeps the second one's map; the first one's is 0
        return np.pad(matrix, ((0, 0), (1, 0))), np.pad(bias, (1, 0))
    return matrix, bias


def _chosen(heads: Iterable[TextHead], truth: NDArray[np.intp], labels: int) -> Iterator[TextHead]:
    """Give each head with each weight of the n-grams and each exponent of the prior."""
    prior = np.bincount(truth, minlength=labels) / len(truth)
    for head, share, power in product(heads, SHARES, PRIORS):
        yield msgspec.structs.replace(head, share=share, offset=(-power * np.log(prior)).astype(np.float32))


def _figures(head: TextHead, asked: _Inputs) -> TextFigures:
    from sklearn.metrics import f1_score

    found = head.scores(asked.features, asked.ngrams).argmax(1)
    weighted, macro = (f1_score(asked.truth, found, average=kind, zero_division=0) for kind in ("weighted", "macro"))
    return TextFigures(float(weighted), float(macro))
