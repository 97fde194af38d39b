from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from emovox.models.masked import ConvNorm, MaskedBatchNorm, SqueezeExcite, clip_mask, mean_over_time, without_padding

# float32 sums in another order
SAME = 1e-5


def ragged(*lengths: int, width: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Noise [b, width, 1, t] far from 0, the mask [b, 1, 1, t], and which frames are inside a clip [b, t]."""
    inside = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    noise = 3 + 2 * torch.randn(len(lengths), width, 1, max(lengths), generator=torch.Generator().manual_seed(1))
    mask = clip_mask(inside, torch.float32)
    assert mask is not None
    return noise, mask, inside


def rows(frames: Tensor, inside: Tensor) -> Tensor:
    """[b, c, 1, t] → the frames of all clips, [n, c]."""
    return frames.flatten(2).transpose(1, 2)[inside]


@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_batch_norm_ignores_padding(momentum: float) -> None:
    torch.manual_seed(0)
    masked, plain = MaskedBatchNorm(6, momentum=momentum), nn.BatchNorm1d(6, momentum=momentum)
    for parameter in masked.parameters():
        nn.init.normal_(parameter)
    plain.load_state_dict(masked.state_dict())
    frames, mask, inside = ragged(40, 13, 1)
    pull = torch.randn(54, 6)
    given = frames.clone().requires_grad_()
    packed = rows(frames, inside).requires_grad_()
    found, expected = rows(masked(given, mask), inside), plain(packed)
    torch.testing.assert_close(found, expected, atol=SAME, rtol=SAME)
    torch.autograd.backward([found, expected], [pull, pull])
    assert given.grad is not None
    assert packed.grad is not None
    torch.testing.assert_close(rows(given.grad, inside), packed.grad, atol=SAME, rtol=1e-4)
    assert given.grad[1, ..., 13:].abs().max() == 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(masked.state_dict()[name], value, atol=SAME, rtol=SAME)
    for one, other in zip(masked.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=1e-4)


def test_after_training_it_is_the_ordinary_one() -> None:
    masked = MaskedBatchNorm(6)
    frames, mask, _ = ragged(40, 13)
    masked(frames, mask)
    masked.eval()
    before = masked.get_buffer("running_mean").clone()
    assert torch.equal(masked(frames, mask), nn.BatchNorm2d.forward(masked, frames))
    assert torch.equal(masked.get_buffer("running_mean"), before)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("length", [1, 8, 9, 10, 11])
def test_a_convolution_ignores_padding(stride: int, length: int) -> None:
    torch.manual_seed(0)
    layer = ConvNorm(6, 5, 5, stride=stride).eval()
    frames, mask, _ = ragged(20, length)
    alone = layer(frames[1:, ..., :length], None)
    assert alone.shape[3] == (length - 1) // stride + 1
    batch = layer(frames, mask)[1:, ..., : alone.shape[3]]
    torch.testing.assert_close(batch, alone, atol=SAME, rtol=SAME)


def test_squeeze_and_excitation_ignores_padding() -> None:
    layer = SqueezeExcite(6, 3)
    frames, mask, _ = ragged(20, 7)
    torch.testing.assert_close(
        layer(frames, mask)[1, ..., :7], layer(frames[1:, ..., :7], None)[0], atol=SAME, rtol=SAME
    )
    torch.testing.assert_close(
        mean_over_time(frames, mask)[1, ..., 0], frames[1, ..., :7].mean(2), atol=SAME, rtol=SAME
    )
    assert without_padding(frames, mask)[1, ..., 7:].abs().max() == 0


def test_statistics_are_exact_where_precision_is_mixed() -> None:
    frames, mask, _ = ragged(40, 13)
    exact, mixed = MaskedBatchNorm(6), MaskedBatchNorm(6)
    exact(frames, mask)
    with torch.autocast("cpu", torch.bfloat16):
        mixed(frames, mask)
        assert mean_over_time(frames, mask).dtype == torch.float32
    for name, value in exact.state_dict().items():
        assert torch.equal(mixed.state_dict()[name], value), name
