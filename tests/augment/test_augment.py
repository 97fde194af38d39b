"""The whole chain: always the same from the same seed, switches independent of each other, nothing breaks it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.augment.augment import Augmenter
from emovox.augment.config import (
    ORDER,
    Augment,
    Codec,
    Gain,
    LowCut,
    Noise,
    Room,
    Shift,
    Slope,
    Speed,
    Tilt,
    Voice,
    problems,
)
from emovox.augment.filters import random_slope, random_tilt
from emovox.augment.noise import at_snr
from emovox.augment.room import simulate_rooms
from emovox.augment.sources import Sources
from emovox.augment.transforms import random_gain
from emovox.schema.config import convert
from emovox.schema.errors import RecipeError
from tests.sounds import breathy, hiss

SHORTEST = 4800
KINDS = {
    "speed": Speed,
    "voice": Voice,
    "shift": Shift,
    "room": Room,
    "noise": Noise,
    "low_cut": LowCut,
    "tilt": Tilt,
    "slope": Slope,
    "gain": Gain,
    "codec": Codec,
}


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources(
        noises=(hiss(0.1), hiss(3.0, seed=2), breathy(1.0, seed=5)),
        simulated=simulate_rooms(2, shortest=0.2, longest=0.4),
    )


def switched(*names: str, probability: float = 1.0) -> Augment:
    return convert({name: {"probability": probability} for name in names}, Augment, where="test")


def changed(config: Augment, sources: Sources, samples: Samples, seed: int = 0) -> Samples:
    return Augmenter(config, sources)(samples, np.random.default_rng(seed))


def test_off_is_the_default(sources: Sources) -> None:
    samples = breathy()
    assert changed(Augment(), Sources(), samples) is samples
    assert set(ORDER) == set(KINDS)


def test_every_switch_does_something(sources: Sources) -> None:
    samples = breathy()
    made = {name: changed(switched(name), sources, samples) for name in ORDER}
    assert all(one.shape != samples.shape or np.abs(one - samples).max() > 1e-3 for one in made.values())
    assert len({one.tobytes() for one in made.values()}) == len(ORDER)


def test_the_same_seed_gives_the_same_and_others_give_others(sources: Sources) -> None:
    config = switched(*ORDER, probability=0.7)
    first = [changed(config, sources, breathy(), seed).tobytes() for seed in range(8)]
    assert first == [changed(config, sources, breathy(), seed).tobytes() for seed in range(8)]
    assert len(set(first)) == 8


@pytest.mark.parametrize(
    ("name", "stream", "alone"),
    [
        ("gain", 5, lambda rng: random_gain(breathy(), Gain(), rng)),
        ("tilt", 4, lambda rng: random_tilt(breathy(), Tilt(), rng)),
        ("slope", 9, lambda rng: random_slope(breathy(), Slope(), rng)),
    ],
)
def test_a_change_keeps_its_generator_when_others_are_added(
    name: str, stream: int, alone: Callable[[np.random.Generator], Samples], sources: Sources
) -> None:
    """Caches of copies hold for recipes without the new changes, so a draw depends on the number of the stream only."""
    rng = np.random.default_rng([int(np.random.default_rng(0).integers(2**63)), stream])
    rng.random()  # whether it is changed
    np.testing.assert_array_equal(changed(switched(name), sources, breathy()), alone(rng))


def test_a_generator_restored_from_its_state_goes_on_alike(sources: Sources) -> None:
    """Training that is resumed keeps the state of its generator, and nothing else of it."""
    change, rng = Augmenter(switched(*ORDER), sources), np.random.default_rng(0)
    change(breathy(), rng)
    restored = np.random.default_rng(99)
    restored.bit_generator.state = rng.bit_generator.state
    np.testing.assert_array_equal(change(breathy(), rng), change(breathy(), restored))


@pytest.mark.parametrize("other", [name for name in ORDER if name != "noise"])
def test_a_switch_does_not_change_the_draws_of_another(other: str, sources: Sources, monkeypatch: Any) -> None:
    seen: list[tuple[float, float]] = []

    def spy(samples: Samples, noise: Samples, snr_db: float) -> Samples:
        seen.append((snr_db, float(noise[0])))
        return at_snr(samples, noise, snr_db)

    monkeypatch.setattr("emovox.augment.noise.at_snr", spy)
    for names in (("noise",), ("noise", other)):
        change, rng = Augmenter(switched(*names, probability=0.5), sources), np.random.default_rng(1)
        for _ in range(40):
            change(breathy(0.3), rng)
    half = len(seen) // 2
    assert 10 < half < 30
    assert seen[:half] == seen[half:]


def test_a_higher_probability_changes_more_clips_and_the_others_alike(sources: Sources) -> None:
    def run(probability: float) -> list[Samples]:
        change, rng = Augmenter(switched("gain", probability=probability), sources), np.random.default_rng(3)
        return [change(breathy(0.3), rng) for _ in range(60)]

    rare, often = run(0.3), run(0.6)
    touched = [index for index, one in enumerate(rare) if not np.array_equal(one, breathy(0.3))]
    assert 8 < len(touched) < 30
    assert all(np.array_equal(rare[index], often[index]) for index in touched)
    assert sum(not np.array_equal(one, breathy(0.3)) for one in often) > len(touched)


HOSTILE = {
    "silence": np.zeros(32000, np.float32),
    "shortest": breathy(0.3),
    "shorter": breathy(0.05),
    "one sample": np.array([0.5], np.float32),
    "full scale": np.sign(breathy()).astype(np.float32),
    "faint": breathy(level=1e-7),
    "long": breathy(30.0),
    "offset": np.full(8000, 0.9, np.float32),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_breaks_it(name: str, sources: Sources) -> None:
    samples = HOSTILE[name]
    samples.setflags(write=False)
    config = msgspec.structs.replace(
        switched(*ORDER, probability=0.8),
        codec=Codec(probability=1, kinds=("mu-law", "a-law", "band", "mp3")),
        noise=Noise(probability=1, snr_low=-20, snr_high=0),
    )
    change = Augmenter(config, sources)
    for seed in range(3 if name == "long" else 12):
        made = change(samples, np.random.default_rng(seed))
        assert made.dtype == np.float32
        assert made.ndim == 1
        assert np.isfinite(made).all()
        assert np.abs(made).max() <= 1
        assert len(made) >= min(SHORTEST, len(samples))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"noise": {"probability": 1.5}}, r"noise\.probability is 1\.5, expected 0 \(never\) to 1"),
    ({"gain": {"probability": float("nan")}}, r"gain\.probability is nan"),
    ({"room": {"measured": -0.1}}, r"room\.measured is -0\.1"),
    ({"speed": {"lowest": 0.1}}, r"speed\.lowest and speed\.highest are 0\.1 and 1\.1, expected 0\.5 <="),
    ({"noise": {"snr_low": 40.0}}, r"noise\.snr_low and noise\.snr_high are 40\.0 and 30"),
    ({"room": {"shortest": 0.05}}, r"room\.shortest .* expected 0\.15 <="),
    ({"tilt": {"high_db": float("inf")}}, r"tilt\.high_db"),
    ({"gain": {"low_db": 7.0}}, r"gain\.low_db"),
    ({"codec": {"highest": 9000.0}}, r"codec\.highest .* <= 8000"),
    ({"codec": {"kinds": []}}, r"codec\.kinds is empty"),
    ({"shift": {"seconds": -1.0}}, r"shift\.seconds is -1\.0, expected 0 or more"),
    ({"room": {"rooms": 0}}, r"room\.rooms is 0, expected 1 to 1000"),
]


@pytest.mark.parametrize(("table", "message"), BAD)
def test_values_out_of_range_are_errors(table: dict[str, Any], message: str) -> None:
    config = convert(table, Augment, where="test")
    assert len(problems(config)) == 1
    with pytest.raises(RecipeError, match=message):
        Augmenter(config, Sources())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"echo": {}}, "unknown field `echo`"),
        ({"noise": {"snr": 5}}, r"unknown field `snr` - at `\$\.noise`"),
        ({"codec": {"kinds": ["gsm"]}}, r"Invalid enum value 'gsm' - at `\$\.codec\.kinds"),
        ({"gain": {"low_db": "loud"}}, r"Expected `float`, got `str` - at `\$\.gain\.low_db`"),
    ],
)
def test_unknown_keys_and_wrong_types_are_errors(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        convert(table, Augment, where="recipe.toml")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"noise": {"probability": 0.1}}, "got no noises, expected some; load the sources"),
        ({"room": {"probability": 0.1}}, "got no simulated rooms"),
        ({"room": {"probability": 0.1, "measured": 1.0}}, "got no measured rooms"),
    ],
)
def test_missing_sources_are_errors(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Augmenter(convert(table, Augment, where="test"), Sources())


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys; import emovox.augment.augment, emovox.augment.sources; "
        "sys.exit(', '.join({'librosa', 'numba', 'torch', 'pyroomacoustics', 'sklearn'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
