"""Scales of quantisation-aware training in a graph: it computes what the encoder computed while it learnt."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from emovox.compression.folding import folded
from emovox.compression.learnt import LearntModel, overrides
from emovox.compression.quantisation import TARGETS, quantised
from emovox.export.network import export_trained
from emovox.models.encoders import EncoderConfig
from emovox.models.network import Network
from emovox.models.quantised_encoder import learnt_encoder, prepare
from emovox.models.trained import NetworkCard, TrainedModel
from emovox.runtime.session import open_session
from emovox.schema.errors import CompressionError
from emovox.testing import speech
from tests.graphs import zero_points
from tests.models.small import CLASSES, MOBILE, small_network, whisper, write_whisper

SECONDS = 0.8


def card(encoder: EncoderConfig) -> NetworkCard:
    merge = tuple(map(tuple, np.eye(len(CLASSES)).tolist()))
    return NetworkCard(
        name="toy",
        recipe={},
        recipe_sha256="",
        encoder=encoder,
        classes=CLASSES,
        labels=CLASSES,
        merge=merge,
        temperature=1.0,
        adaptable=True,
        corpora=(),
    )


@pytest.fixture(scope="module", params=["mobile", "whisper"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncoderConfig:
    return MOBILE if request.param == "mobile" else whisper(write_whisper(tmp_path_factory.mktemp("w")), hidden=True)


def test_the_graph_computes_what_the_encoder_computed_in_training(config: EncoderConfig, tmp_path: Path) -> None:
    network = small_network(config)
    tiles = [speech(110.0 + 20 * i, seconds=SECONDS, level=0.05, glide=0.1, seed=i) for i in range(4)]
    prepared, made = deepcopy(network.encoder), Network(deepcopy(network.encoder), network.head)
    prepare(prepared, [torch.from_numpy(tile) for tile in tiles])
    with torch.no_grad():
        for one in prepared.parameters():  # as after some steps
            if one.requires_grad:
                one.add_(torch.randn(one.shape, generator=torch.Generator().manual_seed(1)))
        expected, true = (one(torch.from_numpy(tiles[0][None])).numpy() for one in (prepared, network.encoder))
    learnt = LearntModel(TrainedModel(made.eval(), card(config)), learnt_encoder(prepared, made.encoder))
    proto = folded(export_trained(learnt.model, {}, tmp_path).read_bytes())
    errors = {}
    for name, target in TARGETS.items():
        graph = quantised(proto, tiles, target, overrides(learnt, proto, target))
        session = open_session(graph.SerializeToString(), threads=1, where=tmp_path)
        found = session.run(["statistics"], {"samples": tiles[0][None]})[0]
        errors[name] = float(np.linalg.norm(found - expected) / np.linalg.norm(expected - true))
        assert not target.symmetric or zero_points(graph) == {0}
    assert errors["cpu"] < 0.3
    assert errors["tensorrt"] < 1
    other = LearntModel(TrainedModel(network, card(config)), learnt.ranges)
    with pytest.raises(CompressionError, match="has weights of no trained module; train its quantisation again"):
        overrides(other, proto, TARGETS["cpu"])
