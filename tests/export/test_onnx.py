"""Export: a file that scores as the network does, or no file at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from emovox.export.onnx import GOLDEN_SECONDS, OPSET, check_parity, export
from emovox.models.network import NetworkOutputs, Recogniser
from emovox.runtime.golden import FORMULA, check_golden, golden_input
from emovox.runtime.model import Model
from emovox.schema.card import Golden, ModelCard, decode_card
from emovox.schema.errors import CardError, ExportError
from emovox.testing import write_toy
from tests.models.baseline import small_model

LABELS = ("bored", "cross", "keen")


class Frozen(Recogniser):
    """A network whose graph keeps what it saw while it was traced."""

    def forward(
        self, samples: Tensor, speaker_mean: Tensor | None = None, speaker_scale: Tensor | None = None
    ) -> NetworkOutputs:
        outputs = super().forward(samples, speaker_mean, speaker_scale)
        tilt = torch.softmax(torch.tensor([0.0, 3.0, 0.0]) * (float(samples.shape[1]) / 16000), dim=0)
        scores = outputs.scores * tilt
        return NetworkOutputs(scores / scores.sum(1, keepdim=True), outputs.embedding, outputs.statistics)


class Broken(Recogniser):
    """A network that gives NaN, but not while it is traced."""

    def forward(
        self, samples: Tensor, speaker_mean: Tensor | None = None, speaker_scale: Tensor | None = None
    ) -> NetworkOutputs:
        outputs = super().forward(samples, speaker_mean, speaker_scale)
        if torch.onnx.is_in_onnx_export() or samples.shape[1] == GOLDEN_SECONDS * 16000:
            return outputs
        return NetworkOutputs(outputs.scores * float("nan"), outputs.embedding, outputs.statistics)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    folder = tmp_path_factory.mktemp("card")
    written = decode_card(write_toy(folder, labels=LABELS).read_bytes(), where="toy")
    return msgspec.structs.replace(
        written, name="own", sha256="", longest=30.0, adaptable=False, golden=Golden("", 0.0, (), 0.0)
    )


@pytest.fixture(scope="module")
def network() -> Recogniser:
    return small_model(LABELS).recogniser()


@pytest.fixture(scope="module")
def path(network: Recogniser, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(network, card, tmp_path_factory.mktemp("model") / "deep")


def test_the_file_scores_as_the_network(path: Path, network: Recogniser) -> None:
    model = Model.load(path)
    assert check_parity(network, model) < 2e-4
    samples = golden_input(seconds=2.2, sample_rate=16000)[None]
    with torch.no_grad():
        expected = network(torch.from_numpy(samples))
    found = model.run(samples)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-4)
    assert found.embedding.shape == expected.embedding.shape
    assert found.statistics.shape == (1, 609)


def test_only_graph_and_card_are_left(path: Path) -> None:
    assert sorted(file.name for file in path.parent.iterdir()) == ["own.json", "own.onnx"]


def test_the_card_is_filled_in(path: Path, card: ModelCard) -> None:
    written = decode_card(path.with_suffix(".json").read_bytes(), where="own")
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert written == msgspec.structs.replace(card, sha256=written.sha256, golden=written.golden)


def test_the_golden_vector_holds(path: Path) -> None:
    model = Model.load(path)
    golden = model.card.golden
    assert (golden.formula, golden.seconds) == (FORMULA, GOLDEN_SECONDS)
    assert sum(golden.scores) == pytest.approx(1, abs=1e-5)
    assert check_golden(model) < golden.tolerance
    swapped = msgspec.structs.replace(golden, scores=golden.scores[::-1])
    model.card = msgspec.structs.replace(model.card, golden=swapped)
    assert check_golden(model) > golden.tolerance


def test_only_standard_operators_without_control_flow(path: Path) -> None:
    graph = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", OPSET)]
    assert len(graph.graph.node) > 50
    assert {node.domain for node in graph.graph.node} == {""}
    assert not {node.op_type for node in graph.graph.node} & {"If", "Loop", "Scan", "NonZero"}


def test_a_changed_file_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "own.json").write_bytes(path.with_suffix(".json").read_bytes())
    (tmp_path / "own.onnx").write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CardError, match="the two files do not belong together"):
        Model.load(tmp_path / "own.onnx")


@pytest.mark.parametrize(
    ("kind", "message"),
    [(Frozen, "graph and network differ by 0.* in a probability, expected at most 0.005"), (Broken, "differ by nan")],
)
def test_a_graph_that_scores_differently_is_an_error_and_leaves_nothing(
    kind: type[Recogniser], message: str, card: ModelCard, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=f"own: .*{message}"):
        export(small_model(LABELS).recogniser(kind=kind), card, tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def test_a_failed_export_keeps_the_earlier_model(path: Path, card: ModelCard, tmp_path: Path) -> None:
    for file in path.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ExportError, match="own: graph and network differ"):
        export(small_model(LABELS).recogniser(kind=Frozen), card, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["own.json", "own.onnx"]
    assert check_golden(Model.load(tmp_path / "own.onnx")) < 1e-3
