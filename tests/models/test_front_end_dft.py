from __future__ import annotations

import numpy as np
import pytest
import torch

from emovox.models.front_end.dft import Blocks, PowerSpectrum, block_length

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


def test_packed_rows_carry_each_bin_once() -> None:
    power = PowerSpectrum(np.ones(512), n_fft=512, hop=160)
    assert sorted(power.bins[power.bins >= 0]) == list(range(257))
    blocks = torch.randn(1, power.block, 64, generator=torch.Generator().manual_seed(0))
    assert (power.packed(blocks)[:, torch.from_numpy(power.bins < 0)] == 0).all()


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
