from __future__ import annotations

import numpy as np
import pytest
import torch

from emovox.models.front_end.dft import Blocks, PowerSpectrum, Spectrum, block_length

# Float32 against numpy's transform in float64, relative to the largest power; measured 5e-7.
RELATIVE = 3e-6


@pytest.mark.parametrize(
    ("length", "n_fft", "hop"),
    [(512, 512, 160), (1024, 1152, 160), (400, 400, 160), (256, 512, 100), (512, 512, 441), (10, 16, 3), (96, 96, 32)],
)
def test_power_equals_numpys_transform(length: int, n_fft: int, hop: int) -> None:
    rng = np.random.default_rng(length)
    window = rng.uniform(0.1, 1, length)
    samples = rng.normal(size=(2, 5 * length + 7)).astype(np.float32)
    power = PowerSpectrum(window, n_fft=n_fft, hop=hop)
    found = power(Blocks(power.block, length // 2)(torch.from_numpy(samples))).numpy()
    padded = np.pad(samples.astype(float), ((0, 0), (length // 2, length // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, ::hop]
    expected = np.abs(np.fft.rfft(frames * window, n_fft)) ** 2
    assert found.shape == (2, n_fft // 2 + 1, 1 + samples.shape[1] // hop)
    np.testing.assert_allclose(found.transpose(0, 2, 1), expected, rtol=0, atol=RELATIVE * expected.max())


@pytest.mark.parametrize(("length", "n_fft", "hop", "phases"), [(512, 576, 80, 2), (96, 96, 32, 2), (60, 64, 12, 3)])
def test_phases_are_transformed_at_their_own_moments(length: int, n_fft: int, hop: int, phases: int) -> None:
    samples = np.random.default_rng(length).normal(size=phases * 4 * length)
    spectrum = Spectrum(np.ones(length), n_fft=n_fft, hop=hop, phases=phases)
    blocks = Blocks(spectrum.block, 0)(torch.from_numpy(samples.astype(np.float32))[None])
    found = spectrum(blocks)[0].numpy()
    rows = found.shape[2] // 2
    values = (found[:, :, :rows] + 1j * found[:, :, rows:]).reshape(phases, -1, found.shape[-1])
    known = spectrum.bins >= 0
    folded = np.minimum(spectrum.bins, n_fft - spectrum.bins)[known]
    assert sorted(folded) == list(range(n_fft // 2 + 1))
    for phase in range(phases):
        frames = np.lib.stride_tricks.sliding_window_view(samples[phase::phases], length)[::hop]
        turned = np.exp(-2j * np.pi * np.arange(n_fft) * phase / phases / n_fft)
        expected = (np.fft.fft(frames, n_fft) * turned).T[spectrum.bins]
        tolerance = RELATIVE * np.abs(expected).max()
        np.testing.assert_allclose(values[phase][known], expected[known], rtol=0, atol=tolerance)
        assert not values[phase][~known].any()


@pytest.mark.parametrize(
    ("length", "hop", "n_fft"), [(512, 160, 512), (1024, 160, 1152), (512, 441, 512), (400, 160, 400)]
)
def test_blocks_divide_frame_and_hop(length: int, hop: int, n_fft: int) -> None:
    block = block_length(length=length, hop=hop, n_fft=n_fft)
    assert length % block == hop % block == n_fft % (2 * block) == 0


@pytest.mark.parametrize("n", [320, 321, 335, 336, 479, 480])
def test_padding_to_whole_blocks_never_changes_the_number_of_frames(n: int) -> None:
    power = PowerSpectrum(np.ones(512), n_fft=512, hop=160)
    samples = torch.ones(1, n)
    blocks = Blocks(power.block, 256)(samples)
    assert power(blocks).shape[-1] == 1 + n // 160
    assert blocks.sum() == n
