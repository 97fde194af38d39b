"""The voice encoder as a graph: equal to the network, with the published weights where they are."""

from __future__ import annotations

import os
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from emovox.export.network import halve
from emovox.export.voice_encoder import PARITY, check_voice, export_voice, main
from emovox.models.voice_encoder import VoiceEncoder, load_voice_encoder
from emovox.runtime.voice_encoder import NETWORK
from emovox.schema.errors import ExportError, WeightsError
from tests.models.test_ge2e import write_weights


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> VoiceEncoder:
    folder = tmp_path_factory.mktemp("weights")
    write_weights(folder, **{"linear.weight": torch.randn(256, 256), "linear.bias": torch.randn(256)})
    return load_voice_encoder(folder)


@pytest.fixture(scope="module")
def graph(encoder: VoiceEncoder) -> bytes:
    return export_voice(encoder)


def test_the_graph_is_the_network_in_half_precision(encoder: VoiceEncoder, graph: bytes) -> None:
    assert check_voice(encoder, graph) <= PARITY
    assert len(graph) < 3.2e6
    (entry,) = onnx.load_from_string(graph).graph.input
    assert [dim.dim_param for dim in entry.type.tensor_type.shape.dim] == ["batch", "n"]


@torch.no_grad()
def test_another_network_is_refused(encoder: VoiceEncoder, graph: bytes) -> None:
    changed = deepcopy(encoder)
    changed.project.bias.add_(1.0)
    with pytest.raises(ExportError, match="graph and network differ by"):
        check_voice(changed, graph)


@torch.no_grad()
def test_silence_gives_finite_numbers(encoder: VoiceEncoder) -> None:
    changed = deepcopy(encoder)
    changed.project.bias.fill_(-1e3)  # then ReLU leaves nothing
    assert np.isfinite(changed(torch.zeros(2, 6400)).numpy()).all()


def test_missing_weights_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        main(str(tmp_path / "nothing"), str(tmp_path / "made.onnx"))
    assert not (tmp_path / "made.onnx").exists()


@pytest.mark.corpora
def test_the_shipped_graph_has_the_published_weights() -> None:
    if not os.environ.get("EMOVOX_WEIGHTS"):
        pytest.skip("EMOVOX_WEIGHTS is not set: the published weights are not here")
    encoder = load_voice_encoder("ge2e-speaker-encoder")
    halve(encoder, kept_bits=10)
    assert check_voice(encoder, (files("emovox") / "runtime" / "ge2e" / NETWORK).read_bytes()) <= PARITY
