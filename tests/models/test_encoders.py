from __future__ import annotations

import io
import warnings
from typing import get_args

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from emovox.audio.types import Samples
from emovox.models.encoders import EncoderConfig, build_encoder, empty_encoder
from emovox.models.frame_inputs import FrameInputsConfig
from emovox.models.head import Head, HeadConfig
from emovox.models.hybrid import HybridConfig
from emovox.models.mobile import MobileConfig
from emovox.models.network import Encoder, Network, NetworkOutputs, Recogniser, count_parameters
from emovox.models.reference_hybrid import ReferenceHybridConfig
from emovox.schema.errors import ConfigError
from emovox.schema.labels import merge_matrix
from emovox.training.optim import usable_precision
from tests.sounds import gliding

N_CLASSES = 9
# the whole network with its head; the budgets of the issue
NETWORKS: dict[str, tuple[EncoderConfig, HeadConfig, int]] = {
    "mobile": (MobileConfig(), HeadConfig(hidden=128), 300_000),
    "mobile-f0": (MobileConfig(frames=FrameInputsConfig()), HeadConfig(hidden=128), 300_000),
    "hybrid": (HybridConfig(), HeadConfig(), 1_200_000),
    "hybrid-20ms": (HybridConfig(frames=FrameInputsConfig(hop=320, mfcc=False)), HeadConfig(), 1_200_000),
    "reference-hybrid": (ReferenceHybridConfig(), HeadConfig(dropout_in=0, plain=True), 1_200_000),
}

# A clip alone and in a padded batch: float32 sums over other numbers of frames.
SAME = 1e-5
# ONNX Runtime sums in another order than torch; measured 1e-6, or 1e-4 where one frame's F0 falls the other way.
RUNTIME = 1e-3


def network(name: str) -> Network:
    """A network whose normalisation has seen a few batches."""
    torch.manual_seed(0)
    config, head, _ = NETWORKS[name]
    encoder = build_encoder(config)
    whole = Network(encoder, Head(encoder.n_statistics, N_CLASSES, head))
    for _ in range(5):
        whole(0.5 * torch.randn(4, 150, encoder.n_inputs) + 0.2)
    return whole.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def whole(request: pytest.FixtureRequest) -> Network:
    return network(request.param)


@pytest.fixture
def encoder(whole: Network) -> Encoder:
    return whole.encoder


def frames(encoder: Encoder, *lengths: int, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    """Noise [b, t, c] and its mask; `fill` follows each clip's own frames."""
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    noise = torch.randn(*mask.shape, encoder.n_inputs, generator=torch.Generator().manual_seed(3))
    return torch.where(mask[:, :, None], noise, fill), mask


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0, 30.0])
def test_any_length_gives_statistics_of_one_width(encoder: Encoder, seconds: float) -> None:
    samples = torch.from_numpy(gliding(int(16000 * seconds)))[None]
    with torch.no_grad():
        inputs = encoder.inputs(samples)
        statistics = encoder.pool(inputs)
    assert inputs.shape[2] == encoder.n_inputs
    assert statistics.shape == (1, encoder.n_statistics)
    assert torch.isfinite(statistics).all()
    assert inputs.abs().max() < 15  # about unit size: half precision keeps it to 0.01


@pytest.mark.parametrize("fill", [0.0, 30.0])
def test_a_clip_alone_and_in_a_padded_batch_are_equal(encoder: Encoder, fill: float) -> None:
    lengths = (201, 96, 31, 30)
    inputs, mask = frames(encoder, *lengths, fill=fill)
    with torch.no_grad():
        batch = encoder.pool(inputs, mask)
        for row, length in enumerate(lengths):
            alone = encoder.pool(inputs[row : row + 1, :length])
            torch.testing.assert_close(batch[row], alone[0], atol=SAME, rtol=SAME)


def test_while_it_learns_padding_changes_nothing(whole: Network) -> None:
    encoder = whole.encoder.train()
    try:
        inputs, mask = frames(encoder, 90, 61, 40)
        longer = torch.cat([inputs, torch.full((3, 57, encoder.n_inputs), 5.0)], 1)
        wider = torch.cat([mask, torch.zeros(3, 57, dtype=torch.bool)], 1)
        torch.testing.assert_close(encoder.pool(longer, wider), encoder.pool(inputs, mask), atol=1e-4, rtol=1e-4)
    finally:
        whole.eval()


def test_the_size_is_within_its_budget(request: pytest.FixtureRequest, whole: Network) -> None:
    budget = NETWORKS[request.node.callspec.params["whole"]][2]
    assert 0.7 * budget < count_parameters(whole) <= budget


@pytest.mark.filterwarnings("ignore:optimiser.precision")
def test_it_learns_in_mixed_precision(whole: Network) -> None:
    inputs, mask = frames(whole.encoder, 140, 60, 77)
    with torch.no_grad():
        expected = whole.encoder.pool(inputs, mask)
        if usable_precision(whole, "bf16-mixed") != "bf16-mixed":
            pytest.skip("oneDNN has no bfloat16 LSTM on this processor")
        with torch.autocast("cpu", torch.bfloat16):
            found = whole.encoder.pool(inputs, mask)
    # eight bits of mantissa through a dozen layers
    assert (found - expected).std() < 0.1 * expected.std()


def test_gradients_reach_every_parameter_and_depths_hold_each_once(whole: Network) -> None:
    whole.train()
    try:
        inputs, mask = frames(whole.encoder, 140, 60, 77)
        torch.autograd.backward(whole(inputs, mask)["logits"].square().sum())
        dead = [name for name, one in whole.named_parameters() if one.grad is None or not one.grad.abs().max() > 0]
    finally:
        whole.zero_grad()
        whole.eval()
    assert dead == []
    groups = whole.encoder.depths()
    listed = [id(parameter) for group in groups for parameter in group]
    assert sorted(listed) == sorted(id(parameter) for parameter in whole.encoder.parameters())
    assert len(groups) >= 2


def test_the_halves_that_never_learn_hold_no_weights(encoder: Encoder) -> None:
    assert count_parameters(encoder.get_submodule("front_end")) == 0
    assert not any("front_end" in name for name in encoder.state_dict())


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_seeds_give_equal_networks(name: str) -> None:
    samples = torch.from_numpy(np.stack([gliding(16000, seed=1), gliding(16000, seed=2)]))
    with torch.no_grad():
        one, other = (network(name).encoder(samples) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.allclose(one[0], one[1], atol=1e-3)


def test_it_learns() -> None:
    torch.manual_seed(1)
    encoder = build_encoder(MobileConfig(width=16, blocks=2, features=32))
    whole = Network(encoder, Head(encoder.n_statistics, 2, HeadConfig(hidden=16)))
    optimiser = torch.optim.AdamW(whole.parameters(), 5e-3)
    labels = torch.arange(16) % 2
    inputs = torch.randn(16, 60, encoder.n_inputs)
    # the classes differ in how fast one band moves, not in its mean or deviation
    inputs[:, :, 7] = torch.stack([torch.sin(torch.arange(60) * (0.3 + 0.6 * label)) for label in labels])
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(whole(inputs)["logits"], labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.3 < losses[0]


@pytest.fixture(scope="module")
def recogniser(whole: Network) -> Recogniser:
    labels = tuple("abcdefghi")
    return Recogniser(whole, merge_matrix(labels, labels), 1.5).eval()


@pytest.fixture(scope="module")
def graph(recogniser: Recogniser) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            recogniser,
            (torch.from_numpy(np.stack([gliding(12345), gliding(12345, seed=1)])),),
            buffer,  # type: ignore[arg-type]  # the tracer takes a file object, its annotation says path only
            dynamo=False,
            opset_version=17,
            input_names=["samples"],
            output_names=list(NetworkOutputs._fields),
            dynamic_axes={"samples": {0: "batch", 1: "n"}},
        )
    return buffer.getvalue()


@pytest.fixture(scope="module")
def session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run(recogniser: Recogniser, samples: Samples) -> NetworkOutputs:
    with torch.no_grad():
        outputs: NetworkOutputs = recogniser(torch.from_numpy(samples))
    return outputs


@pytest.mark.parametrize(("batch", "n"), [(1, 4800), (3, 16000), (1, 48000), (2, 71999), (1, 480000)])
def test_the_graph_scores_as_the_network(
    recogniser: Recogniser, session: onnxruntime.InferenceSession, batch: int, n: int
) -> None:
    samples = np.stack([gliding(n, seed=row) for row in range(batch)])
    expected = run(recogniser, samples)
    for found, name in zip(session.run(None, {"samples": samples}), NetworkOutputs._fields, strict=True):
        np.testing.assert_allclose(found, getattr(expected, name), atol=RUNTIME, rtol=RUNTIME, err_msg=name)


def test_the_graph_has_standard_operators_without_control_flow(graph: bytes) -> None:
    nodes = onnx.load_from_string(graph).graph.node
    assert {node.domain for node in nodes} == {""}
    assert not {node.op_type for node in nodes} & {"If", "Loop", "Scan", "NonZero"}


@pytest.mark.parametrize(
    "config",
    [MobileConfig(width=48, frames=FrameInputsConfig(f0=False)), HybridConfig(cells=64), ReferenceHybridConfig()],
)
def test_the_name_in_a_table_says_which(config: EncoderConfig) -> None:
    table = msgspec.to_builtins(config)
    assert table["name"] in NETWORKS
    assert msgspec.convert(table, EncoderConfig) == config
    with pytest.raises(msgspec.ValidationError, match="unknown field `widht`"):
        msgspec.convert({**table, "widht": 3}, EncoderConfig)


@pytest.mark.parametrize("kind", get_args(EncoderConfig))
def test_an_entry_in_the_union_is_enough_for_a_recipe(kind: type[EncoderConfig]) -> None:
    table = {"name": kind.__struct_config__.tag}
    encoder = empty_encoder(msgspec.convert(table, EncoderConfig))
    assert encoder.inputs_key
    assert encoder.n_statistics > 0


@pytest.mark.parametrize("kind", [MobileConfig, HybridConfig])
def test_sizes_that_make_no_network_are_refused(kind: type[MobileConfig] | type[HybridConfig]) -> None:
    with pytest.raises(ConfigError, match="got blocks = 0, expected at least 1"):
        kind(blocks=0)
    with pytest.raises(ConfigError, match="got kernel = 4, expected an odd number"):
        kind(kernel=4)
