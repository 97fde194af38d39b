from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from emovox.models.head import Head, HeadConfig
from emovox.models.network import Network, count_parameters
from emovox.models.reference_hybrid import ReferenceCepstra, ReferenceHybridConfig, ReferenceHybridEncoder
from tests.sounds import gliding

HEAD = HeadConfig(hidden=256, dropout_in=0, plain=True)


@pytest.fixture
def encoder() -> ReferenceHybridEncoder:
    torch.manual_seed(0)
    return ReferenceHybridEncoder(ReferenceHybridConfig()).eval()


@pytest.mark.parametrize("n", [4800, 47360, 60001])
def test_cepstra_are_those_of_librosa(n: int) -> None:
    front_end = ReferenceCepstra()
    samples = torch.from_numpy(gliding(n))[None]
    resampled = front_end.resample(samples)[0].numpy()
    mfcc = librosa.feature.mfcc(y=resampled, sr=22050, n_mfcc=13)
    expected = np.concatenate([mfcc, *(librosa.feature.delta(mfcc, order=order) for order in (1, 2))])
    # float32 sums in another order, under a logarithm
    np.testing.assert_allclose(front_end.cepstra(samples)[0], expected, atol=0.02)


def test_parameters_are_counted_by_hand(encoder: ReferenceHybridEncoder) -> None:
    convolutions = 39 * 64 * 3 + 64 + 64 * 128 * 3 + 128
    lstms = 4 * 128 * (39 + 128 + 2) + 4 * 64 * (128 + 64 + 2)
    dense = (30 * 128 + 64) * 256 + 256 + 256 * 8 + 8
    assert count_parameters(Network(encoder, Head(3904, 8, HEAD))) == convolutions + lstms + dense == 1_170_184


def by_hand(encoder: ReferenceHybridEncoder, frames: Tensor) -> Tensor:
    """The statistics of [128, 39], in numpy but for the LSTM, which goes step by step."""
    local = frames.T.numpy()
    for layer in (encoder.first, encoder.second):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()  # type: ignore[union-attr]
        steps = local.shape[1] - 2
        local = np.stack([np.tensordot(weight, local[:, t : t + 3], 2) + bias for t in range(steps)], 1)
        local = np.maximum(local, 0)[:, : steps // 2 * 2].reshape(len(weight), -1, 2).max(2)
    states = frames[None]
    for lstm in (encoder.lstm_first, encoder.lstm_second):
        memory, outputs = None, []
        for step in range(states.shape[1]):
            output, memory = lstm(states[:, step : step + 1], memory)
            outputs.append(output)
        states = torch.cat(outputs, 1)
    return torch.cat([torch.from_numpy(local.reshape(-1)), states[0, -1]])


def test_the_network_is_the_one_described(encoder: ReferenceHybridEncoder) -> None:
    frames = torch.randn(128, 39)
    with torch.no_grad():
        torch.testing.assert_close(encoder.pool(frames[None])[0], by_hand(encoder, frames), atol=1e-5, rtol=1e-5)


def test_clips_are_cropped_or_repeated(encoder: ReferenceHybridEncoder) -> None:
    frames = torch.arange(300.0)[None, :, None].expand(2, -1, 39)
    assert encoder.fit(frames)[0, :, 0].tolist() == list(range(128))
    assert encoder.fit(frames[:, :50])[0, :, 0].tolist() == [*range(50), *range(50), *range(28)]
    mask = torch.arange(300)[None] < torch.tensor([200, 100])[:, None]
    assert encoder.fit(frames, mask)[:, :, 5].tolist() == [[*range(128)], [*range(100), *range(28)]]


def test_its_head_is_plain() -> None:
    head = Head(6, 3, HEAD).train()
    kinds = [type(layer).__name__ for layer in head.hidden]
    assert kinds == ["Dropout", "Linear", "ReLU"]
    statistics = 100 + torch.randn(8, 6)
    with torch.no_grad():
        head(statistics)
        head.eval()
        # nothing is taken off but what somebody sets
        torch.testing.assert_close(head.embed(statistics), torch.relu(head.hidden[1](statistics)), atol=1e-2, rtol=1e-4)
        torch.testing.assert_close(head(statistics)["logits"], head.classify(head.embed(statistics)))
    assert torch.equal(head.mean, torch.zeros(6))
    torch.testing.assert_close(head.scale, torch.ones(6), atol=1e-5, rtol=0)


def test_a_plain_head_takes_a_speaker_in_place_of_nothing() -> None:
    head = Head(6, 3, HEAD).eval()
    statistics = torch.randn(8, 6)
    mean, scale = torch.randn(6), torch.rand(6) + 1
    with torch.no_grad():
        expected = head.embed((statistics - mean) / scale)
        torch.testing.assert_close(head.embed(statistics, mean, scale), expected, atol=1e-4, rtol=1e-4)
