"""Random sounds that are no speech: bursts, calls, beeps, rattles and hums, from a random generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from emovox.audio.types import Samples
from emovox.augment.noise import coloured_noise

SECONDS = 5.0
"""Length of a sound in seconds."""

MOST_HARMONICS = 40

Wave = npt.NDArray[np.float64]


def synthetic_sound(rng: np.random.Generator, *, rate: int) -> Samples:
    """Return one kind of event, repeated at a random pace, over a little noise.

    An event has a pitch that glides, or none, resonances that do not move, and one rise and fall. Speech changes its
    resonances with every sound, so a network learns that pitch and syllables alone are no speech.

    Args:
        rng: draws the sound.
        rate: sample rate in Hz.

    Returns:
        [5 s] float32 in [-1, 1].
    """
    n = round(SECONDS * rate)
    sound = np.zeros(n)
    length, pause = 10 ** rng.uniform(-1.5, 0.3), 10 ** rng.uniform(-1.7, 0.3)
    regular, character = rng.random() < 0.6, int(rng.integers(2**31))
    time = rng.uniform(0, pause)
    while time < SECONDS:
        scale = 1.0 if regular else rng.uniform(0.5, 2.0)
        event = _event(np.random.default_rng(character), length * scale, rate, rng)
        first = round(time * rate)
        sound[first : first + len(event)] += event[: n - first] * rng.uniform(0.6, 1.0)
        time += (length + pause) * (scale if regular else rng.uniform(0.5, 2.0))
    background = coloured_noise(n, rate, rng, exponent=int(rng.integers(0, 3)))
    sound = sound / max(np.abs(sound).max(), 1e-9) + 10 ** (rng.uniform(-70, -20) / 20) * background
    return np.asarray(np.clip(sound * 10 ** (rng.uniform(-30, -1) / 20), -1, 1), np.float32)


def _event(character: np.random.Generator, seconds: float, rate: int, rng: np.random.Generator) -> Wave:
    """Return an event; `character` is the same for all events of a sound, `rng` differs."""
    n = max(16, round(seconds * rate))
    place = np.linspace(0, 1, n)
    source = character.choice(["voiced", "noise", "both"], p=[0.55, 0.2, 0.25])
    wave = np.zeros(n)
    if source != "noise":
        wave += _harmonics(character, place, seconds, rate, rng)
    if source != "voiced":
        noise = rng.standard_normal(n)
        wave += noise * (1.0 if source == "noise" else 10 ** character.uniform(-1.5, 0))
    for _ in range(int(character.integers(0, 5))):
        wave = _resonance(wave, 10 ** character.uniform(2.3, 3.8), character.uniform(0.8, 0.99), rate)
    attack, decay = 10 ** character.uniform(-2.5, -0.2), character.uniform(0.2, 6)
    envelope = np.minimum(place / attack, 1) * np.exp(-decay * place) * np.minimum((1 - place) * 20, 1)
    wave = wave * envelope
    return np.asarray(wave / max(float(np.abs(wave).max()), 1e-9))


def _harmonics(
    character: np.random.Generator, place: Wave, seconds: float, rate: int, rng: np.random.Generator
) -> Wave:
    hertz = 10 ** character.uniform(1.8, 3.4) * 2 ** rng.normal(0, 0.05)
    glide = character.uniform(-1, 1) * place + character.uniform(-0.5, 0.5) * np.sin(np.pi * place)
    vibrato = 10 ** character.uniform(-3, -0.8) * np.sin(2 * np.pi * character.uniform(2, 30) * seconds * place)
    pitch = hertz * 2 ** (glide * character.choice([0, 0.2, 1]) + vibrato * character.choice([0, 1]))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    slope, stretch = character.uniform(0, 2), character.choice([1.0, 1.0, character.uniform(1.0, 1.2)])
    kinds = character.choice(["all", "odd", "one"], p=[0.6, 0.2, 0.2])
    numbers = {"all": range(1, MOST_HARMONICS), "odd": range(1, MOST_HARMONICS, 2), "one": range(1, 2)}[str(kinds)]
    wave = np.zeros(len(place))
    for number in numbers:
        ratio = number**stretch
        wave += np.where(ratio * pitch < 0.45 * rate, number**-slope * np.sin(ratio * phase), 0)
    return wave


def _resonance(wave: Wave, hertz: float, radius: float, rate: int) -> Wave:
    """Return a sound after a resonator of one pair of poles, mixed with the sound itself."""
    angle = 2 * np.pi * hertz / rate
    rung = np.asarray(lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], wave))
    return rung / max(float(np.abs(rung).max()), 1e-9) + 0.3 * wave / max(float(np.abs(wave).max()), 1e-9)
