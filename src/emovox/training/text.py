"""Learn a head for the emotion of lines of text: small networks, a regression of n-grams, and how both are mixed.

Weight and prior are chosen out of fold: each line is scored by parts that learnt from other conversations. Then all
parts learn from all lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from emovox.fusion.text.emotion import TextHead
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.fusion.text.ngrams import NgramRows, plain
from emovox.schema.errors import TrainingError
from emovox.training.text_network import learn_network

Array = NDArray[np.float32]
Rows = NDArray[np.intp]

COLUMNS = 2**14
"""Columns of the hashed n-grams. On MELD four times as many gained 0.1 points of weighted F1."""

NGRAMS_C = 4.0
"""Inverse strength of regularisation of the n-grams, whose rows have norm 1."""

SHARES = PRIORS = tuple(step / 10 for step in range(11))
"""Weights of the n-grams and exponents of the prior to choose from."""

FOLDS = 5
"""Groups of conversations that are scored out of fold."""

ENCODER_ALONE, NGRAMS_ALONE, BOTH = "encoder alone", "n-grams alone", "encoder and n-grams"
"""What `learn_text` reports on."""


class LabelledLines(NamedTuple):
    """Lines of text, the label of each, and the conversation that it is of."""

    lines: Sequence[str]
    labels: Sequence[str]
    conversations: Sequence[str]


class TextFigures(NamedTuple):
    """Figures of a head on some lines, in [0, 1]: the mean F1 of the labels by their frequency, and evenly."""

    weighted_f1: float
    macro_f1: float


class LearntText(NamedTuple):
    """Heads with the best weight and prior, and their figures out of fold, by what counts in them; `BOTH` is best."""

    heads: Mapping[str, TextHead]
    figures: Mapping[str, TextFigures]


def learn_text(training: LabelledLines, *, encoder: SentenceEncoder, labels: Sequence[str]) -> LearntText:
    """Return a head of everything, and heads of the encoder alone and of the n-grams alone, for comparison.

    Args:
        training: lines of at least five conversations.
        encoder: gives the features.
        labels: order of the scores.

    Raises:
        TrainingError: there are fewer conversations, or the lines lack one of the labels, or have another one.
    """
    if set(training.labels) != set(labels):
        raise TrainingError(
            f"the lines have the labels {', '.join(sorted(set(training.labels)))}, expected all of {', '.join(labels)}"
        )
    inputs = _Inputs(training, encoder, labels)
    fold = _folds(training.conversations)
    first, second = np.zeros((2, len(inputs.truth), len(labels)), np.float32)
    for number in range(FOLDS):
        held = np.flatnonzero(fold == number)
        part = _learnt(inputs, np.flatnonzero(fold != number), labels)
        first[held] = part.encoder_logs(inputs.features[held])
        second[held] = part.ngrams_logs(inputs.ngrams.of(held))
    head = _learnt(inputs, np.arange(len(inputs.truth)), labels)
    prior = np.log(np.bincount(inputs.truth, minlength=len(labels)) / len(inputs.truth))
    choices = {ENCODER_ALONE: (0.0,), NGRAMS_ALONE: (1.0,), BOTH: SHARES}
    chosen = {name: _chosen(first, second, inputs.truth, prior, shares) for name, shares in choices.items()}
    heads = {
        name: msgspec.structs.replace(head, share=share, offset=(-power * prior).astype(np.float32))
        for name, (share, power, _) in chosen.items()
    }
    return LearntText(heads, {name: figures for name, (_, _, figures) in chosen.items()})


def text_figures(
    heads: Mapping[str, TextHead], part: LabelledLines, *, encoder: SentenceEncoder
) -> dict[str, TextFigures]:
    """Return the figures of heads with the same labels on labelled lines, by the names of the heads."""
    inputs = _Inputs(part, encoder, next(iter(heads.values())).labels)
    scores = {name: head.scores(inputs.features, inputs.ngrams) for name, head in heads.items()}
    return {name: _figures(inputs.truth, each) for name, each in scores.items()}


class _Inputs:
    """Features, n-grams and true labels of lines."""

    def __init__(self, part: LabelledLines, encoder: SentenceEncoder, labels: Sequence[str]) -> None:
        lines = [plain(line) for line in part.lines]
        self.features = encoder.features(lines)
        self.ngrams = NgramRows(lines, COLUMNS)
        self.truth = np.array([labels.index(label) for label in part.labels])


def _folds(conversations: Sequence[str]) -> NDArray[np.intp]:
    """Return a number below `FOLDS` for each line; a conversation stays together."""
    names = sorted(set(conversations))
    if len(names) < FOLDS:
        raise TrainingError(f"got lines of {len(names)} conversations, expected at least {FOLDS}; give more lines")
    order = np.random.default_rng(0).permutation(len(names))
    number = {names[name]: place % FOLDS for place, name in enumerate(order)}
    return np.array([number[name] for name in conversations])


def _learnt(inputs: _Inputs, rows: Rows, labels: Sequence[str]) -> TextHead:
    """Return a head that learnt from some lines; neither weight nor prior count in it."""
    truth = inputs.truth[rows]
    network = learn_network(inputs.features[rows], truth, n_labels=len(labels))
    ngrams = inputs.ngrams.of(rows)
    rarity = _rarity(ngrams)
    matrix, bias = _regression(NGRAMS_C, _table(ngrams.weighted(rarity)), truth, len(labels))
    return TextHead(
        labels=tuple(labels),
        mean=network.mean,
        hidden=network.hidden,
        hidden_bias=network.hidden_bias,
        encoder=network.output,
        encoder_bias=network.output_bias,
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


def _regression(c: float, inputs: Any, truth: Rows, n_labels: int) -> tuple[Array, Array]:
    """Return matrix [inputs, labels] and bias [labels] of a logistic regression; a label that no line has gets 0."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, max_iter=150).fit(inputs, truth)
    matrix, bias = fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)
    if matrix.shape[1] == 1:  # of two labels scikit-learn keeps the second one's map; the first one's is 0
        matrix, bias = np.pad(matrix, ((0, 0), (1, 0))), np.pad(bias, (1, 0))
    full, full_bias = np.zeros((matrix.shape[0], n_labels), np.float32), np.full(n_labels, bias.min() - 5, np.float32)
    full[:, fitted.classes_], full_bias[fitted.classes_] = matrix, bias
    return full, full_bias


def _chosen(
    first: Array, second: Array, truth: Rows, prior: NDArray[np.float64], shares: Sequence[float]
) -> tuple[float, float, TextFigures]:
    """Return the weight and the exponent whose sum of weighted and macro F1 is largest, and the figures."""

    def tried() -> Iterator[tuple[float, float, TextFigures]]:
        for share, power in product(shares, PRIORS):
            yield share, power, _figures(truth, (1 - share) * first + share * second - power * prior)

    return max(tried(), key=lambda one: sum(one[2]))


def _figures(truth: Rows, scores: NDArray[Any]) -> TextFigures:
    from sklearn.metrics import f1_score

    found = scores.argmax(1)
    weighted, macro = (f1_score(truth, found, average=kind, zero_division=0) for kind in ("weighted", "macro"))
    return TextFigures(float(weighted), float(macro))
