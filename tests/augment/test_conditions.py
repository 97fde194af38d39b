"""Test conditions: each changes a clip, draws from its generator alone, and has words for tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.augment import conditions
from emovox.augment.conditions import CHANGES, Noisy, check_conditions, fingerprint
from emovox.schema.errors import RecipeError
from emovox.schema.figure import CONDITIONS

RATE = 16000


def voice() -> Samples:
    return np.asarray(0.3 * np.sin(0.2 * np.arange(RATE)), np.float32)


@pytest.fixture(autouse=True)
def noises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two noises where tests look for them."""
    folder = tmp_path / "nonspeech100"
    folder.mkdir()
    for seed in (0, 1):
        soundfile.write(folder / f"{seed}.wav", 0.1 * np.random.default_rng(seed).normal(size=RATE), RATE)
    monkeypatch.setenv("EMOVOX_NOISE", str(tmp_path))
    conditions._noises.cache_clear()
    return folder


def test_every_condition_has_words() -> None:
    assert set(CHANGES) < set(CONDITIONS)


@pytest.mark.parametrize("name", CHANGES)
def test_a_condition_changes_a_clip_and_follows_from_the_seed(name: str) -> None:
    found = [CHANGES[name](voice(), RATE, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape == voice().shape
    assert found[0].dtype == np.float32
    assert np.abs(found[0] - voice()).max() > 1e-4


def test_noise_lies_where_the_condition_says() -> None:
    for snr in (20.0, 10.0):
        noise = Noisy(snr)(voice(), RATE, np.random.default_rng(0)) - voice()
        assert 10 * np.log10(np.square(voice()).mean() / np.square(noise).mean()) == pytest.approx(snr, abs=0.1)


def test_other_noises_are_another_condition(noises: Path) -> None:
    before = fingerprint("noise-10")
    assert fingerprint("narrow") == ""
    (noises / "1.wav").unlink()
    conditions._noises.cache_clear()
    assert fingerprint("noise-10") != before


def test_unknown_conditions_and_familiar_noises_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_conditions(("phone", "noise-10"), learnt=tmp_path / "esc10")
    with pytest.raises(RecipeError, match="conditions has 'mars', expected some of narrow, phone, "):
        check_conditions(("mars",), learnt=None)
    with pytest.raises(RecipeError, match=r"'noise-10', whose noises are in .*nonspeech100, and training uses"):
        check_conditions(("noise-10",), learnt=tmp_path)
    monkeypatch.delenv("EMOVOX_NOISE")
    with pytest.raises(RecipeError, match=r"the noises are in \$EMOVOX_NOISE/nonspeech100; set the variable"):
        check_conditions(("noise-10",), learnt=None)
