"""Encoders that learn as INT8 graphs: what is rounded, what learns, and what is kept in float."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from emovox.models.encoders import build_encoder
from emovox.models.fake_quantisation import LEVELS, WEIGHT_LEVELS, Activation
from emovox.models.functionals import FunctionalsConfig
from emovox.models.network import Encoder
from emovox.models.quantised_encoder import (
    from_tensors,
    learnt_encoder,
    prepare,
    products,
    to_tensors,
    weight_levels,
)
from emovox.schema.errors import ModelError
from emovox.testing import speech
from tests.models.small import small_encoders, small_network, write_whisper

KINDS = ("mobile", "hybrid", "whisper", "whisper-learning")


def tiles() -> list[Tensor]:
    return [torch.from_numpy(speech(110.0 + 30 * i, seconds=0.8, level=0.05, glide=0.1, seed=i)) for i in range(3)]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    found = small_encoders(write_whisper(tmp_path_factory.mktemp("whisper")))
    return {name: small_network(found[name]).encoder for name in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_before_it_learns_an_encoder_computes_nearly_as_in_float(encoders: dict[str, Encoder], kind: str) -> None:
    prepared = deepcopy(encoders[kind])
    prepare(prepared, tiles())
    with torch.no_grad():
        true, rounded = encoders[kind](tiles()[0][None]), prepared(tiles()[0][None])
    error = float((rounded - true).norm() / true.norm())
    assert 1e-5 < error < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learnt_goes_back_into_an_ordinary_encoder(encoders: dict[str, Encoder], kind: str) -> None:
    prepared, made = deepcopy(encoders[kind]), deepcopy(encoders[kind])
    prepare(prepared, tiles())
    learning = [weights for weights in prepared.parameters() if weights.requires_grad]
    with torch.no_grad():
        for weights in learning:
            weights.add_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)))
    ranges = from_tensors(to_tensors(learnt_encoder(prepared, made)))
    for path, one in ranges.items():
        exact = products(made)[path].weight / one.steps.reshape(-1, *[1] * (products(made)[path].weight.ndim - 1))
        levels = weight_levels(products(made)[path].weight.detach(), one)
        torch.testing.assert_close(exact, levels, atol=1e-3, rtol=0)
        assert float(levels.abs().max()) <= WEIGHT_LEVELS
    for part in prepared.modules():
        if isinstance(part, Activation):
            part.measures = True  # the products alone stay rounded
    with torch.no_grad():
        torch.testing.assert_close(made(tiles()[0][None]), prepared(tiles()[0][None]), atol=1e-4, rtol=1e-3)


def test_products_that_read_one_tensor_share_its_levels(encoders: dict[str, Encoder]) -> None:
    prepared = deepcopy(encoders["whisper"])
    prepare(prepared, tiles())
    block = {path.rpartition(".")[2]: module for path, module in products(prepared).items() if "layers.0" in path}
    assert block["q_proj"].incoming is block["k_proj"].incoming is block["v_proj"].incoming
    assert block["out_proj"].incoming is not block["q_proj"].incoming
    lstm = deepcopy(encoders["hybrid"])
    prepare(lstm, tiles())
    frozen = [name for name, one in lstm.named_parameters() if not one.requires_grad]
    assert [name for name in frozen if "lstm" in name]


def test_steps_have_the_gradient_of_learned_step_size_quantisation() -> None:
    part = Activation()
    part(torch.tensor([0.0, LEVELS * 0.1]))
    part.settle()
    values = torch.tensor([0.23, 3.04, 40.0], requires_grad=True)
    part(values).sum().backward()
    assert part.log_step.grad is not None
    assert values.grad is not None
    # Esser et al., equation 3: round(x/s) - x/s inside the range, and the largest level beyond it
    inside = (round(2.3) - 2.3) + (round(30.4) - 30.4)
    assert float(part.log_step.grad) == pytest.approx(0.1 * 0.1 * (inside + LEVELS), rel=1e-4)
    assert values.grad.tolist() == [1.0, 1.0, 0.0]


def test_an_encoder_without_products_is_refused() -> None:
    encoder = build_encoder(FunctionalsConfig())
    with pytest.raises(ModelError, match="no convolution or affine map to quantise, expected an encoder"):
        prepare(encoder, tiles())
    assert not [one for one in encoder.modules() if isinstance(one, nn.Linear)]
