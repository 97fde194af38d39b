"""The Whisper blocks against a plain implementation: loops over frames and heads in float64."""

from __future__ import annotations

import io
import math
import os
import warnings
from pathlib import Path
from typing import Any

import librosa
import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from emovox.models.whisper import (
    LONGEST_FRAMES,
    Attention,
    Block,
    WhisperBlocks,
    WhisperLogMel,
    WhisperSizes,
    load_whisper,
    sinusoids,
)
from emovox.schema.errors import AudioError, WeightsError
from tests.sounds import gliding

Matrix = npt.NDArray[np.float64]
State = dict[str, Matrix]

TINY = WhisperSizes(d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=24)

# float32 against float64 on values of size 1
EXACT = 2e-6
# of the log-mel, whose unit is 40 dB: 0.004 dB, in quiet bands float32 sums are that coarse
LOG_MEL = 1e-4
# real weights have outputs of size 10
REAL = 1e-4
# the same graph in ONNX Runtime
RUNTIME = 1e-5


def tiny(n_blocks: int = 2, config: WhisperSizes = TINY) -> WhisperBlocks:
    torch.manual_seed(0)
    encoder = WhisperBlocks(config, n_blocks)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return encoder.eval()


def state_of(module: nn.Module) -> State:
    return {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def gelu(x: Matrix) -> Matrix:
    return np.asarray(0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))


def norm(x: Matrix, state: State, name: str) -> Matrix:
    centred = x - x.mean(-1, keepdims=True)
    standard = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return np.asarray(standard * state[f"{name}.weight"] + state[f"{name}.bias"])


def affine(x: Matrix, state: State, name: str) -> Matrix:
    return np.asarray(x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", np.zeros(1)))


def plain_convolution(x: Matrix, state: State, name: str, stride: int) -> Matrix:
    """[t, c] → [(t - 1) // stride + 1, d], a zero frame on either side."""
    weight, padded = state[f"{name}.weight"], np.pad(x, ((1, 1), (0, 0)))
    rows = [np.einsum("dck,kc->d", weight, padded[start : start + 3]) for start in range(0, len(x), stride)]
    return np.stack(rows) + state[f"{name}.bias"]


def plain_attention(x: Matrix, state: State, heads: int) -> Matrix:
    query, key, value = (affine(x, state, f"{name}_proj") for name in "qkv")
    size = x.shape[1] // heads
    mixed = np.zeros_like(x)
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        for t in range(len(x)):
            scores = np.array([query[t, own] @ key[s, own] / math.sqrt(size) for s in range(len(x))])
            weights = np.exp(scores - scores.max())
            mixed[t, own] = (weights / weights.sum()) @ value[:, own]
    return affine(mixed, state, "out_proj")


def below(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def plain_block(x: Matrix, state: State, heads: int) -> Matrix:
    x = x + plain_attention(norm(x, state, "self_attn_layer_norm"), below(state, "self_attn."), heads)
    return x + affine(gelu(affine(norm(x, state, "final_layer_norm"), state, "fc1")), state, "fc2")


def plain_encoder(log_mel: Matrix, encoder: WhisperBlocks, heads: int) -> list[Matrix]:
    """[80, t] → the outputs [t', d] of all blocks."""
    state = state_of(encoder)
    frames = gelu(plain_convolution(log_mel.T, state, "conv1", 1))
    frames = gelu(plain_convolution(frames, state, "conv2", 2))
    frames = frames + plain_positions(len(frames), frames.shape[1])
    outputs = []
    for number in range(len(encoder.layers)):
        frames = plain_block(frames, below(state, f"layers.{number}."), heads)
        outputs.append(frames)
    return outputs


def plain_positions(length: int, width: int) -> Matrix:
    code = np.zeros((length, width))
    half = width // 2
    for t in range(length):
        for i in range(half):
            phase = t / 10000 ** (i / (half - 1))
            code[t, i], code[t, half + i] = math.sin(phase), math.cos(phase)
    return code


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_position_code_is_sines_then_cosines() -> None:
    code = sinusoids(60, 16)
    np.testing.assert_allclose(code, plain_positions(60, 16), atol=1e-5)
    assert code[0].tolist() == [0.0] * 8 + [1.0] * 8


@torch.no_grad()
def test_attention_is_that_of_the_formula() -> None:
    attention = Attention(12, 3)
    frames = noise(2, 9, 12)
    for row, found in zip(frames, attention(frames), strict=True):
        np.testing.assert_allclose(found, plain_attention(row.double().numpy(), state_of(attention), 3), atol=EXACT)


@torch.no_grad()
@pytest.mark.parametrize("t", [31, 40])
def test_every_block_gives_what_the_formula_gives(t: int) -> None:
    encoder = tiny()
    log_mel = noise(2, 80, t)
    outputs = encoder(log_mel)
    assert [tuple(output.shape) for output in outputs] == [(2, (t + 1) // 2, 16)] * 2
    for row in range(2):
        expected = plain_encoder(log_mel[row].double().numpy(), encoder, 2)
        scale = max(np.abs(one).max() for one in expected)
        for found, one in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(found[row], one, atol=10 * EXACT * scale)


@torch.no_grad()
def test_fewer_blocks_give_the_same_first_outputs() -> None:
    whole, first = tiny(2), WhisperBlocks(TINY, 1)
    first.load_state_dict({name: value for name, value in whole.state_dict().items() if "layers.1" not in name})
    torch.testing.assert_close(first(noise(1, 80, 20))[0], whole(noise(1, 80, 20))[0], atol=0, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("fill", [0.0, 7.0, -300.0])
def test_masked_frames_are_not_attended_to(fill: float) -> None:
    block: Block = tiny().layers[0]  # type: ignore[assignment]
    frames = noise(2, 12, 16)
    mask = torch.arange(12)[None] < torch.tensor([12, 5])[:, None]
    padded = torch.where(mask[:, :, None], frames, fill)
    found = block(padded, mask)
    torch.testing.assert_close(found[0], block(frames[:1])[0], atol=EXACT, rtol=EXACT)
    torch.testing.assert_close(found[1, :5], block(frames[1:, :5])[0], atol=EXACT, rtol=EXACT)
    assert (block(padded)[1, :5] - found[1, :5]).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("n", [4800, 16000, 48123])
def test_log_mel_is_that_of_whisper(n: int) -> None:
    samples = gliding(n)
    magnitude = np.abs(librosa.stft(samples.astype(np.float64), n_fft=400, hop_length=160, pad_mode="reflect"))
    power = librosa.filters.mel(sr=16000, n_fft=400, n_mels=80) @ (magnitude[:, :-1] ** 2)
    expected = np.log10(np.maximum(power, 1e-10))
    expected = (np.maximum(expected, expected.max() - 8) + 4) / 4
    found = WhisperLogMel()(torch.from_numpy(samples)[None])[0].numpy()
    assert found.shape == (80, n // 160)
    np.testing.assert_allclose(found[:, 2:-2], expected[:, 2:-2], atol=LOG_MEL)


@torch.no_grad()
def test_log_mel_of_silence_and_of_a_quieter_copy() -> None:
    log_mel = WhisperLogMel()
    assert log_mel(torch.zeros(1, 4800)).unique().tolist() == pytest.approx([-1.5])
    samples = torch.from_numpy(gliding(16000, seed=1))[None]  # stays above the floor of 1e-10
    torch.testing.assert_close(log_mel(samples / 10), log_mel(samples) - 0.5, atol=LOG_MEL, rtol=0)


@torch.no_grad()
def test_nothing_is_padded_to_30_s() -> None:
    encoder, log_mel = tiny(), WhisperLogMel()
    for n in (4800, 5000, 16000):
        assert encoder(log_mel(torch.zeros(1, n)))[-1].shape[1] == (n // 160 + 1) // 2
    assert encoder(torch.zeros(1, 80, 2 * LONGEST_FRAMES))[-1].shape[1] == LONGEST_FRAMES
    with pytest.raises(AudioError, match=r"got 30\.0 s, expected at most 30 s; cut the recording into pieces"):
        encoder(torch.zeros(1, 80, 2 * LONGEST_FRAMES + 1))


class Whole(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_mel, self.encoder = WhisperLogMel(), tiny()

    def forward(self, samples: Tensor) -> Tensor:
        return torch.stack(self.encoder(self.log_mel(samples)))


@torch.no_grad()
def test_the_graph_gives_the_same_at_any_length() -> None:
    network, graph = Whole().eval(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (0.1 * noise(2, 16000),),
            graph,  # type: ignore[arg-type]  # the tracer takes a file object
            dynamo=False,
            opset_version=17,
            input_names=["samples"],
            dynamic_axes={"samples": {0: "batch", 1: "n"}},
        )
    session = onnxruntime.InferenceSession(graph.getvalue(), providers=["CPUExecutionProvider"])
    for batch, n in ((1, 4800), (3, 16000), (2, 50001)):
        samples = 0.1 * noise(batch, n)
        (found,) = session.run(None, {"samples": samples.numpy()})
        expected = network(samples)
        np.testing.assert_allclose(found, expected, atol=RUNTIME * float(expected.abs().max()))


def write_model(
    folder: Path, config: dict[str, Any] | None = None, *, dtype: torch.dtype = torch.float32
) -> WhisperBlocks:
    """Write the tiny encoder as the hub holds it, and return it as it was written."""
    folder.mkdir(parents=True)
    encoder = tiny().to(dtype)
    tensors = {f"model.encoder.{name}": value.clone() for name, value in encoder.state_dict().items()}
    save_file({**tensors, "model.decoder.embed_tokens.weight": torch.zeros(3, 16)}, folder / "model.safetensors")
    told = {"model_type": "whisper", "torch_dtype": "float16"} | msgspec.to_builtins(TINY) | (config or {})
    (folder / "config.json").write_bytes(msgspec.json.encode(told))
    return encoder.float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_are_read_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    written = write_model(tmp_path / "model", dtype=dtype)
    loaded = load_whisper(tmp_path / "model", 2)
    assert set(loaded.state_dict()) == set(written.state_dict())
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, written.state_dict()[name], atol=0, rtol=0)
    assert len(load_whisper(tmp_path / "model", 1).layers) == 1


@pytest.mark.parametrize(
    ("config", "n_blocks", "message"),
    [
        ({}, 3, "got 3 blocks, expected 1 to 2; name another model"),
        ({}, 0, "got 0 blocks, expected 1 to 2"),
        ({"num_mel_bins": 128}, 1, "reads 128 mel bands, expected 80"),
        ({"encoder_attention_heads": 3}, 1, "has 3 heads for a width of 16, expected a number that divides it"),
        ({"encoder_ffn_dim": 32}, 1, r"model\.encoder\.layers\.0\.fc1\.weight is \[24, 16\], expected \[32, 16\]"),
        ({"encoder_layers": 4}, 4, r"has no tensor model\.encoder\.layers\.2\..* \(30 missing\); name another model"),
        ({"d_model": "wide"}, 1, r"config\.json: not a configuration of WhisperSizes .*\$\.d_model"),
        ({"encoder_layers": 0}, 1, r"config\.json: not a configuration of WhisperSizes .*\$\.encoder_layers"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, config: dict[str, Any], n_blocks: int, message: str) -> None:
    write_model(tmp_path / "model", config)
    with pytest.raises(WeightsError, match=message):
        load_whisper(tmp_path / "model", n_blocks)


@torch.no_grad()
@pytest.mark.corpora
def test_the_real_weights_give_what_the_formula_gives() -> None:
    root = os.environ.get("EMOVOX_WEIGHTS")
    if not root or not Path(root, "whisper-base-encoder").is_dir():
        pytest.skip("EMOVOX_WEIGHTS has no whisper-base-encoder: the real weights are not here")
    encoder = load_whisper("whisper-base-encoder", 2)
    log_mel = WhisperLogMel()(torch.from_numpy(gliding(8000))[None])
    expected = plain_encoder(log_mel[0].double().numpy(), encoder, 8)
    for found, one in zip(encoder(log_mel), expected, strict=True):
        np.testing.assert_allclose(found[0], one, atol=REAL * np.abs(one).max())
