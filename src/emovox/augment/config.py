"""The table [augment] of a recipe: probability and range of every change, as frozen typed structures."""

from __future__ import annotations

from math import isfinite
from typing import Literal

import msgspec

from emovox.schema.errors import RecipeError

SHORTEST_DECAY = 0.15
"""Shortest reverberation time in seconds: below it no wall of the largest simulated room absorbs enough (Sabine)."""

CodecKind = Literal["mu-law", "a-law", "band", "mp3", "opus"]
"""Codecs of `Codec`."""


class Speed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Faster or slower playback: tempo, pitch and formants change together.

    `lowest` and `highest` bound the factor, within 0.5 to 2; 1.1 is a tenth faster.
    """

    probability: float = 0.0
    lowest: float = 0.9
    highest: float = 1.1


class Voice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another vocal tract: pitch and formants change together, the tempo stays.

    `lowest` and `highest` bound the factor, within 0.5 to 2; 1.2 is roughly from a man to a woman.
    """

    probability: float = 0.0
    lowest: float = 0.85
    highest: float = 1.18


class Shift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cuts or adds up to `seconds` at each end; added time has the level of the quietest 20 ms of the clip."""

    probability: float = 0.0
    seconds: float = 0.2


class Room(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reverberation.

    With probability `measured` the impulse response is from the folder `source` (empty: $EMOVOX_NOISE/rirs). Otherwise
    it is one of `rooms` simulated boxes, whose sound decays by 60 dB in `shortest` to `longest` seconds.
    """

    probability: float = 0.0
    source: str = ""
    measured: float = 0.0
    rooms: int = 64
    shortest: float = 0.2
    longest: float = 0.6


class Noise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Background noise, `snr_low` to `snr_high` dB below the voice.

    A share `coloured` of it is synthetic, white to brown. A share `babble` is voices, made of the clip itself. The rest
    is from the folder `source` (empty: $EMOVOX_NOISE).
    """

    probability: float = 0.0
    source: str = ""
    snr_low: float = 5.0
    snr_high: float = 30.0
    coloured: float = 0.0
    babble: float = 0.0

    @property
    def synthetic(self) -> float:
        """Return the share that needs no recordings."""
        return self.coloured + self.babble

    @property
    def recorded(self) -> bool:
        """Return whether recordings are needed."""
        return self.probability > 0 and self.synthetic < 1


class Tilt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A brighter or duller microphone: high frequencies raised by `low_db` to `high_db` dB against low ones.

    The pivot is 1 kHz; the level stays.
    """

    probability: float = 0.0
    low_db: float = -6.0
    high_db: float = 6.0


class LowCut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A microphone or a line without low frequencies: they fall off below `lowest` to `highest` Hz.

    The slope is 6, 12, 18 or 24 dB per octave, the limit even in octaves; the level falls with what is removed.
    """

    probability: float = 0.0
    lowest: float = 60.0
    highest: float = 350.0


class Slope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A spectrum that rises or falls over the whole band, by `low_db` to `high_db` dB per octave; the level stays."""

    probability: float = 0.0
    low_db: float = -4.0
    high_db: float = 4.0


class Gain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change of the level by `low_db` to `high_db` dB, limited to full scale."""

    probability: float = 0.0
    low_db: float = -12.0
    high_db: float = 6.0


class Codec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The loss of a telephone line or a file: one of `kinds`, each with the same probability.

    "mu-law" and "a-law" are G.711 at 8 kHz. "band" removes frequencies above a limit of `lowest` to `highest` Hz. "mp3"
    and "opus" encode and decode at about 8 to 25 kbit/s, which takes 15 and 90 ms for 2 s; the others take 1 ms.
    """

    probability: float = 0.0
    kinds: tuple[CodecKind, ...] = ("mu-law", "a-law", "band")
    lowest: float = 3400.0
    highest: float = 8000.0


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All changes, in the order of application: voice, cut, room, background, microphone, level, line."""

    speed: Speed = Speed()
    voice: Voice = Voice()
    shift: Shift = Shift()
    room: Room = Room()
    noise: Noise = Noise()
    low_cut: LowCut = LowCut()
    tilt: Tilt = Tilt()
    slope: Slope = Slope()
    gain: Gain = Gain()
    codec: Codec = Codec()


def rounds(augment: Augment | tuple[Augment, ...]) -> tuple[Augment, ...]:
    """Return the tables by which rounds of copies are changed, in turn."""
    return augment if isinstance(augment, tuple) else (augment,)


ORDER: tuple[str, ...] = Augment.__struct_fields__
"""Names of the changes, in the order of application."""


_LIMITS = (
    ("speed", "lowest", "highest", 0.5, 2),
    ("voice", "lowest", "highest", 0.5, 2),
    ("room", "shortest", "longest", SHORTEST_DECAY, 2),
    ("noise", "snr_low", "snr_high", -60, 120),
    ("low_cut", "lowest", "highest", 20, 1000),
    ("tilt", "low_db", "high_db", -40, 40),
    ("slope", "low_db", "high_db", -12, 12),
    ("gain", "low_db", "high_db", -120, 120),
    ("codec", "lowest", "highest", 500, 8000),
)
"""Change, the keys of its lower and upper end, and the limits of both."""


def problems(config: Augment) -> list[str]:
    """Return one sentence per value that is out of range, with keys such as "room.rooms".

    >>> problems(Augment(speed=Speed(lowest=1.2)))
    ['speed.lowest and speed.highest are 1.2 and 1.1, expected 0.5 <= lowest <= highest <= 2']
    """
    return _probabilities(config) + _ranges(config) + _others(config)


def table_problems(augment: Augment | tuple[Augment, ...]) -> list[str]:
    """Return one sentence per value that is out of range in the tables of a recipe, or that there is no table."""
    if not augment:
        return ["augment has no table, expected at least one"]
    return [f"augment.{problem}" for table in rounds(augment) for problem in problems(table)]


def check(config: Augment, *, where: str) -> None:
    """Raise an error for the first value that is out of range.

    Args:
        config: the table to check.
        where: file or table that it comes from, for the message.

    Raises:
        RecipeError: the first of `problems`.
    """
    for problem in problems(config):
        raise RecipeError(f"{where}: {problem}")


def _probabilities(config: Augment) -> list[str]:
    given = {f"{name}.probability": getattr(config, name).probability for name in ORDER}
    given |= {"room.measured": config.room.measured, "noise.coloured": config.noise.coloured}
    given |= {"noise.babble": config.noise.babble, "noise.coloured + noise.babble": config.noise.synthetic}
    return [
        f"{key} is {value}, expected 0 (never) to 1 (always)" for key, value in given.items() if not 0 <= value <= 1
    ]


def _ranges(config: Augment) -> list[str]:
    given = ((getattr(config, name), name, *limits) for name, *limits in _LIMITS)
    values = (
        (name, first, second, getattr(change, first), getattr(change, second), least, most)
        for change, name, first, second, least, most in given
    )
    return [
        f"{name}.{first} and {name}.{second} are {low} and {high}, expected {least} <= {first} <= {second} <= {most}"
        for name, first, second, low, high, least, most in values
        if not least <= low <= high <= most
    ]


def _others(config: Augment) -> list[str]:
    checks = {
        f"shift.seconds is {config.shift.seconds}, expected 0 or more": isfinite(config.shift.seconds)
        and config.shift.seconds >= 0,
        f"room.rooms is {config.room.rooms}, expected 1 to 1000": 1 <= config.room.rooms <= 1000,
        "codec.kinds is empty, expected some of mu-law, a-law, band, mp3, opus": bool(config.codec.kinds),
    }
    return [message for message, good in checks.items() if not good]
