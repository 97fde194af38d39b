"""A tiny sentence encoder in the form of Hugging Face: random weights, a vocabulary of a few words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WIDTH, HEADS, LAYERS, INNER = 8, 2, 4, 16
WORDS = ("[UNK]", "[CLS]", "[SEP]", "i", "am", "so", "glad", "sad", "you", "are", "here", "no", "!", "why", "?")


def make_sentence_encoder(folder: Path, *, seed: int = 0) -> Path:
    """Write config.json, model.safetensors and tokenizer.json, and return the folder."""
    rng = np.random.default_rng(seed)
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (160, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **_pair("embeddings.LayerNorm", WIDTH),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            shapes |= _pair(f"{name}attention.self.{part}", WIDTH, WIDTH)
        shapes |= _pair(name + "attention.output.dense", WIDTH, WIDTH)
        shapes |= _pair(name + "attention.output.LayerNorm", WIDTH)
        shapes |= _pair(name + "intermediate.dense", INNER, WIDTH) | _pair(name + "output.dense", WIDTH, INNER)
        shapes |= _pair(name + "output.LayerNorm", WIDTH)
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    config = {
        "model_type": "bert",
        "hidden_size": WIDTH,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    _tokenizer(folder / "tokenizer.json")
    return folder


def _pair(name: str, out: int, *rest: int) -> dict[str, tuple[int, ...]]:
    return {name + ".weight": (out, *rest), name + ".bias": (out,)}


def _tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(path))
