"""The GE2E encoder against a plain LSTM in float64, torch's own of three layers, and librosa's mel."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import librosa
import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from emovox.audio.reader import open_audio
from emovox.audio.types import Samples
from emovox.models.ge2e import Ge2eConfig, Ge2eEncoder, Ge2eLayers, MelPower, load_ge2e
from emovox.models.pooling import mean_deviation
from emovox.models.weights import read_tensors
from emovox.schema.errors import ConfigError, WeightsError
from tests.sounds import gliding

Matrix = npt.NDArray[np.float64]

# float32 against float64 on values below 1
EXACT = 1e-6
# of the loudest band
MEL = 1e-6
# pooled over another number of frames, or in ONNX Runtime
SAME = 1e-5

CONFIGS = {
    "frozen": Ge2eConfig(),
    "first layers only": Ge2eConfig(layers=(1, 2)),
    "attentive": Ge2eConfig(layers=(3,), pooling="attentive", attention=8),
    "last learns": Ge2eConfig(frozen=2, layers=(1, 3)),
    "two learn": Ge2eConfig(frozen=1, layers=(2, 3), pooling="attentive"),
    "all learn": Ge2eConfig(frozen=0, layers=(1, 2, 3)),
}


def write_weights(folder: Path, **other: Tensor) -> nn.LSTM:
    """Write weights of the right shapes as the encoder's file names them, and return them as torch's own LSTM."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    lstm = nn.LSTM(40, 256, 3, batch_first=True)
    tensors = {f"lstm.{name}": value.clone() for name, value in lstm.state_dict().items()}
    save_file({**tensors, "similarity_weight": torch.ones(1), **other}, folder / "model.safetensors")
    return lstm


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.LSTM:
    monkeypatch.setenv("EMOVOX_WEIGHTS", str(tmp_path))
    return write_weights(tmp_path / "ge2e-speaker-encoder")


def build(name: str, seed: int = 1) -> Ge2eEncoder:
    torch.manual_seed(seed)
    return Ge2eEncoder(CONFIGS[name]).eval()


def voices(n: int, batch: int = 2) -> Tensor:
    return torch.from_numpy(np.stack([gliding(n, seed=seed) for seed in range(batch)]))


def sigmoid(x: Matrix) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-x)))


def plain_lstm(frames: Matrix, layer: nn.Module) -> Matrix:
    """[t, c] → [t, width], step by step; gates in torch's order: input, forget, cell, output."""
    from_input, from_state, *biases = (tensor.double().numpy() for tensor in layer.state_dict().values())
    hidden = cell = np.zeros(from_state.shape[1])
    outputs = []
    for frame in frames:
        gates = from_input @ frame + from_state @ hidden + sum(biases)
        enter, forget, new, out = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
        outputs.append(hidden)
    return np.stack(outputs)


@torch.no_grad()
def test_layers_are_plain_lstms_one_upon_the_other() -> None:
    torch.manual_seed(0)
    layers = Ge2eLayers(3, n_inputs=5, width=7)
    frames = torch.randn(2, 11, 5)
    outputs = layers.run(frames, 0, 3)
    for row in range(2):
        expected = frames[row].double().numpy()
        for layer, output in zip(layers, outputs, strict=True):
            expected = plain_lstm(expected, layer)
            np.testing.assert_allclose(output[row], expected, atol=EXACT)
    torch.testing.assert_close(layers.run(outputs[0], 1, 3), outputs[1:], atol=0, rtol=0)


@torch.no_grad()
def test_loaded_layers_are_those_of_one_lstm(weights: nn.LSTM) -> None:
    frames = torch.rand(2, 9, 40)
    torch.testing.assert_close(load_ge2e("ge2e-speaker-encoder").run(frames, 0, 3)[-1], weights(frames)[0])
    assert len(load_ge2e("ge2e-speaker-encoder", 2)) == 2


def librosa_mel(samples: Samples) -> Matrix:
    """As resemblyzer 0.1.4 computes it, but with zeros beyond the ends as librosa >= 0.10 has them, in float64."""
    mel = librosa.feature.melspectrogram(y=samples.astype(np.float64), sr=16000, n_fft=400, hop_length=160, n_mels=40)
    return np.asarray(mel.T)


@pytest.mark.parametrize("n", [4800, 16001])
@pytest.mark.parametrize(("level_db", "raised"), [(-60.0, True), (-35.0, True), (-29.0, False), (-10.0, False)])
def test_mel_power_is_that_of_librosa_and_only_quiet_clips_are_raised(n: int, level_db: float, raised: bool) -> None:
    samples = gliding(n)
    samples *= np.float32(10 ** (level_db / 20)) / np.sqrt(np.mean(np.square(samples)))
    found = MelPower()(torch.from_numpy(samples)[None])[0].numpy()
    expected = librosa_mel(samples) * (10 ** ((-30 - level_db) / 10) if raised else 1)
    assert found.shape == (1 + n // 160, 40)
    np.testing.assert_allclose(found, expected, atol=5 * MEL * expected.max(), rtol=1e-4)


def test_each_clip_has_a_level_of_its_own_and_silence_stays_silent() -> None:
    samples = voices(8000, 3)
    samples[1] /= 1000
    samples[2] = 0
    found = MelPower()(samples)
    torch.testing.assert_close(found[1:2], MelPower()(samples[1:2]))
    assert found[1].max() > 0.01
    assert found[2].abs().max() == 0


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
def test_the_two_halves_give_statistics_of_the_layers(name: str, weights: nn.LSTM) -> None:
    encoder, samples = build(name), voices(9600)
    inputs, statistics = encoder.inputs(samples), encoder(samples)
    assert inputs.shape[2] == encoder.n_inputs
    assert statistics.shape == (2, encoder.n_statistics) == (2, 2 * 256 * len(CONFIGS[name].layers))
    outputs = Ge2eLayers(3)
    for layer, number in zip(outputs, range(3), strict=True):
        own = {name: weights.state_dict()[f"{name[:-1]}{number}"] for name in layer.state_dict()}
        layer.load_state_dict(own)
    frames = outputs.run(MelPower()(samples), 0, 3)
    chosen = torch.cat([frames[layer - 1] for layer in CONFIGS[name].layers], dim=2)
    if CONFIGS[name].pooling == "statistics":
        expected = mean_deviation(chosen[:, :: encoder.step])
        torch.testing.assert_close(statistics, expected, atol=SAME, rtol=SAME)


@torch.no_grad()
@pytest.mark.parametrize("fill", [0.0, 50.0])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_clip_alone_and_in_a_padded_batch_pools_equal(name: str, fill: float, weights: nn.LSTM) -> None:
    encoder = build(name)
    clips = [encoder.inputs(voices(n, 1))[0] for n in (16000, 5000, 9600)]
    lengths = torch.tensor([len(clip) for clip in clips])
    inputs = nn.utils.rnn.pad_sequence(clips, batch_first=True, padding_value=fill)
    batch = encoder.pool(inputs, torch.arange(inputs.shape[1])[None] < lengths[:, None])
    for row, clip in enumerate(clips):
        torch.testing.assert_close(batch[row], encoder.pool(clip[None])[0], atol=SAME, rtol=SAME)


@pytest.mark.parametrize(
    ("name", "given", "n_groups", "frames"),
    [
        ("frozen", 512, 0, 51),
        ("first layers only", 512, 0, 51),
        ("attentive", 256, 1, 51),
        ("last learns", 512, 1, 101),
        ("two learn", 256, 3, 101),
        ("all learn", 40, 3, 101),
    ],
)
def test_what_is_kept_and_what_learns(name: str, given: int, n_groups: int, frames: int, weights: nn.LSTM) -> None:
    encoder = build(name)
    assert tuple(encoder.inputs(voices(16000)).shape) == (2, frames, given)
    groups = encoder.depths()
    assert len(groups) == n_groups
    learning = {id(parameter) for group in groups for parameter in group}
    assert learning == {id(parameter) for parameter in encoder.parameters() if parameter.requires_grad}
    assert encoder.learns == (n_groups > 0)
    assert not encoder.inputs(voices(8000)).requires_grad
    if n_groups:
        encoder(voices(8000)).square().mean().backward()
        assert all(parameter.grad is not None for group in groups for parameter in group)


@torch.no_grad()
def test_half_precision_on_disk_keeps_the_power_of_faint_frames(weights: nn.LSTM) -> None:
    encoder, samples = build("all learn"), voices(16000)
    samples[:, 4000:] /= 3000
    inputs = encoder.inputs(samples)
    stored = inputs.half().float()
    assert (inputs[:, 30:].square() < 6e-8).any()  # less than half precision can tell from 0
    torch.testing.assert_close(stored.square(), inputs.square(), rtol=2e-3, atol=1e-10)
    torch.testing.assert_close(encoder.pool(stored), encoder(samples), atol=1e-3, rtol=1e-3)


def test_layers_above_the_last_pooled_one_are_left_out(weights: nn.LSTM) -> None:
    assert len(build("first layers only").lstm) == 2


def test_the_key_of_the_inputs_follows_the_frozen_weights(weights: nn.LSTM, tmp_path: Path) -> None:
    keys = {name: build(name).inputs_key for name in CONFIGS}
    assert len(set(keys.values())) == len(keys)
    assert keys == {name: build(name, seed=2).inputs_key for name in CONFIGS}
    pooled = msgspec.structs.replace(CONFIGS["frozen"], pooling="attentive")
    assert Ge2eEncoder(pooled).inputs_key == keys["frozen"]
    write_weights(tmp_path / "ge2e-speaker-encoder", **{"lstm.bias_ih_l0": torch.ones(1024)})
    changed = {name for name, key in keys.items() if build(name).inputs_key != key}
    assert changed == set(CONFIGS) - {"all learn"}


@torch.no_grad()
@pytest.mark.parametrize("name", ["frozen", "two learn"])
def test_the_graph_gives_the_same_at_any_length(name: str, weights: nn.LSTM) -> None:
    encoder, graph = build(name), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (voices(16000),),
            graph,  # type: ignore[arg-type]  # the tracer takes a file object
            dynamo=False,
            opset_version=17,
            input_names=["samples"],
            dynamic_axes={"samples": {0: "batch", 1: "n"}},
        )
    session = onnxruntime.InferenceSession(graph.getvalue(), providers=["CPUExecutionProvider"])
    for batch, n in ((1, 4800), (3, 16000), (2, 30001)):
        (found,) = session.run(None, {"samples": voices(n, batch).numpy()})
        np.testing.assert_allclose(found, encoder(voices(n, batch)), atol=SAME)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frozen": 4}, r"ge2e: got frozen = 4, expected 0 \(all learn\) to 3 \(none does\)"),
        ({"frozen": -1}, "ge2e: got frozen = -1"),
        ({"layers": ()}, r"ge2e: got layers = \[\], expected some of 1 to 3, in that order"),
        ({"layers": (3, 2)}, r"got layers = \[3, 2\]"),
        ({"layers": (2, 2)}, r"got layers = \[2, 2\]"),
        ({"layers": (0, 1)}, r"got layers = \[0, 1\]"),
        ({"attention": 0}, "ge2e: got attention = 0, expected at least 1"),
    ],
)
def test_a_configuration_of_what_there_is_not(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        msgspec.structs.replace(Ge2eConfig(), **changes)


def test_a_configuration_has_no_other_keys() -> None:
    assert msgspec.convert({"name": "ge2e", "frozen": 0, "layers": [3]}, Ge2eConfig).layers == (3,)
    with pytest.raises(msgspec.ValidationError, match="unknown field `freeze`"):
        msgspec.convert({"name": "ge2e", "freeze": 0}, Ge2eConfig)


def test_weights_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model\.safetensors in .*; set EMOVOX_WEIGHTS"):
        load_ge2e(tmp_path / "nothing")
    write_weights(tmp_path, **{"lstm.weight_ih_l0": torch.zeros(1024, 80)})
    with pytest.raises(WeightsError, match=r"lstm\.weight_ih_l0 is \[1024, 80\], expected \[1024, 40\]; name another"):
        load_ge2e(tmp_path)
    save_file({"w": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"has no tensor lstm\.bias_hh_l0 \(12 missing\); name another model"):
        load_ge2e(tmp_path)


REAL_SPEAKERS, REAL_CLIPS = ("01", "02", "05", "10", "15", "18"), ("01-01-01", "02-01-02", "04-02-01")


@torch.no_grad()
@pytest.mark.corpora
def test_with_the_real_weights_voices_are_told_apart() -> None:
    if not (os.environ.get("EMOVOX_WEIGHTS") and os.environ.get("EMOVOX_CORPORA")):
        pytest.skip("EMOVOX_WEIGHTS or EMOVOX_CORPORA is not set: the real weights and clips are not here")
    root, source = Path(os.environ["EMOVOX_CORPORA"], "ravdess"), "ge2e-speaker-encoder"
    layers = load_ge2e(source)
    linear = read_tensors(source, {"weight": "linear.weight", "bias": "linear.bias"})
    rows = []
    for speaker in REAL_SPEAKERS:
        for clip in REAL_CLIPS:
            (path,) = (root / f"Actor_{speaker}").glob(f"03-01-{clip}-01-{speaker}.*")
            with open_audio(path, sample_rate=16000) as reader:
                samples = np.concatenate(list(reader.blocks()), axis=1)
            last = layers.run(MelPower()(torch.from_numpy(samples)), 0, 3)[-1]
            # the encoder's own embedding is the last frame's; the mean over the clip's second half spares the pause
            rows.append(torch.relu(nn.functional.linear(last, **linear))[0, 100:].mean(0))
    unit = nn.functional.normalize(torch.stack(rows), dim=1)
    near = unit @ unit.T
    owner = torch.arange(len(rows)) // len(REAL_CLIPS)
    same = (owner[:, None] == owner[None]) & ~torch.eye(len(rows), dtype=torch.bool)
    other = owner[:, None] != owner[None]
    assert near[same].mean() > near[other].mean() + 0.1  # measured: 0.80 and 0.62
    best = near.masked_fill(~(same | other), -1).argmax(1)
    assert (owner[best] == owner).float().mean() >= 0.8  # measured: 0.89; by chance 0.12
