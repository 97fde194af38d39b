from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emovox.fusion.text.encoder import LONGEST, SentenceEncoder
from emovox.schema.errors import MissingExtraError, WeightsError
from tests.sentence_encoder import HEADS, INNER, LAYERS, WIDTH, WORDS, make_sentence_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sentence_encoder(tmp_path_factory.mktemp("encoder"))


def reference(folder: Path, ids: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The same network of PyTorch's own layers."""
    tensors = load_file(folder / "model.safetensors")
    hidden = tensors["embeddings.word_embeddings.weight"][ids] + tensors["embeddings.token_type_embeddings.weight"][0]
    hidden = hidden + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    weight, bias = tensors["embeddings.LayerNorm.weight"], tensors["embeddings.LayerNorm.bias"]
    hidden = torch.nn.functional.layer_norm(hidden, (WIDTH,), weight, bias, 1e-12)[None]
    means = []
    for number in range(LAYERS):
        layer = torch.nn.TransformerEncoderLayer(
            WIDTH, HEADS, INNER, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        name = f"encoder.layer.{number}."
        state = {}
        for part in ("weight", "bias"):
            inner = [tensors[f"{name}attention.self.{kind}.{part}"] for kind in ("query", "key", "value")]
            state["self_attn.in_proj_" + part] = torch.cat(inner)
            for ours, theirs in (
                ("attention.output.dense", "self_attn.out_proj"),
                ("attention.output.LayerNorm", "norm1"),
                ("intermediate.dense", "linear1"),
                ("output.dense", "linear2"),
                ("output.LayerNorm", "norm2"),
            ):
                state[f"{theirs}.{part}"] = tensors[f"{name}{ours}.{part}"]
        layer.load_state_dict(state)
        hidden = layer.train()(hidden)  # .eval() takes another path of PyTorch, with the same result
        means.append(hidden[0].mean(0))
    return torch.cat(means[-3:]).detach().numpy()


def test_the_features_are_those_of_pytorchs_transformer(folder: Path) -> None:
    encoder = SentenceEncoder.load(folder)
    lines = ["I am so glad", "why ?", "you are here !", "why ?"]
    features = encoder.features(lines)
    assert features.shape == (4, encoder.size) == (4, 3 * WIDTH)
    assert features.dtype == np.float32
    for line, row in zip(lines, features, strict=True):
        ids = [1, *(WORDS.index(word) for word in line.lower().split()), 2]
        assert row == pytest.approx(reference(folder, ids), abs=2e-5)


def test_a_line_has_the_same_features_alone_and_among_others(folder: Path) -> None:
    encoder = SentenceEncoder.load(folder)
    lines = ["no", "i am sad", "you are here", "so sad"] * 20
    together = encoder.features(lines)
    assert together[41] == pytest.approx(encoder.features(["i am sad"])[0], abs=1e-6)


def test_no_line_and_a_long_line(folder: Path) -> None:
    encoder = SentenceEncoder.load(folder)
    assert encoder.features([]).shape == (0, encoder.size)
    long = encoder.features(["no " * 500, "no " * (LONGEST - 2)])
    assert long[0] == pytest.approx(long[1], abs=1e-6)


def test_what_is_no_encoder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no config.json, model.safetensors, tokenizer.json"):
        SentenceEncoder.load(tmp_path)
    folder = make_sentence_encoder(tmp_path / "a")
    (folder / "model.safetensors").write_bytes(b"text")
    with pytest.raises(WeightsError, match="not a sentence encoder"):
        SentenceEncoder.load(folder)
    folder = make_sentence_encoder(tmp_path / "b")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match="not a tokenizer"):
        SentenceEncoder.load(folder)
    folder = make_sentence_encoder(tmp_path / "c")
    (folder / "config.json").write_text('{"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 9}')
    with pytest.raises(WeightsError, match=r"has no tensor encoder.layer.8.output.dense.weight"):
        SentenceEncoder.load(folder)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="text"):
        SentenceEncoder.load()
