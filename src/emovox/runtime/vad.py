"""Voice activity detection: find the frames with a voice, at any level, and the regions that they form."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from emovox.audio.framing import frame
from emovox.audio.types import Samples
from emovox.runtime.noise_floor import NoiseFloor, Power
from emovox.runtime.periodicity import VOICE_RATE, WINDOW, periodicity
from emovox.runtime.speech_network import UNIT
from emovox.schema.errors import ConfigError

VAD_VERSION = 2
"""Version of the detector. Runs and cards name it, since figures of two detectors are of different tiles.

1 had no network and a `clear_periodicity` of 0.65; cards and runs that name no detector are of 1.
"""

FRAME = 0.02
"""Length of a decision frame in seconds: 80 samples at `VOICE_RATE`."""

SILENT, LOUD, VOICED, CLEAR = 0, 1, 2, 3
"""Decisions on a frame: no sound, some sound (the network decides), possibly a voice (keeps a region open), certainly a
voice (opens a region)."""

Levels = npt.NDArray[np.uint8]
"""Decisions, shape [frames], each `SILENT`, `LOUD`, `VOICED` or `CLEAR`."""

UNIT_FRAMES = round(UNIT / FRAME)
"""Frames per unit: the network is asked once per unit, on a fixed grid from the beginning of the stream."""

_HOP = round(FRAME * VOICE_RATE)
_BATCH = 10  # frames per step, 0.2 s: with half of that, a silent stream takes a third more time
_MARGIN = (WINDOW - _HOP) // 2  # samples of the periodicity window on each side of its frame


class VadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of the voice activity detection; docs/vad.md has the measurements behind the defaults.

    Args:
        above_floor_db: smallest level of a voiced frame above the noise floor in dB, > 0.
        loud_above_floor_db: smallest level of a loud frame above the noise floor in dB, > 0, at most `above_floor_db`;
            the network is asked about loud frames that are not voiced.
        network_threshold: probability above which the network takes 32 ms for speech, in [0, 1]; 1 takes nothing.
        silence_dbfs: lower limit of the noise floor, in dB of the difference signal, <= 0. The default is about the
            last bit of 16, so that a recording of zeros has a floor too.
        floor_window: seconds of the past in the noise floor, >= 0.02; a steady tone is dropped after this time.
        lookahead: seconds of the future in the noise floor, >= 0.02; also the delay of every decision.
        clear_periodicity: periodicity above which a frame is certainly voiced, below 1.
        held_periodicity: periodicity above which a frame keeps an open region open, 0 to `clear_periodicity`.
        onset: seconds of certainly voiced frames in `onset_window` that open a region, >= 0.02; and of loud frames in a
            unit of 0.16 s that the network is asked about.
        onset_window: seconds, >= `onset` and 0.16; the region starts at the first possibly voiced frame in this window,
            or, if the network opens it, at the first loud one.
        hangover: seconds without a voiced frame and without speech for the network that close a region, at least twice
            `padding`.
        padding: seconds added before and after a region, >= 0; they hold the voiceless consonants at its ends.

    Raises:
        ConfigError: a value is out of range.
    """

    above_floor_db: float = 8.0
    loud_above_floor_db: float = 5.0
    network_threshold: float = 0.4
    silence_dbfs: float = -100.0
    floor_window: float = 4.0
    lookahead: float = 0.2
    clear_periodicity: float = 0.7
    held_periodicity: float = 0.4
    onset: float = 0.06
    onset_window: float = 0.32
    hangover: float = 0.4
    padding: float = 0.2

    def __post_init__(self) -> None:
        """Raise an error for values for which regions are not defined."""
        checks = {
            "above_floor_db": self.above_floor_db > 0,
            "loud_above_floor_db": 0 < self.loud_above_floor_db <= self.above_floor_db,
            "network_threshold": 0 <= self.network_threshold <= 1,
            "silence_dbfs": self.silence_dbfs <= 0,
            "floor_window": self.floor_window >= FRAME,
            "lookahead": self.lookahead >= FRAME,
            "held_periodicity": 0 <= self.held_periodicity <= self.clear_periodicity < 1,
            "onset": FRAME <= self.onset <= self.onset_window,
            "onset_window": self.onset_window >= UNIT,
            "padding": 0 <= self.padding <= self.hangover / 2,
        }
        for name, good in checks.items():
            if not good:
                raise ConfigError(f"{name} is {getattr(self, name)}, out of range; see VadConfig")


def frames_of(seconds: float) -> int:
    """Return the number of decision frames of 20 ms in a duration in seconds, at least 1.

    >>> frames_of(0.3)
    15
    """
    return max(1, round(seconds / FRAME))


class Vad:
    """A detector of voiced frames: louder than the noise floor, and periodic.

    It works at 4 kHz on the difference signal, which has no offset and no hum. Both measures are ratios, so the level
    of the recording does not matter. A whisper has no period: it is loud only, and `RegionFinder` asks the network
    about it. The decisions do not depend on the chunking.

    Args:
        config: thresholds and durations.
        sample_rate: sample rate in Hz, a multiple of 4000.

    Raises:
        ConfigError: the sample rate is not a multiple of 4000 Hz.
    """

    def __init__(self, config: VadConfig, *, sample_rate: int = 16000) -> None:
        if sample_rate < VOICE_RATE or sample_rate % VOICE_RATE:
            raise ConfigError(f"sample_rate is {sample_rate}, expected a multiple of {VOICE_RATE} Hz; resample first")
        self.config = config
        self._step = sample_rate // VOICE_RATE
        self._ratio = np.float32(10 ** (config.above_floor_db / 10))
        self._loud_ratio = np.float32(10 ** (config.loud_above_floor_db / 10))
        self._quietest = np.float32(10 ** (config.silence_dbfs / 10))
        self.reset()

    def reset(self) -> None:
        """Discard all audio: the next call starts a new stream."""
        self._pending: Samples = np.zeros(0, np.float32)
        self._previous: Samples | None = None
        self._low: Samples = np.zeros(_MARGIN, np.float32)
        self._floor = NoiseFloor(past=frames_of(self.config.floor_window), ahead=frames_of(self.config.lookahead))

    def feed(self, samples: Samples, *, at_once: bool = False) -> Levels:
        """Take the next samples and return the decisions that are now certain.

        Args:
            samples: [n] float32, any length.
            at_once: whether to decide all possible frames now, instead of every 0.2 s of audio.

        Returns:
            Decisions of shape [frames], uint8, later than the audio by `lookahead` and, unless `at_once`, up to 0.2 s.
        """
        self._pending = np.concatenate([self._pending, samples])
        if not at_once and self._pending.size < _BATCH * _HOP * self._step:
            return np.zeros(0, np.uint8)
        return self._decide(*self._floor.feed(self._take()))

    def flush(self) -> Levels:
        """Return the decisions on the frames that still wait, [frames] uint8; a last piece under 20 ms is dropped."""
        power = self._take()
        self._low = np.concatenate([self._low, np.zeros(_MARGIN, np.float32)])
        decided, waiting = self._floor.feed(power), self._floor.flush()
        return self._decide(np.concatenate([decided[0], waiting[0]]), np.concatenate([decided[1], waiting[1]]))

    def _take(self) -> Power:
        usable = self._pending.size - self._pending.size % (_HOP * self._step)
        low = self._difference(self._pending[:usable])
        self._pending = self._pending[usable:].copy()
        self._low = np.concatenate([self._low, low])
        power: Power = np.square(low).reshape(-1, _HOP).sum(axis=1) / np.float32(_HOP)
        return power

    def _difference(self, samples: Samples) -> Samples:
        # Strided sums of whole frames: every value is the same sum of the same samples for any chunking.
        if not samples.size:
            return samples
        low = samples[:: self._step].copy()
        for offset in range(1, self._step):
            low += samples[offset :: self._step]
        low /= np.float32(self._step)
        before = low[:1] if self._previous is None else self._previous
        self._previous = low[-1:]
        return np.diff(low, prepend=before)

    def _decide(self, power: Power, floor: Power) -> Levels:
        floor = np.maximum(floor, self._quietest)
        levels = (power > floor * self._loud_ratio).astype(np.uint8) * np.uint8(LOUD)
        candidates = np.flatnonzero(power > floor * self._ratio)
        if candidates.size:
            voice = periodicity(frame(self._low, length=WINDOW, hop=_HOP)[candidates])
            levels[candidates[voice > self.config.held_periodicity]] = VOICED
            levels[candidates[voice > self.config.clear_periodicity]] = CLEAR
        self._low = self._low[power.size * _HOP :].copy()
        return levels


class EveryFrame:
    """A detector that takes every frame for a voice, in place of `Vad`.

    Args:
        sample_rate: sample rate in Hz, a multiple of 4000.
    """

    def __init__(self, *, sample_rate: int = 16000) -> None:
        self._length = round(FRAME * sample_rate)
        self.reset()

    def reset(self) -> None:
        """Discard all audio."""
        self._pending = 0

    def feed(self, samples: Samples, *, at_once: bool = False) -> Levels:  # noqa: ARG002
        """Take the next samples [n] float32 and return `CLEAR` for each whole frame, shape [frames], uint8."""
        frames, self._pending = divmod(self._pending + samples.size, self._length)
        return np.full(frames, CLEAR, np.uint8)

    def flush(self) -> Levels:
        """Return no decisions: none wait, and a last piece under 20 ms is dropped."""
        return np.zeros(0, np.uint8)


class Opened(NamedTuple):
    """Start of a region at this frame (20 ms each, counted from the beginning of the stream)."""

    frame: int


class Closed(NamedTuple):
    """End of the open region before this frame (20 ms each, counted from the beginning of the stream)."""

    frame: int


class RegionFinder:
    """A finder of regions in decisions on frames.

    Enough certainly voiced frames open a region, and voiced frames keep it open. Where frames are only loud, the
    network decides, once per unit. A pause as long as the hangover closes the region.

    Args:
        config: durations in seconds; frames of 20 ms count from the beginning of the stream.
        holds_speech: answers whether the unit with this number holds speech; it is asked about a unit whose frames are
            all known, in ascending order. None never finds speech.
    """

    def __init__(self, config: VadConfig, *, holds_speech: Callable[[int], bool] | None = None) -> None:
        self._need = frames_of(config.onset)
        self._hangover = frames_of(config.hangover)
        self._recent: deque[int] = deque(maxlen=frames_of(config.onset_window))
        self._holds_speech = holds_speech or (lambda _: False)
        self._seen = self._loud = 0
        self.is_open = False
        self.reach = 0
        """Frame after the last one with a voice or speech; an open region ends here or later."""

    @property
    def earliest(self) -> int:
        """First frame at which a region can still start; frames have 20 ms."""
        return self._seen - len(self._recent)

    @property
    def unit(self) -> int:
        """Number of the unit (160 ms) of the next frame; `holds_speech` is not asked about earlier ones."""
        return self._seen // UNIT_FRAMES

    def feed(self, levels: Levels) -> list[Opened | Closed]:
        """Take the next decisions and return the starts and ends of regions.

        Args:
            levels: [frames] uint8, one every 20 ms.

        Returns:
            Starts and ends in order.
        """
        return [mark for level in levels.tolist() for mark in self._step(level)]

    def flush(self) -> list[Opened | Closed]:
        """End the frames and return the last starts and ends: of an incomplete unit, and of the open region."""
        opened = self._end_unit(self.unit) if self._seen % UNIT_FRAMES else None
        marks: list[Opened | Closed] = [] if opened is None else [opened]
        if self.is_open:
            self.is_open = False
            marks.append(Closed(self.reach))
        return marks

    def _step(self, level: int) -> list[Opened | Closed]:
        unit, opened = self.unit, None
        self._seen += 1
        self._loud += level >= LOUD
        if not self.is_open:
            opened = self._wait_for_voice(level)
        elif level >= VOICED:
            self.reach = self._seen
        if self.unit > unit:
            opened = self._end_unit(unit) or opened
        marks: list[Opened | Closed] = [] if opened is None else [opened]
        if self.is_open and self._seen - self.reach >= self._hangover:
            self.is_open, self._loud = False, 0  # a new region cannot begin before this frame
            marks.append(Closed(self.reach))
        return marks

    def _wait_for_voice(self, level: int) -> Opened | None:
        self._recent.append(level)
        if level != CLEAR or self._recent.count(CLEAR) < self._need:
            return None
        return self._open(VOICED)

    def _end_unit(self, unit: int) -> Opened | None:
        loud, self._loud = self._loud, 0
        is_known = self.is_open and self.reach > unit * UNIT_FRAMES
        if loud < self._need or is_known or not self._holds_speech(unit):
            return None
        if not self.is_open:
            return self._open(LOUD)
        self.reach = self._seen
        return None

    def _open(self, lowest: int) -> Opened:
        start = self.earliest + next(index for index, recent in enumerate(self._recent) if recent >= lowest)
        self._recent.clear()
        self.is_open = True
        self.reach = self._seen
        return Opened(start)
