"""Exported networks: the graph, the weights in half precision, and the head as data give the same scores."""

from __future__ import annotations

import base64
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from emovox import load
from emovox.corpora.provenance import card_corpora
from emovox.export.fixed import fixed
from emovox.export.network import LARGE, export_network, export_trained, halve
from emovox.export.onnx import SMALL, to_onnx
from emovox.export.tensorrt import check
from emovox.models.head import HeadConfig
from emovox.models.network import Network, NetworkOutputs, Recogniser, count_parameters
from emovox.models.trained import NetworkCard, TrainedModel
from emovox.runtime.golden import check_golden, golden_input
from emovox.runtime.model import Model
from emovox.schema.card import Array
from emovox.schema.errors import ExportError, ModelError
from emovox.schema.figure import CONDITIONS
from emovox.schema.labels import merge_matrix
from emovox.training.cross_validation import FoldScores
from emovox.training.recipe import Data
from emovox.training.run import Run, all_predictions
from tests.models.small import (
    CLASSES,
    MOBILE,
    assert_same_adaptation,
    small_adaptation,
    small_encoders,
    small_network,
    write_whisper,
)
from tests.sounds import gliding
from tests.training.rows import drawn_task, small_recipe

KINDS = ("mobile", "hybrid", "reference-hybrid", "whisper", "whisper-learning")

# ONNX Runtime sums in another order than torch
RUNTIME = 2e-5
# numpy in float64 from the embedding and the card against the graph in float32
AS_DATA = 1e-6

LABELS = ("happy", "neutral")
TRAINED = ("calm", "happy", "neutral")  # calm is merged into neutral


@pytest.fixture(scope="module", params=KINDS)
def recogniser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    config = small_encoders(write_whisper(tmp_path_factory.mktemp("weights")))[request.param]
    plain = request.param == "reference-hybrid"
    head = HeadConfig(hidden=8, dropout_in=0, plain=True) if plain else HeadConfig(hidden=8)
    made = Recogniser(small_network(config, head=head), merge_matrix(CLASSES, CLASSES), 1.5).eval()
    halve(made)
    return made


@pytest.fixture(scope="module")
def graph(recogniser: Recogniser) -> bytes:
    return to_onnx(recogniser, labels=CLASSES, metadata="")


@pytest.fixture(scope="module")
def session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run(recogniser: Recogniser, samples: npt.NDArray[np.float32], *speaker: torch.Tensor) -> NetworkOutputs:
    with torch.no_grad():
        outputs: NetworkOutputs = recogniser(torch.from_numpy(samples), *speaker)
    return outputs


@pytest.mark.parametrize(("batch", "n"), [(1, 4800), (3, 4801), (2, 23456), (1, 48000), (1, 480000)])
def test_graph_and_network_agree(
    recogniser: Recogniser, session: onnxruntime.InferenceSession, batch: int, n: int
) -> None:
    samples = np.stack([gliding(n, seed=row) for row in range(batch)])
    (scores,) = session.run(["scores"], {"samples": samples})
    np.testing.assert_allclose(scores, run(recogniser, samples).scores, atol=RUNTIME)


@pytest.mark.parametrize("profiles", [1, 2])
def test_speakers_statistics_go_through_onnx_runtime(
    recogniser: Recogniser, session: onnxruntime.InferenceSession, profiles: int
) -> None:
    samples = np.stack([gliding(20000, seed=row) for row in range(2)])
    mean = torch.stack([recogniser.mean + 0.3 * recogniser.scale, recogniser.mean])[:profiles]
    scale = torch.stack([0.7 * recogniser.scale, 1.1 * recogniser.scale])[:profiles]
    given = {"samples": samples, "speaker_mean": mean.numpy(), "speaker_scale": scale.numpy()}
    scores, statistics = session.run(["scores", "statistics"], given)
    expected = run(recogniser, samples, mean, scale)
    np.testing.assert_allclose(scores, expected.scores, atol=RUNTIME)
    np.testing.assert_allclose(statistics, run(recogniser, samples).statistics, rtol=1e-3, atol=1e-3)
    assert not np.allclose(scores, run(recogniser, samples).scores, atol=1e-4)


def test_rounded_weights_are_stored_in_half_precision(recogniser: Recogniser, graph: bytes) -> None:
    big = {name: values for name, values in recogniser.named_parameters() if values.numel() >= SMALL}
    stored = onnx.load_from_string(graph).graph.initializer
    halved = {one.name: numpy_helper.to_array(one) for one in stored if one.data_type == onnx.TensorProto.FLOAT16}
    assert sum(map(np.size, halved.values())) >= sum(values.numel() for values in big.values())
    for name, values in big.items():
        if "lstm" not in name:  # whose gates stand in another order in ONNX
            found = halved[f"{name}.half"]
            own = found[:, : values.shape[1]]  # channels of zeros may follow
            assert np.array_equal(own, values.detach().numpy())
            assert np.count_nonzero(found) == np.count_nonzero(own)


def test_what_half_precision_cannot_hold_stays_whole(recogniser: Recogniser, graph: bytes) -> None:
    finer = deepcopy(recogniser)
    with torch.no_grad():
        for values in finer.parameters():
            values.mul_(1 + 2**-20)
    big = [values.numel() for values in finer.parameters() if values.numel() >= SMALL]
    full = to_onnx(finer, labels=CLASSES, metadata="")
    # a cast for each weight takes some bytes
    assert 2 * sum(big) - 200 * len(big) < len(full) - len(graph) <= 2 * count_parameters(finer)


DYNAMIC = {"Shape", "Size", "Range", "NonZero", "ConstantOfShape", "Where", "Expand", "Tile", "Loop", "If", "Scan"}
"""Operators that compute shapes, or whose outputs' shapes depend on values; Where also chooses values."""


def test_a_graph_of_fixed_shapes_computes_none(recogniser: Recogniser, graph: bytes) -> None:
    made = fixed(onnx.load_from_string(graph), {"samples": [1, 48000]}, ["scores"], where=Path("small"), fuse=True)
    assert {node.op_type for node in made.graph.node} & DYNAMIC <= {"Where"}
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*made.graph.value_info, *made.graph.output)}
    known = {one.name for one in made.graph.initializer}
    for node in made.graph.node:
        if node.op_type in ("Reshape", "Slice", "Pad", "Unsqueeze", "Squeeze"):
            assert set(filter(None, node.input[1:])) <= known, f"{node.name} computes where to cut"
        if node.op_type == "Where":
            assert kinds[node.output[0]] == onnx.TensorProto.FLOAT, f"{node.name} chooses a shape"
    if any(node.op_type == "MaxPool" for node in made.graph.node):  # of the reference's network, which is not shipped
        with pytest.raises(ExportError, match="MaxPool of layer '/encoder/MaxPool' with 1 axes"):
            check(made, where=Path("small"))
    else:
        check(made, where=Path("small"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    samples = gliding(48000)[None]
    (scores,) = session.run(["scores"], {"samples": samples})
    np.testing.assert_allclose(scores, run(recogniser, samples).scores, atol=RUNTIME)


def test_constants_and_shapes_are_no_nodes(graph: bytes) -> None:
    nodes = [node.op_type for node in onnx.load_from_string(graph).graph.node]
    assert "Constant" not in nodes
    assert nodes.count("Shape") < 15


def run_of(folder: Path, network: Network | None, *, adaptable: bool = True) -> Run[TrainedModel]:
    task = drawn_task(TRAINED)
    recipe = small_recipe(name="moods", labels=LABELS, data=Data(corpora=("own.jsonl",), protocol="sd"), export=True)
    every = np.arange(len(task.clips))
    values = 0.2 + 0.4 * np.eye(3)[task.labels]
    scores = FoldScores(1, every, dict.fromkeys(CONDITIONS, values), 1.7, {"held_out_uar": 90.0})
    predictions = all_predictions(task, [scores], recipe, trained=every)
    card = NetworkCard(
        name="moods",
        recipe={},
        recipe_sha256=recipe.sha256(),
        encoder=MOBILE,
        classes=TRAINED,
        labels=LABELS,
        merge=tuple(map(tuple, merge_matrix(TRAINED, LABELS))),
        temperature=1.2,
        adaptable=adaptable,
        corpora=card_corpora(task.clips),
    )
    return Run(folder, (1.7,), predictions, every, None if network is None else TrainedModel(network, card))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    network = small_network(MOBILE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path = export_network(run_of(folder, network), folder)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items()), (
        "the run keeps its own"
    )
    return path


def values_of(array: Array) -> npt.NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(array.base64), "<f4").reshape(array.shape).astype(np.float64)


def test_the_head_as_data_gives_the_graph_s_scores(exported: Path) -> None:
    model = Model.load(exported)
    head, card = model.card.head, model.card
    assert head is not None
    assert head.classes == TRAINED
    weight, bias, merge = (values_of(array) for array in (head.weight, head.bias, head.merge))
    assert (weight.shape, bias.shape, merge.shape) == ((3, 8), (3,), (3, 2))
    for n in (4800, 30000):
        outputs = model.run(np.stack([gliding(n, seed=seed) for seed in range(3)]))
        logits = (outputs.embedding @ weight.T + bias) / card.temperature
        shares = np.exp(logits - logits.max(1, keepdims=True))
        scores = (shares / shares.sum(1, keepdims=True)) @ merge
        np.testing.assert_allclose(scores / scores.sum(1, keepdims=True), outputs.scores, atol=AS_DATA)


def test_a_saved_network_is_exported_again_without_the_run(exported: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path, small_network(MOBILE))
    once = Model.load(export_network(run, tmp_path / "once"))
    assert run.model is not None
    card = msgspec.structs.replace(run.model.card, temperature=1.7)
    TrainedModel(run.model.network, card).save(tmp_path / "trained")
    loaded = TrainedModel.load(tmp_path / "trained")
    again = Model.load(export_trained(loaded, run.predictions, tmp_path / "again"))
    assert again.card == once.card


def test_the_graph_has_the_adaptation(exported: Path, tmp_path: Path) -> None:
    run, plain = run_of(tmp_path, small_network(MOBILE)), Model.load(exported)
    assert run.model is not None
    fit = small_adaptation(plain.default_profile.mean.size, len(LABELS))
    adapts = TrainedModel(run.model.network, run.model.card, fit)
    model = Model.load(export_network(replace(run, model=adapts), tmp_path / "adapts"))
    assert_same_adaptation(model.adaptation, fit)
    samples = gliding(20000)[None]
    np.testing.assert_array_equal(model.run(samples).scores, plain.run(samples).scores)
    with pytest.raises(ModelError, match="model 'moods' cannot adapt"):
        _ = plain.adaptation


def test_the_card_says_what_the_network_is(exported: Path) -> None:
    card = Model.load(exported).card
    assert (card.name, card.labels, card.temperature, card.adaptable) == ("moods", LABELS, 1.7, True)
    assert card.parameters == count_parameters(small_network(MOBILE))
    assert card.description == "network 'mobile', trained by the recipe moods; learnt from own (24 clips, 4 speakers)"
    assert check_golden(Model.load(exported)) < card.golden.tolerance
    assert b"base64" in exported.with_suffix(".json").read_bytes()


def test_the_public_name_reads_well(exported: Path) -> None:
    text = repr(load(str(exported)))
    for part in ("moods", "happy", "neutral", "16000"):
        assert part in text
    assert len(text) < 400


def test_a_network_of_one_view_is_not_adaptable(tmp_path: Path) -> None:
    run = run_of(tmp_path, small_network(MOBILE), adaptable=False)
    assert not Model.load(export_network(run, tmp_path)).card.adaptable


def test_nothing_fitted_nothing_exported(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no model was fitted on all clips; set export = true"):
        export_network(run_of(tmp_path, None), tmp_path)


def test_large_matrices_keep_eight_bits_of_mantissa_and_nothing_overflows() -> None:
    values = np.random.default_rng(0).normal(size=LARGE).astype(np.float32)
    values[:4] = [65504.0, -65504.0, 6e-8, 1.0 + 2**-9]  # the largest and smallest halves; a tie goes to the even one
    layer = torch.nn.Linear(LARGE, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(values)[None])
        layer.bias.fill_(1.0 + 2**-10)
    halve(layer)
    found = layer.weight.detach().numpy()[0]
    assert not (found.astype(np.float16).view(np.int16) & 0b11).any()
    assert found[:4].tolist() == [65408.0, -65408.0, 0.0, 1.0]
    assert found[4:] == pytest.approx(values[4:], rel=2**-9 + 2**-11)
    assert layer.bias.item() == 1.0 + 2**-10  # a bias is small, and keeps all bits


def test_rounding_to_half_precision_loses_little(recogniser: Recogniser) -> None:
    samples = golden_input(seconds=3.0, sample_rate=16000)[None]
    before = run(recogniser, samples).scores
    halve(recogniser)  # has been halved before: nothing more is lost
    assert torch.equal(run(recogniser, samples).scores, before)
    assert all(torch.equal(p, p.half().float()) for p in recogniser.parameters())
