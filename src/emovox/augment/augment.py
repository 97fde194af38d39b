"""Apply all changes of a recipe one after the other, each with its probability."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emovox.audio.types import Samples
from emovox.augment.codec import random_codec
from emovox.augment.config import ORDER, Augment, check
from emovox.augment.filters import random_low_cut, random_slope, random_tilt
from emovox.augment.noise import random_noise
from emovox.augment.room import random_room
from emovox.augment.sources import Sources
from emovox.augment.transforms import random_gain, random_shift, random_speed
from emovox.augment.voice import random_voice
from emovox.schema.errors import RecipeError

Step = Callable[[Samples, np.random.Generator], Samples]
"""A random change: (samples [n], generator) → samples [m], float32."""

_STREAMS = ("speed", "shift", "room", "noise", "tilt", "gain", "codec", "voice", "low_cut", "slope")
"""Changes by the number of their generator. A new one comes last, so copies without it stay the same."""


class Augmenter:
    """Changes clips at random, in the order in which sound travels (`ORDER`).

    Every change has a separate generator. So the probability of one change does not affect the draws of the others, and
    two runs that differ in one change are paired clip by clip. A call takes one number from the generator of the
    caller, whatever the configuration.

    Args:
        config: the table [augment] of a recipe.
        sources: result of `load_sources` for the same table.

    Raises:
        RecipeError: a value is out of range, or the sources lack noises or rooms that the table needs.

    >>> change = Augmenter(Augment(), Sources())
    >>> change(np.zeros(4800, np.float32), np.random.default_rng(0)).shape
    (4800,)
    """

    def __init__(self, config: Augment, sources: Sources) -> None:
        check(config, where="augment")
        _check_sources(config, sources)
        self._chances = {name: getattr(config, name).probability for name in ORDER}
        self._steps = _steps(config, sources)

    def __call__(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Return a clip after random changes.

        Args:
            samples: shape [n], float32 at 16 kHz in [-1, 1], n >= 1; not modified.
            rng: one number is drawn from it; equal states give equal results.

        Returns:
            Shape [m], float32 in [-1, 1]; at least 0.3 s if the clip was that long. The same array without a change.
        """
        key = int(rng.integers(2**63))
        for name, chance in self._chances.items():
            generator = np.random.default_rng([key, _STREAMS.index(name)])
            if generator.random() < chance:
                samples = self._steps[name](samples, generator)
        return samples


def _steps(config: Augment, sources: Sources) -> dict[str, Step]:
    """Return the changes by name."""
    return {
        "speed": lambda samples, rng: random_speed(samples, config.speed, rng),
        "voice": lambda samples, rng: random_voice(samples, config.voice, rng),
        "shift": lambda samples, rng: random_shift(samples, config.shift, rng),
        "room": lambda samples, rng: random_room(
            samples, config.room, measured=sources.measured, simulated=sources.simulated, rng=rng
        ),
        "noise": lambda samples, rng: random_noise(samples, config.noise, noises=sources.noises, rng=rng),
        "low_cut": lambda samples, rng: random_low_cut(samples, config.low_cut, rng),
        "tilt": lambda samples, rng: random_tilt(samples, config.tilt, rng),
        "slope": lambda samples, rng: random_slope(samples, config.slope, rng),
        "gain": lambda samples, rng: random_gain(samples, config.gain, rng),
        "codec": lambda samples, rng: random_codec(samples, config.codec, rng),
    }


def _check_sources(config: Augment, sources: Sources) -> None:
    wanted = {
        "noises": (config.noise.recorded, sources.noises),
        "measured rooms": (config.room.probability * config.room.measured > 0, sources.measured),
        "simulated rooms": (config.room.probability > 0 and config.room.measured < 1, sources.simulated),
    }
    for what, (needed, given) in wanted.items():
        if needed and not given:
            raise RecipeError(f"augment: got no {what}, expected some; load the sources with load_sources(config)")
