"""Noise that needs no recordings: coloured by formula, and voices made of the clip itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from emovox.audio.types import Samples
from emovox.augment.augment import Augmenter
from emovox.augment.bounds import RATE, power
from emovox.augment.config import Augment, Noise
from emovox.augment.noise import own_babble, random_noise
from emovox.augment.sources import Sources, load_sources, noise_folder
from emovox.schema.errors import RecipeError
from tests.sounds import breathy, hiss

CLIP = breathy(1.0, seed=3) * np.float32(0.2)


def added(config: Noise, seed: int = 0, noises: tuple[Samples, ...] = ()) -> Samples:
    """Return what a noise adds to the clip."""
    return random_noise(CLIP, config, noises=noises, rng=np.random.default_rng(seed)) - CLIP


@pytest.mark.parametrize("share", ["coloured", "babble"])
def test_synthetic_noise_has_the_wanted_level_and_differs_from_draw_to_draw(share: str) -> None:
    config = replace(Noise(probability=1, snr_low=20, snr_high=20), **{share: 1.0})
    first, second = added(config), added(config, seed=1)
    assert 10 * np.log10(power(CLIP) / power(first)) == pytest.approx(20, abs=0.1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5


def test_coloured_noise_ranges_from_white_to_brown() -> None:
    config = Noise(probability=1, coloured=1.0)
    hertz = np.fft.rfftfreq(len(CLIP), 1 / RATE)
    spectra = [np.abs(np.fft.rfft(added(config, seed))) ** 2 for seed in range(20)]
    low = [float(spectrum[hertz < 1000].sum() / spectrum.sum()) for spectrum in spectra]
    assert min(low) < 0.4
    assert max(low) > 0.9


def test_babble_has_the_spectrum_of_the_clip_and_none_of_its_order() -> None:
    babble = own_babble(CLIP, np.random.default_rng(0))
    assert babble.shape == CLIP.shape
    assert abs(np.corrcoef(babble, CLIP)[0, 1]) < 0.2
    silent = np.zeros(100, np.float32)
    assert not own_babble(silent, np.random.default_rng(0)).any()
    assert own_babble(CLIP[:1], np.random.default_rng(0)).shape == (1,)


def test_the_rest_is_from_recordings() -> None:
    config, noise = Noise(probability=1, coloured=0.25, babble=0.25), hiss(1.0)
    likenesses = [
        max(np.abs(np.fft.irfft(np.fft.rfft(added(config, seed, (noise,))) * np.fft.rfft(noise).conj())))
        / (np.linalg.norm(added(config, seed, (noise,))) * np.linalg.norm(noise))
        for seed in range(40)
    ]
    assert 10 < sum(likeness > 0.9 for likeness in likenesses) < 30


def test_no_recordings_are_read_if_all_noise_is_synthetic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EMOVOX_NOISE", raising=False)
    table = Augment(noise=Noise(probability=1, coloured=0.5, babble=0.5))
    assert not load_sources(table).noises
    assert noise_folder(table) is None
    assert len(Augmenter(table, Sources())(CLIP, np.random.default_rng(0))) == len(CLIP)
    part = Augment(noise=Noise(probability=1, coloured=0.5, source=str(tmp_path)))
    assert noise_folder(part) == tmp_path
    with pytest.raises(RecipeError, match="got no noises"):
        Augmenter(part, Sources())


@pytest.mark.parametrize("shares", [{"coloured": -0.1}, {"babble": float("nan")}, {"coloured": 0.6, "babble": 0.6}])
def test_shares_are_within_0_and_1_and_so_is_their_sum(shares: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=r"noise\..*expected 0 .never. to 1"):
        Augmenter(Augment(noise=replace(Noise(), **shares)), Sources())
