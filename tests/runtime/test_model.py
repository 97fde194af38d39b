from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from emovox.runtime.graph_file import names_other_files
from emovox.runtime.model import Model
from emovox.runtime.protobuf import encode_field
from emovox.schema.card import ModelCard
from emovox.schema.errors import CardError, ModelError
from emovox.schema.labels import EMOTIONS
from emovox.testing import centre_hz, change_card, tone, toy_adaptation, toy_graph, write_toy
from tests.graphs import endless, replace_graph

BATCH_TOLERANCE = 1e-6
"""Float32 rounding of sums in another order."""


def card_text(path: Path) -> str:
    return msgspec.json.encode(msgspec.json.decode(path.read_bytes(), type=ModelCard)).decode()


def test_scores_are_probabilities_and_follow_the_sound(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path))
    batch = np.stack([tone(centre_hz(index), seconds=1.0) for index in range(len(EMOTIONS))])
    before = batch.copy()
    outputs = model.run(batch)
    assert outputs.scores.argmax(axis=1).tolist() == list(range(len(EMOTIONS)))
    np.testing.assert_allclose(outputs.scores.sum(axis=1), 1.0, atol=1e-5)
    assert (outputs.embedding.shape, outputs.statistics.shape) == ((7, 2), (7, 2))
    assert outputs.scores.dtype == np.float32
    np.testing.assert_array_equal(batch, before)


def test_a_recording_scores_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path), threads=2)
    batch = np.stack([tone(hz, seconds=0.5) for hz in (150.0, 700.0, 2000.0)])
    alone = np.concatenate([model.run(row[None]).scores for row in batch])
    outputs = model.run(batch)
    np.testing.assert_allclose(outputs.scores, alone, atol=BATCH_TOLERANCE)
    np.testing.assert_allclose(model.embedding(outputs.statistics), outputs.embedding, atol=1e-5)


def test_card_and_graph_load_from_either_path(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    assert Model.load(path.with_suffix(".onnx")).card == Model.load(path).card
    assert Model.load(path).size == path.with_suffix(".onnx").stat().st_size


def test_own_labels_load(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path, labels=("bored", "amused", "出神")))
    assert model.run(tone(3200.0, seconds=1.0)[None]).scores[0].argmax() == 2


def test_wrong_hash_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    change_card(path, sha256="0" * 64)
    with pytest.raises(CardError, match=r"toy\.onnx: sha256 is [0-9a-f]{12}…, its card expects 0{12}….*copy both"):
        Model.load(path)


def test_wrong_label_count_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, toy_graph(("a", "b"), card=card_text(path)))
    with pytest.raises(
        CardError, match=r"'scores' is 2 wide, the card has 7 labels \(neutral, .*use the card that was"
    ):
        Model.load(path)


def test_changed_card_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    change_card(path, threshold=0.5, licence="MIT")
    with pytest.raises(CardError, match="the card inside the graph and the one beside it differ in licence, threshold"):
        Model.load(path)


def test_graph_without_its_card_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, toy_graph(EMOTIONS))
    with pytest.raises(CardError, match=r"graph has no copy of its card \('emovox\.card'\)"):
        Model.load(path)


def test_graph_with_other_outputs_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, toy_graph(EMOTIONS).replace(b"embedding", b"embeddins"))
    with pytest.raises(CardError, match=r"outputs \['embeddins', 'scores', 'statistics'\], expected \['samples'\]"):
        Model.load(path)


def test_adaptable_needs_the_speaker_inputs(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, toy_graph(EMOTIONS, card=card_text(path)).replace(b"speaker_mean", b"speaker_moon"))
    with pytest.raises(CardError, match=r"card says adaptable, but the graph lacks \['speaker_mean'\]"):
        Model.load(path)


def test_speaker_inputs_of_one_profile_a_run_are_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    proto = onnx.load_from_string(toy_graph(EMOTIONS, card=card_text(path)))
    for value in (*proto.graph.input, *proto.graph.initializer):
        if value.name.startswith("speaker_"):
            dims = value.dims if isinstance(value, onnx.TensorProto) else value.type.tensor_type.shape.dim
            del dims[0]
    replace_graph(path, proto.SerializeToString())
    with pytest.raises(CardError, match=r"lacks \['speaker_mean', 'speaker_scale'\] of \[1 or batch, p\]; export the"):
        Model.load(path)


def test_broken_graph_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, b"not a graph")
    with pytest.raises(CardError, match="ONNX Runtime cannot load this graph"):
        Model.load(path)


@pytest.mark.parametrize("copy", ["not json", "[1]", "[" * 100_000])
def test_copy_that_is_no_card_is_refused(tmp_path: Path, copy: str) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, toy_graph(EMOTIONS, card=copy))
    with pytest.raises(CardError, match="copy of its card is no JSON object; export"):
        Model.load(path)


def changed_graph(path: Path, change: Callable[[onnx.GraphProto], None]) -> Model:
    graph = onnx.load(path.with_suffix(".onnx"))
    change(graph.graph)
    replace_graph(path, graph.SerializeToString())
    return Model.load(path)


def test_graph_that_fails_is_an_error(tmp_path: Path) -> None:
    def fix_length(graph: onnx.GraphProto) -> None:
        (samples,) = (node for node in graph.input if node.name == "samples")
        samples.type.tensor_type.shape.dim[1].dim_value = 7

    model = changed_graph(write_toy(tmp_path), fix_length)
    with pytest.raises(ModelError, match=r"model 'toy' failed \(.*Expected: 7.*export the model again"):
        model.run(tone(300.0, seconds=1.0)[None])


def test_scores_beyond_one_are_refused(tmp_path: Path) -> None:
    def leave_out_softmax(graph: onnx.GraphProto) -> None:
        node = graph.node[-1]
        node.op_type = "Identity"
        del node.attribute[:]

    model = changed_graph(write_toy(tmp_path), leave_out_softmax)
    with pytest.raises(ModelError, match=r"no probabilities \[1, 7\]"):
        model.run(tone(300.0, seconds=1.0)[None])


def test_missing_files_are_named(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    path.with_suffix(".onnx").unlink()
    with pytest.raises(CardError, match=r"toy\.onnx: cannot be read \(No such file.*expected two files"):
        Model.load(path)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros(8000, np.float32), r"float32 of shape \[8000\], expected float32 \[batch, n\]"),
        (np.zeros((1, 8000)), r"float64 of shape \[1, 8000\]"),
        (np.zeros((1, 4799), np.float32), "has 4799 samples, model 'toy' takes 4800 to 96000 at 16000 Hz"),
        (np.zeros((1, 96001), np.float32), "has 96001 samples"),
    ],
)
def test_input_is_checked(tmp_path: Path, batch: np.ndarray, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Model.load(write_toy(tmp_path)).run(batch)


def test_scores_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    batch = np.full((1, 8000), np.nan, np.float32)
    with pytest.raises(ModelError, match="scores that are no probabilities"):
        Model.load(write_toy(tmp_path)).run(batch)


def test_threads_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="threads is 0, expected at least 1"):
        Model.load(write_toy(tmp_path), threads=0)


def test_loading_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Model.load(write_toy(tmp_path))
    assert capfd.readouterr() == ("", "")


def external(name: str) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "inside.bin"), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def in_a_subgraph(tensor: onnx.TensorProto) -> onnx.NodeProto:
    value = onnx.helper.make_tensor_value_info("kept", onnx.TensorProto.FLOAT, [1])
    body = onnx.helper.make_graph([onnx.helper.make_node("Identity", [tensor.name], ["kept"])], "body", [], [value])
    body.initializer.append(tensor)
    return onnx.helper.make_node("If", ["yes"], ["chosen"], then_branch=body, else_branch=body)


def in_an_attribute(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return onnx.helper.make_node("Constant", [], ["constant"], value=tensor)


@pytest.mark.parametrize("place", ["initializer", "sparse_initializer", "subgraph", "attribute", "function"])
def test_weights_in_other_files_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "inside.bin").write_bytes(b"1234")
    path, tensor = write_toy(tmp_path), external("hidden")
    graph = onnx.load(path.with_suffix(".onnx"), load_external_data=False)
    if place == "initializer":
        graph.graph.initializer.append(tensor)
    elif place == "sparse_initializer":
        graph.graph.sparse_initializer.add(values=tensor)
    elif place == "function":
        graph.functions.add(name="f", domain="d").node.append(in_an_attribute(tensor))
    else:
        graph.graph.node.append(in_a_subgraph(tensor) if place == "subgraph" else in_an_attribute(tensor))
    replace_graph(path, graph.SerializeToString())
    with pytest.raises(CardError, match="weights in other files"):
        Model.load(path)


def test_a_field_with_a_number_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    """ONNX Runtime takes the low 32 bits of such a number, so it would read the file that hides behind it."""
    path = write_toy(tmp_path)
    graph = onnx.load(path.with_suffix(".onnx"))
    graph.graph.initializer.append(external("hidden"))
    plain = graph.SerializeToString()
    entry = graph.graph.initializer[-1].external_data[0].SerializeToString()
    hidden = encode_key(13 << 3 | 2 | 1 << 32) + bytes([len(entry)]) + entry
    tensor = (
        onnx.TensorProto(name="hidden", data_type=1, dims=[1], data_location="EXTERNAL").SerializeToString() + hidden
    )
    assert names_other_files(plain)
    with pytest.raises(ValueError, match="more than 32 bits"):
        names_other_files(encode_field(7, encode_field(5, tensor)))


def encode_key(value: int) -> bytes:
    """Return a number as protobuf writes it, 7 bits a byte, lowest first."""
    return bytes([value >> 7 * n & 127 | 128 * (value >> 7 * n + 7 > 0) for n in range((value.bit_length() + 6) // 7)])


@pytest.mark.parametrize("graph", [b"", b"location", b"\x80" * 40 + b"location", b"\x3a\xff\xff\x7flocation"])
def test_bytes_that_are_no_graph_are_an_error(tmp_path: Path, graph: bytes) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, graph)
    with pytest.raises(CardError, match=r"no ONNX graph|cannot load this graph"):
        Model.load(path)


def test_a_run_without_end_can_be_stopped(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    replace_graph(path, endless(onnx.load(path.with_suffix(".onnx"))).SerializeToString())
    model = Model.load(path)
    timer = threading.Timer(0.2, model.stop)
    timer.start()
    with pytest.raises(ModelError, match="terminate"):
        model.run(tone(150.0, seconds=0.5)[None])
    timer.join()


def test_a_model_returns_the_parameters_of_its_adaptation(tmp_path: Path) -> None:
    model, fit = Model.load(write_toy(tmp_path)), toy_adaptation(len(EMOTIONS))
    np.testing.assert_allclose(model.adaptation.apart, fit.apart, rtol=1e-6)
    assert model.adaptation.variance == pytest.approx(fit.variance)


def test_a_model_without_parameters_cannot_adapt(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path, name="svm", adapts=False))
    with pytest.raises(ModelError, match="model 'svm' cannot adapt; take one that was trained with adaptation = true"):
        _ = model.adaptation


def test_clips_of_several_labels_are_diverse_to_the_toy_and_those_of_one_are_not(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path))
    several = model.run(np.stack([tone(centre_hz(index)) for index in range(len(EMOTIONS))])).statistics
    one = model.run(np.stack([tone(centre_hz(0) + shift) for shift in range(7)])).statistics
    weights = [model.adaptation.weight(model.adaptation.measure(model, rows)) for rows in (several, one)]
    assert weights[0] > 0.7
    assert weights[1] < 0.01
