from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from emovox.models.pooling import AttentiveStatistics, mean_deviation
from emovox.schema.errors import ConfigError

Pool = Callable[..., Tensor]

# float32 sums over other numbers of frames
SAME = 1e-5


def frames(*lengths: int, width: int = 12, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    """Noise [b, t, width] and its mask; `fill` follows each clip's own frames."""
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    noise = torch.randn(len(lengths), max(lengths), width, generator=torch.Generator().manual_seed(3))
    return torch.where(mask[:, :, None], 2 * noise + 0.5, fill), mask


@pytest.fixture(params=["plain", "one head", "three heads", "a weight a channel"])
def pool(request: pytest.FixtureRequest) -> Pool:
    torch.manual_seed(0)
    heads = {"one head": 1, "three heads": 3, "a weight a channel": None}
    return mean_deviation if request.param == "plain" else AttentiveStatistics(12, 5, heads[request.param])


@pytest.mark.parametrize("fill", [0.0, -50.0, 1e4])
def test_what_follows_a_clip_changes_nothing(pool: Pool, fill: float) -> None:
    values, mask = frames(40, 7, 1, fill=fill)
    batch = pool(values, mask)
    for row, length in enumerate((40, 7, 1)):
        torch.testing.assert_close(batch[row], pool(values[row : row + 1, :length])[0], atol=SAME, rtol=SAME)


def test_mean_and_deviation_are_those_of_the_population() -> None:
    values, mask = frames(40, 7)
    own = values[1, :7]
    expected = torch.cat([own.mean(0), own.std(0, correction=0)])
    torch.testing.assert_close(mean_deviation(values, mask)[1], expected, atol=SAME, rtol=SAME)


def test_equal_weights_give_plain_statistics() -> None:
    pooling = AttentiveStatistics(12, 5, 3)
    torch.nn.init.zeros_(pooling.weigh.weight)
    values, mask = frames(40, 7)
    torch.testing.assert_close(pooling(values, mask), mean_deviation(values, mask), atol=SAME, rtol=SAME)


def test_a_sharp_weight_picks_its_frame_for_its_channels_only() -> None:
    pooling = AttentiveStatistics(4, 1, 2)
    pooling.hidden.weight.data[:] = torch.tensor([100.0, 0, 0, 0])[:, None]
    pooling.weigh.weight.data[:] = torch.tensor([100.0, 0])[:, None, None]
    for layer in (pooling.hidden, pooling.weigh):
        torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    values = torch.tensor([[[-1.0, 1, 2, 3], [1, 5, 4, 7], [-1, 3, 6, 2]]])
    expected = torch.tensor([[1.0, 5, 4, 4]])
    torch.testing.assert_close(pooling(values)[:, :4], expected, atol=SAME, rtol=SAME)


@pytest.mark.parametrize("length", [1, 5])
def test_a_constant_channel_has_a_finite_gradient(pool: Pool, length: int) -> None:
    values = torch.ones(2, length, 12, requires_grad=True)
    torch.autograd.backward(pool(values).sum())
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
    assert values.grad.abs().max() < 10


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ConfigError, match="got 5 heads for 12 channels"):
        AttentiveStatistics(12, 4, 5)
