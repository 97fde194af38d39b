"""Hashed n-grams of words and characters with tf-idf weights, without a vocabulary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
_CHARACTERS = (2, 3, 4, 5)
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\x91": "'", "\x92": "'", "\u201c": '"', "\u201d": '"'})


class NgramRows:
    """Sparse rows of n-gram counts: for each line the columns that it holds, and 1 + log of their counts.

    Attributes:
        columns: for each line, sorted column numbers below the number of columns.
        values: of these columns, float32.
    """

    def __init__(self, lines: Sequence[str], columns: int) -> None:
        """Count the n-grams of lines: single words, pairs of words, and 2 to 5 characters within a word."""
        found = [sorted(Counter(crc32(gram.encode()) % columns for gram in _ngrams(line)).items()) for line in lines]
        self.columns = [np.array([column for column, _ in row], np.int64) for row in found]
        self.values = [1 + np.log(np.array([count for _, count in row], np.float32)) for row in found]

    def of(self, lines: Iterable[int]) -> NgramRows:
        """Return the rows of some lines, by their numbers."""
        rows = object.__new__(NgramRows)
        chosen = list(lines)
        rows.columns = [self.columns[line] for line in chosen]
        rows.values = [self.values[line] for line in chosen]
        return rows

    def weighted(self, rarity: NDArray[np.float32]) -> NgramRows:
        """Return the rows times `rarity` [columns] (inverse document frequency), each scaled to norm 1."""
        rows = object.__new__(NgramRows)
        rows.columns = self.columns
        rows.values = []
        for columns, values in zip(self.columns, self.values, strict=True):
            weighted = values * rarity[columns]
            rows.values.append(weighted / max(float(np.linalg.norm(weighted)), 1e-9))
        return rows

    def times(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the product with a matrix [columns, labels], float32 [lines, labels]."""
        products = [values @ matrix[columns] for columns, values in zip(self.columns, self.values, strict=True)]
        return np.array(products, np.float32).reshape(len(products), matrix.shape[1])


def plain(line: str) -> str:
    """Return a line with straight quotes: subtitles have typographic ones, or those of Windows-1252."""
    return line.translate(_QUOTES)


def _ngrams(line: str) -> Iterator[str]:
    words = _TOKEN.findall(plain(line).lower())
    yield from ("w" + word for word in words)
    yield from ("w" + first + " " + second for first, second in pairwise(words))
    for word in words:
        framed = f" {word} "
        for n in _CHARACTERS:
            yield from ("c" + framed[start : start + n] for start in range(max(1, len(framed) - n + 1)))
