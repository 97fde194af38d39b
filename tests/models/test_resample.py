from __future__ import annotations

import numpy as np
import pytest
import soxr
import torch

from emovox.audio.types import Samples
from emovox.models.front_end.resample import Resample

# In the pass band; measured 7e-4 dB.
RIPPLE_DB = 0.005
# Images and aliases, below a tone of the pass band; measured 82 dB.
DOWN_DB = -78.0
RATES = [(16000, 22050), (16000, 24000), (22050, 16000), (16000, 8000)]


def convert(samples: Samples, source: int, target: int) -> Samples:
    return np.asarray(Resample(source, target)(torch.from_numpy(samples)[None])[0].numpy())


def tone(hz: float, n: int, rate: int) -> Samples:
    return np.asarray(np.sin(2 * np.pi * hz * np.arange(n) / rate), np.float32)


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("share", [0.005, 0.2, 0.6, 0.92])
def test_tones_of_the_pass_band_keep_level_and_phase(source: int, target: int, share: float) -> None:
    hz = share * min(source, target) / 2
    found = convert(tone(hz, 20000, source), source, target)
    inside = slice(300, len(found) - 300)
    time = np.arange(len(found))[inside] / target
    basis = np.stack([np.sin(2 * np.pi * hz * time), np.cos(2 * np.pi * hz * time)], 1)
    (sine, cosine), *_ = np.linalg.lstsq(basis, found[inside], rcond=None)
    assert abs(20 * np.log10(np.hypot(sine, cosine))) < RIPPLE_DB
    assert abs(cosine) < 1e-3  # no delay
    rest = found[inside] - basis @ [sine, cosine]
    assert 10 * np.log10(2 * np.mean(rest**2)) < DOWN_DB


@pytest.mark.parametrize(("source", "target"), [(22050, 16000), (16000, 8000)])
def test_what_the_new_rate_cannot_hold_is_gone(source: int, target: int) -> None:
    found = convert(tone(1.09 * target / 2, 20000, source), source, target)[300:-300]
    assert 10 * np.log10(2 * np.mean(found**2)) < DOWN_DB


def test_it_agrees_with_soxr_on_noise_of_the_pass_band() -> None:
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(0, 0.1, 32000))
    spectrum[np.fft.rfftfreq(32000, 1 / 16000) > 7000] = 0
    noise = np.fft.irfft(spectrum).astype(np.float32)
    expected = soxr.resample(noise, 16000, 22050, quality="VHQ")
    found = convert(noise, 16000, 22050)
    assert len(found) == len(expected)
    # measured 4e-5 of the noise's deviation
    assert np.std((found - expected)[300:-300]) < 2e-4 * np.std(noise)


@pytest.mark.parametrize("n", [1, 319, 320, 321, 4800, 48001])
@pytest.mark.parametrize(("source", "target"), RATES)
def test_the_length_is_rounded_up(source: int, target: int, n: int) -> None:
    found = convert(np.ones(n, np.float32), source, target)
    assert len(found) == -(-n * target // source)
    if n > 1000:
        np.testing.assert_allclose(found[300:-300], 1, atol=1e-6)


def test_rows_of_a_batch_do_not_mix() -> None:
    rows = torch.from_numpy(np.stack([tone(300, 3000, 16000), np.zeros(3000, np.float32)]))
    both = Resample(16000, 22050)(rows)
    assert both[1].abs().max() == 0
    torch.testing.assert_close(both[:1], Resample(16000, 22050)(rows[:1]))
