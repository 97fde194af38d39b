"""The Whisper encoder in two halves: what is kept on disk, what learns, and what is pooled."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.pooling import mean_deviation
from emovox.models.whisper_encoder import VIEWS, WhisperConfig, WhisperEncoder, masked_mean
from emovox.schema.errors import ConfigError, WeightsError
from tests.models.small import SIZES, whisper, write_whisper
from tests.sounds import gliding

WIDTH, WIDE = SIZES.d_model, SIZES.encoder_ffn_dim

# float32 sums in another order, values of size 10
SAME = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.from_numpy(gliding(16000))[None]


def build(folder: Path, **changes: object) -> WhisperEncoder:
    torch.manual_seed(0)
    return WhisperEncoder(WhisperConfig(weights=str(folder), blocks=2, **changes)).eval()  # type: ignore[arg-type]


@torch.no_grad()
def outputs_of(encoder: WhisperEncoder, samples: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Outputs and hidden activations of both blocks, in one go."""
    frames = encoder.whisper.stem(encoder.front_end(samples))
    outputs, hidden = [], []
    for index in range(2):
        block = encoder.whisper.block(index)
        attended = block.attend(frames)
        hidden.append(block.expand(attended))
        frames = block(frames)
        outputs.append(frames)
    return outputs, hidden


def test_a_frozen_encoder_keeps_every_view_on_disk(folder: Path, samples: torch.Tensor) -> None:
    encoder = build(folder, frozen=2, views=("hidden",))
    outputs, hidden = outputs_of(encoder, samples)
    kept = torch.cat([*map(mean_deviation, outputs), *(h.mean(1) for h in hidden)], 1)
    with torch.no_grad():
        inputs = encoder.inputs(samples)
    torch.testing.assert_close(inputs, kept[:, None], atol=SAME, rtol=SAME)
    assert inputs.shape == (1, 1, encoder.n_inputs)
    assert not encoder.learns


@pytest.mark.parametrize(
    ("views", "size"),
    [(("output",), 4 * WIDTH), (("hidden",), 2 * WIDE), (("hidden", "output"), 4 * WIDTH + 2 * WIDE)],
)
def test_only_the_views_asked_for_are_pooled(
    folder: Path, samples: torch.Tensor, views: tuple[str, ...], size: int
) -> None:
    encoder = build(folder, frozen=2, views=views)
    outputs, hidden = outputs_of(encoder, samples)
    parts = {"output": map(mean_deviation, outputs), "hidden": (frames.mean(1) for frames in hidden)}
    expected = torch.cat([part for name in VIEWS if name in views for part in parts[name]], 1)
    with torch.no_grad():
        found = encoder.pool(encoder.inputs(samples))
    assert found.shape == (1, encoder.n_statistics) == (1, size)
    torch.testing.assert_close(found, expected, atol=SAME, rtol=SAME)


@pytest.mark.parametrize("frozen", [0, 1, 2])
@pytest.mark.parametrize("views", [(), ("output",), ("output", "hidden")])
def test_wherever_the_border_lies_the_statistics_are_the_same(
    folder: Path, samples: torch.Tensor, frozen: int, views: tuple[str, ...]
) -> None:
    encoder = build(folder, frozen=frozen, views=views, attention=4)
    with torch.no_grad():
        inputs = encoder.inputs(samples)
        halves, whole = encoder.pool(inputs), encoder(samples)
    assert inputs.shape == (1, 50, max(1, frozen) * WIDTH) == (1, 50, encoder.n_inputs)
    assert whole.shape == (1, encoder.n_statistics)
    torch.testing.assert_close(halves, whole, atol=SAME, rtol=SAME)


def test_what_learns_is_what_lies_above_the_border(folder: Path) -> None:
    encoder = build(folder, frozen=1, attention=4)
    assert encoder.learns
    learning = [name for name, parameter in encoder.named_parameters() if parameter.requires_grad]
    assert {name[:16] for name in learning if name.startswith("whisper.")} == {"whisper.layers.1"}
    assert "mixture.weights" in learning
    sizes = [len(group) for group in encoder.depths()]
    assert sizes[:2] == [0, 0]  # the stem and the first block
    assert sizes[2:] == [sum(1 for _ in encoder.whisper.block(1).parameters()), 5]
    assert sum(sizes) == sum(p.requires_grad for p in encoder.parameters())


def test_the_mixture_learns_which_block_counts(folder: Path, samples: torch.Tensor) -> None:
    encoder = build(folder, frozen=2, views=(), attention=4)
    assert encoder.mixture is not None
    outputs, _ = outputs_of(encoder, samples)
    with torch.no_grad():
        encoder.mixture.weights.copy_(torch.tensor([30.0, 0.0]))
        torch.testing.assert_close(encoder(samples), encoder.mixture.pooling(outputs[0]), atol=SAME, rtol=SAME)


def test_the_key_follows_weights_and_border(folder: Path, tmp_path: Path) -> None:
    other = write_whisper(tmp_path, seed=1)
    keys = {build(one, frozen=frozen).inputs_key for one in (folder, other) for frozen in (0, 1, 2)}
    assert len(keys) == 6
    assert build(folder, frozen=2).inputs_key == build(folder, frozen=2, views=("hidden",)).inputs_key
    assert build(folder, frozen=2).inputs_key != build(folder, frozen=2, attention=4).inputs_key


def test_padding_changes_no_gradient(folder: Path) -> None:
    encoder = build(folder, frozen=1, views=VIEWS, attention=4).train()
    with torch.no_grad():
        inputs = torch.cat([encoder.inputs(torch.from_numpy(gliding(16000, seed=seed))[None]) for seed in (1, 2)])
    mask = torch.arange(50)[None] < torch.tensor([50, 31])[:, None]
    wider = torch.nn.functional.pad(inputs, (0, 0, 0, 20), value=3.0), torch.nn.functional.pad(mask, (0, 20))
    found = []
    for frames, own in ((inputs, mask), wider):
        encoder.zero_grad()
        torch.autograd.backward(encoder.pool(frames, own).square().mean())
        found.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
    assert len(found[0]) == sum(p.requires_grad for p in encoder.parameters())
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=SAME, rtol=SAME)


def test_masked_mean_takes_own_frames_only() -> None:
    frames = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert masked_mean(frames, torch.tensor([[True, True, False]])).tolist() == [[2.0]]
    assert masked_mean(frames[:, :2], None).tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frozen": 3}, "got frozen = 3 and blocks = 2, expected blocks >= 1 and frozen from 0 to blocks"),
        ({"frozen": -1}, "got frozen = -1"),
        ({"frozen": 2, "views": ()}, "got neither views nor attention"),
        ({"frozen": 2, "attention": -1}, "got attention = -1, expected 0 or more"),
    ],
)
def test_numbers_that_make_no_encoder_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"whisper: {message}"):
        WhisperConfig(blocks=2, **changes)  # type: ignore[arg-type]


def test_more_blocks_than_there_are(folder: Path) -> None:
    with pytest.raises(WeightsError, match="got 3 blocks, expected 1 to 2"):
        build_encoder(WhisperConfig(weights=str(folder)))


def test_a_table_of_a_recipe(folder: Path) -> None:
    config = whisper(folder, learning=True)
    table = msgspec.to_builtins(config)
    assert table["name"] == "whisper"
    assert msgspec.convert(table, EncoderConfig) == config
    with pytest.raises(msgspec.ValidationError, match=r"Invalid enum value 'input' - at `\$\.views"):
        msgspec.convert({**table, "views": ["input"]}, EncoderConfig)
