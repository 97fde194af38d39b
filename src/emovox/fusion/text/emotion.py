"""The emotion of lines of text: a small network on features of a sentence encoder, a linear map on hashed n-grams.

score ∝ P_encoder^(1 − w) · P_ngrams^w / prior^a. The weight w and the exponent a of the labels' prior were chosen on
lines that the parts had not learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from emovox.fusion.text.encoder import PACKAGE, SentenceEncoder
from emovox.fusion.text.ngrams import NgramRows, plain
from emovox.runtime.registry import models_folder
from emovox.schema.errors import WeightsError
from emovox.schema.extras import require

HEAD = "text.safetensors"
"""Name of the file of the head, in `runtime/text` of the package or fetched."""

Array = NDArray[np.float32]


class TextHead(msgspec.Struct, frozen=True):
    """What a head learnt.

    Attributes:
        labels: of the scores.
        mean: of each feature of the encoder in training, float32 [features].
        hidden: linear map from features, less their mean, to hidden units, float32 [features, units].
        hidden_bias: float32 [units]; negative sums become 0.
        encoder: linear map from hidden units to logits, float32 [units, labels].
        encoder_bias: float32 [labels].
        rarity: inverse document frequency of each hashed n-gram, float32 [columns].
        ngrams: linear map from weighted n-grams to logits, float32 [columns, labels].
        ngrams_bias: float32 [labels].
        offset: −a · log prior, float32 [labels].
        share: w, the weight of the n-grams in [0, 1].
    """

    labels: tuple[str, ...]
    mean: Array
    hidden: Array
    hidden_bias: Array
    encoder: Array
    encoder_bias: Array
    rarity: Array
    ngrams: Array
    ngrams_bias: Array
    offset: Array
    share: float

    def scores(self, features: Array, rows: NgramRows) -> Array:
        """Return scores [n, labels] that add up to 1, from features [n, features] and the n-grams of the same lines."""
        first, second = self.encoder_logs(features), self.ngrams_logs(rows)
        together = (1 - self.share) * first + self.share * second + self.offset
        return np.exp(_log_softmax(together.astype(np.float32)))

    def encoder_logs(self, features: Array) -> Array:
        """Return the log scores [n, labels] of the encoder alone, from features [n, features]."""
        units = np.maximum((features - self.mean) @ self.hidden + self.hidden_bias, 0)
        return _log_softmax(np.asarray(units @ self.encoder + self.encoder_bias, np.float32))

    def ngrams_logs(self, rows: NgramRows) -> Array:
        """Return the log scores [n, labels] of the n-grams alone."""
        return _log_softmax(rows.weighted(self.rarity).times(self.ngrams) + self.ngrams_bias)


class TextEmotion:
    """Scores of emotions for lines of English text."""

    def __init__(self, encoder: SentenceEncoder, head: TextHead) -> None:
        """Take an encoder and a head that learnt from its features; `load` reads both.

        Raises:
            WeightsError: the head was learnt with another encoder.
        """
        if len(head.mean) != encoder.size:
            raise WeightsError(
                f"the head takes {len(head.mean)} features, the encoder gives {encoder.size}; take the encoder that "
                "the head was learnt with"
            )
        self._encoder, self._head = encoder, head

    @classmethod
    def load(cls, encoder: Path | None = None, head: Path | None = None) -> TextEmotion:
        """Read encoder and head.

        Args:
            encoder: folder; see `SentenceEncoder.load`.
            head: file; default: that of the package or, if the package lacks it, the fetched one.

        Raises:
            MissingExtraError: the extra 'text' is not installed.
            WeightsError: a file is missing or damaged.
        """
        return cls(SentenceEncoder.load(encoder), read_head(head or _head_path()))

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the scores."""
        return self._head.labels

    def scores(self, lines: Sequence[str]) -> list[dict[str, float]]:
        """Return the scores of each line by label. They add up to 1; a line without a word has equal scores."""
        known = [row for row, line in enumerate(lines) if any(letter.isalnum() for letter in line)]
        texts = [plain(lines[row]) for row in known]
        equal = 1 / len(self.labels)
        result = [dict.fromkeys(self.labels, equal) for _ in lines]
        if texts:
            table = self._head.scores(self._encoder.features(texts), NgramRows(texts, len(self._head.rarity)))
            for row, scores in zip(known, table.tolist(), strict=True):
                result[row] = dict(zip(self.labels, scores, strict=True))
        return result


def check_text() -> None:
    """Check that words can be scored here, before a recording is read.

    Raises:
        MissingExtraError: the extra 'text' is not installed.
        WeightsError: the head is not here.
    """
    for package in ("tokenizers", PACKAGE):
        require(package, need="the emotion of words", extra="text")
    if not _head_path().is_file():
        raise _missing(_head_path())


def write_head(path: Path, head: TextHead, notes: Mapping[str, str]) -> None:
    """Write a head: matrices as float16, `labels` and `share` beside `notes` in the metadata."""
    from safetensors.numpy import save_file

    arrays = {name: getattr(head, name).astype(np.float16) for name in _ARRAYS}
    save_file(arrays, path, {**notes, "labels": " ".join(head.labels), "share": str(head.share)})


def read_head(path: Path) -> TextHead:
    """Read a head.

    Raises:
        WeightsError: the file is missing, damaged or not a head.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise _missing(path)
    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name).astype(np.float32) for name in _ARRAYS}
            notes = file.metadata()
        return TextHead(labels=tuple(notes["labels"].split()), share=float(notes["share"]), **arrays)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: not the head of a text model ({error}); fetch it again") from error


_ARRAYS = ("mean", "hidden", "hidden_bias", "encoder", "encoder_bias", "rarity", "ngrams", "ngrams_bias", "offset")


def _missing(path: Path) -> WeightsError:
    return WeightsError(f"{path}: not found; get it by emovox models fetch text")


def _head_path() -> Path:
    path = Path(str(files("emovox") / "runtime" / "text" / HEAD))
    return path if path.exists() else models_folder() / HEAD


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))
