from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch

from emovox.export.speech_output import add_speech, check_same, frames_name, write_with_speech
from emovox.models.speech_map import FramePooling, SpeechMap
from emovox.runtime.model import Model
from emovox.runtime.registry import read_card
from emovox.schema.card import CardSpeech, ModelCard
from emovox.schema.errors import ExportError
from emovox.testing import speech, write_toy

THRESHOLD = -1.5
SAMPLES = np.stack([speech(hz, seconds=1.0) for hz in (150.0, 3000.0)])


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_toy(tmp_path)


def affine() -> SpeechMap:
    return random(SpeechMap(2))


def of_frames() -> SpeechMap:
    pooling = FramePooling(6, mels=4, cepstra=1)
    return random(SpeechMap(pooling.width, pooling))


def random(made: SpeechMap) -> SpeechMap:
    """Return a map with random numbers."""
    torch.manual_seed(0)
    made.weight.copy_(torch.randn(made.width))
    made.mean.copy_(0.1 * torch.randn(made.width))
    made.bias.fill_(0.2)
    return made


def added(path: Path, made: SpeechMap) -> tuple[bytes, ModelCard]:
    graph = path.with_suffix(".onnx").read_bytes()
    return add_speech(graph, read_card(path), made, threshold=THRESHOLD, kept=0.99, refused=0.9)


def test_scores_keep_their_bits_and_speech_is_that_of_the_map(toy: Path, tmp_path: Path) -> None:
    made = affine()
    written = write_with_speech(*added(toy, made), tmp_path / "new")
    assert check_same(toy, written, made, threshold=THRESHOLD) < 1e-5
    outputs = Model.load(written).run(SAMPLES)
    expected = torch.sigmoid(made.eval()(torch.from_numpy(outputs.statistics)) - THRESHOLD)
    assert outputs.speech == pytest.approx(expected.detach().numpy(), abs=1e-6)
    card = read_card(written)
    assert card.speech == CardSpeech(0.5, 0.99, 0.9)
    assert msgspec.structs.replace(card, sha256="", speech=None) == msgspec.structs.replace(read_card(toy), sha256="")


def test_the_head_is_found_as_before(toy: Path, tmp_path: Path) -> None:
    old, new = Model.load(toy), Model.load(write_with_speech(*added(toy, affine()), tmp_path / "new"))
    statistics = old.run(SAMPLES).statistics
    np.testing.assert_array_equal(new.scores(statistics), old.scores(statistics))
    np.testing.assert_array_equal(new.hidden(statistics), old.hidden(statistics))


def test_an_earlier_output_is_replaced(toy: Path, tmp_path: Path) -> None:
    written = write_with_speech(*added(toy, affine()), tmp_path / "new")
    assert added(written, affine()) == added(toy, affine())


def with_frames(path: Path) -> None:
    """Name a tensor [b, c, t] of the toy as a small network names the frames of its front end."""
    proto = onnx.load(path.with_suffix(".onnx"))
    name = "/encoder/front_end/Concat_output_0"
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 6, -1]), "shape"))
    cut = onnx.helper.make_node("Reshape", ["trimmed", "shape"], ["rows"], allowzero=0)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([15000]), "length"))
    trim = onnx.helper.make_node("Slice", ["samples", "first", "length", "axis"], ["trimmed"])
    proto.graph.node.extend([trim, cut, onnx.helper.make_node("Concat", ["rows"], [name], axis=1)])
    path.with_suffix(".onnx").write_bytes(proto.SerializeToString())


def test_a_map_of_frames(toy: Path) -> None:
    with_frames(toy)
    made = of_frames()
    graph, card = added(toy, made)
    (toy.parent / "toy.onnx").write_bytes(graph)
    assert frames_name(graph) == "/encoder/front_end/Concat_output_0"
    found = Model.load(write_with_speech(graph, card, toy.parent)).run(SAMPLES).speech
    frames = torch.from_numpy(SAMPLES[:, :15000]).reshape(2, 6, -1)
    assert found == pytest.approx(torch.sigmoid(made.eval()(frames) - THRESHOLD).detach().numpy(), abs=1e-5)


def test_a_graph_without_frames_is_refused(toy: Path) -> None:
    with pytest.raises(ExportError, match=r"no join of features below '/encoder/front_end/', expected that of a small"):
        added(toy, of_frames())


def test_other_scores_or_another_map_are_refused(toy: Path, tmp_path: Path) -> None:
    written = write_with_speech(*added(toy, affine()), tmp_path / "new")
    with pytest.raises(ExportError, match="speech differs from that of the map by"):
        check_same(toy, written, affine(), threshold=0.0)
    other = write_toy(tmp_path, name="other", sharpness=2.0)
    with pytest.raises(ExportError, match=r"scores differ from those of .*expected the same bits"):
        check_same(other, written, affine(), threshold=THRESHOLD)
