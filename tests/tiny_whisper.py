"""A tiny Whisper in the form of CTranslate2 that says two fixed sentences, whatever it hears.

All layers give zero, so the output of each step depends on its position alone: the last matrix maps the position's
encoding to the token of a script.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SCRIPT = ("<|0.00|>", "Ġwhere", "Ġare", "Ġyou", "<|1.00|>", "<|1.40|>", "Ġover", "Ġhere", "<|2.00|>", "<|endoftext|>")
LINES = ((0.0, 1.0, "where are you"), (1.4, 2.0, "over here"))

_SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>")
_WORDS = ("[UNK]", *dict.fromkeys(token for token in SCRIPT if not token.startswith("<")))
_TIMES = tuple(f"<|{step * 0.02:.2f}|>" for step in range(1501))
TOKENS = (*_WORDS, *_SPECIAL, "<|transcribe|>", "<|translate|>", "<|notimestamps|>", *_TIMES)
WIDTH = 64


def make_whisper(folder: Path) -> Path:
    """Write model.bin, config.json, vocabulary.json and tokenizer.json, and return the folder."""
    from ctranslate2.specs.whisper_spec import WhisperSpec  # type: ignore[import-untyped]

    spec = WhisperSpec(1, 1, 1, 1)
    _encoder(spec.encoder)
    _decoder(spec.decoder)
    spec.register_vocabulary(list(TOKENS))
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.alignment_heads, spec.config.lang_ids = [(0, 0)], []
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    _tokenizer(folder / "tokenizer.json")
    return folder


def _zeros(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.zeros(shape, np.float32)


def _norm(norm: object, gamma: float = 1.0) -> None:
    norm.gamma, norm.beta = np.full(WIDTH, gamma, np.float32), _zeros(WIDTH)  # type: ignore[attr-defined]


def _linear(linear: object, outputs: int, inputs: int = WIDTH) -> None:
    linear.weight, linear.bias = _zeros(outputs, inputs), _zeros(outputs)  # type: ignore[attr-defined]


def _layer(layer: object) -> None:
    for attention in (layer.self_attention, getattr(layer, "attention", None)):  # type: ignore[attr-defined]
        if attention is None:
            continue
        _norm(attention.layer_norm)
        sizes = (3 * WIDTH, WIDTH) if len(attention.linear) == 2 else (WIDTH, 2 * WIDTH, WIDTH)
        for linear, size in zip(attention.linear, sizes, strict=True):
            _linear(linear, size)
    _norm(layer.ffn.layer_norm)  # type: ignore[attr-defined]
    _linear(layer.ffn.linear_0, WIDTH)  # type: ignore[attr-defined]
    _linear(layer.ffn.linear_1, WIDTH)  # type: ignore[attr-defined]


def _encoder(encoder: object) -> None:
    for conv, inputs in ((encoder.conv1, 80), (encoder.conv2, WIDTH)):  # type: ignore[attr-defined]
        conv.weight, conv.bias = _zeros(WIDTH, inputs, 3), _zeros(WIDTH)
    encoder.position_encodings.encodings = _zeros(1500, WIDTH)  # type: ignore[attr-defined]
    _norm(encoder.layer_norm)  # type: ignore[attr-defined]
    for layer in encoder.layer:  # type: ignore[attr-defined]
        _layer(layer)


def _decoder(decoder: object) -> None:
    decoder.embeddings.weight = _zeros(len(TOKENS), WIDTH)  # type: ignore[attr-defined]
    decoder.position_encodings.encodings = np.eye(448, WIDTH, dtype=np.float32)  # type: ignore[attr-defined]
    _norm(decoder.layer_norm, 10.0)  # type: ignore[attr-defined]
    projection = _zeros(len(TOKENS), WIDTH)
    for step, token in enumerate(SCRIPT):
        projection[TOKENS.index(token), step] = 1.0
    decoder.projection.weight = projection  # type: ignore[attr-defined]
    for layer in decoder.layer:  # type: ignore[attr-defined]
        _layer(layer)


def _tokenizer(path: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models

    words = {token: number for number, token in enumerate(_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=_WORDS[0]))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in TOKENS[len(_WORDS) :]])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(path))
