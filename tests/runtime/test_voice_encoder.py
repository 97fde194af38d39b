"""The shipped voice encoder: its file, and that it tells generated voices apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest

import emovox
from emovox.audio.types import Samples
from emovox.runtime import voice_encoder as module
from emovox.runtime.golden import golden_input
from emovox.runtime.voice_encoder import NETWORK, RATE, SHA256, WIDTH, embed
from emovox.schema.errors import ModelError
from tests.sounds import SPEAKER_VOICES, said

FOLDER = Path(emovox.__file__).parent / "runtime" / "ge2e"


def test_one_voice_is_alike_and_two_are_not() -> None:
    pieces = [said(speaker, 1.6, seed=seed) for speaker in range(len(SPEAKER_VOICES)) for seed in range(3)]
    alike = embed(pieces) @ embed(pieces).T
    same = np.kron(np.eye(len(SPEAKER_VOICES)), np.ones((3, 3))) > 0
    assert alike[same].min() > alike[~same].max() + 0.1  # measured: 0.84 and 0.61


def test_pieces_of_any_length_come_back_in_their_order() -> None:
    pieces = [said(place % 3, seconds, seed=place) for place, seconds in enumerate((1.6, 0.4, 1.6, 0.8, 0.4))]
    together = embed(pieces)
    assert together.shape == (5, WIDTH)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, np.concatenate([embed([piece]) for piece in pieces]), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert embed([]).shape == (0, WIDTH)


@pytest.mark.parametrize("samples", [np.zeros(6400, np.float32), np.zeros(1, np.float32)])
def test_silence_gives_finite_numbers(samples: Samples) -> None:
    assert np.isfinite(embed([samples])).all()


def test_the_shipped_network_is_the_one_that_was_measured() -> None:
    voice = embed([golden_input(seconds=1.6, sample_rate=RATE)])[0]
    np.testing.assert_allclose(voice[[182, 218, 243, 246]], [0.198, 0.233, 0.271, 0.288], atol=2e-3)
    assert np.argmax(voice) == 246


def test_it_is_loaded_when_it_is_needed() -> None:
    module._session.cache_clear()
    assert embed([]).size == 0
    assert module._session.cache_info().currsize == 0
    embed([said(0, 0.4)])
    embed([said(0, 0.4)])
    assert module._session.cache_info().misses == 1


def test_a_changed_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module._session.cache_clear()
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(
        ModelError, match=rf"sha256 is {SHA256[:12]}…, expected 000000000000…; get it by emovox models fetch"
    ):
        embed([said(0, 0.4)])


def test_it_comes_with_its_licence_source_and_hash() -> None:
    graph = (FOLDER / NETWORK).read_bytes()
    assert hashlib.sha256(graph).hexdigest() == SHA256
    assert len(graph) < 6e6
    licence = (FOLDER / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "Copyright 2019 Resemble.AI" in licence
    assert SHA256 in (FOLDER / "README.md").read_text()
    assert not any(tensor.external_data for tensor in onnx.load_from_string(graph).graph.initializer)
