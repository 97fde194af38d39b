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
    time = np.arange(RATE)
    return np.asarray(0.3 * np.sin(0.2 * time) * (0.6 - 0.4 * np.cos(1e-3 * time)), np.float32)


@pytest.fixture(autouse=True)
def noises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Noises, voices, music and a room where tests look for them."""
    folder = tmp_path / "nonspeech100"
    places = ["esc10/006 - Person sneeze", "music/fma", "rirs/hall", "voices/ann"]
    for place in (folder, *(tmp_path / name for name in places)):
        place.mkdir(parents=True)
        for number in (20, 60, 71, 84):
            soundfile.write(place / f"n{number}.wav", 0.1 * np.random.default_rng(number).normal(size=RATE), RATE)
    monkeypatch.setenv("EMOVOX_NOISE", str(tmp_path))
    monkeypatch.setenv("EMOVOX_CORPORA", str(tmp_path / "voices"))
    for read in (conditions._noises, conditions._sounds, conditions._responses):
        read.cache_clear()
    return folder


def test_every_condition_has_words() -> None:
    assert set(CHANGES) < set(CONDITIONS)


@pytest.mark.parametrize("name", CHANGES)
def test_a_condition_changes_a_clip_and_follows_from_the_seed(name: str) -> None:
    found = [CHANGES[name](voice(), RATE, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].dtype == np.float32
    assert np.abs(found[0]).max() <= 1
    if "-before-" in name or "-after-" in name:
        n = int(name.rsplit("-", 1)[1])
        assert len(found[0]) == RATE + (n if name.startswith("pad") else -n)
    else:
        assert found[0].shape == voice().shape
        assert np.abs(found[0] - voice()).max() > 1e-4


def test_noise_lies_where_the_condition_says() -> None:
    for snr in (20.0, 10.0):
        noise = Noisy(snr)(voice(), RATE, np.random.default_rng(0)) - voice()
        assert 10 * np.log10(np.square(voice()).mean() / np.square(noise).mean()) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize(("name", "snr"), [("white-20", 20), ("pink-10", 10), ("tone-40", 40), ("babble-20", 20)])
def test_added_sounds_lie_where_the_name_says(name: str, snr: float) -> None:
    added = CHANGES[name](voice(), RATE, np.random.default_rng(0)) - voice()
    assert 10 * np.log10(np.square(voice()).mean() / np.square(added).mean()) == pytest.approx(snr, abs=0.1)


def level_db(samples: Samples, hertz: float) -> float:
    """Return the level of the half octave around a frequency."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    near = np.abs(np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 1) / hertz)) < 0.25
    return float(10 * np.log10(spectrum[near].sum()))


def changed_db(name: str, hertz: float) -> float:
    """Return by how many dB a condition raises white noise around a frequency."""
    noise = np.asarray(0.05 * np.random.default_rng(1).normal(size=2 * RATE), np.float32)
    return level_db(CHANGES[name](noise, RATE, np.random.default_rng(0)), hertz) - level_db(noise, hertz)


def test_filters_tilts_lines_and_levels_do_what_their_words_say() -> None:
    assert changed_db("tilt-up", 4000) - changed_db("tilt-up", 1000) == pytest.approx(6, abs=0.3)
    assert changed_db("tilt-down", 4000) - changed_db("tilt-down", 1000) == pytest.approx(-6, abs=0.3)
    assert changed_db("highpass-300", 60) < -20 < -1 < changed_db("highpass-300", 1000)
    assert changed_db("lowpass-6500", 1000) == pytest.approx(0, abs=0.2)
    assert max(changed_db(name, hertz) for name in ("phone-band", "phone-low") for hertz in (80, 7000)) < -8
    assert changed_db("gain-down-12", 1000) == pytest.approx(-12, abs=0.1)
    loud = CHANGES["clip-20"](voice(), RATE, np.random.default_rng(0))
    assert np.mean(loud >= loud.max()) + np.mean(loud <= loud.min()) == pytest.approx(0.2, abs=0.02)


def test_only_the_files_of_a_kind_are_taken(noises: Path) -> None:
    machines = CHANGES["machine-20"]
    assert isinstance(machines, Noisy)
    assert len(machines.recordings.samples) == 1
    (noises / "n20.wav").unlink()
    conditions._sounds.cache_clear()
    with pytest.raises(RecipeError, match=r"got no sounds called n1\[89\]"):
        machines.recordings  # noqa: B018


def test_other_noises_are_another_condition(noises: Path) -> None:
    before = fingerprint("noise-10")
    assert fingerprint("narrow") == ""
    (noises / "n20.wav").unlink()
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
