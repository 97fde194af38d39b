"""Voice activity detection: find the frames with a voice, at any level, and the regions that they form."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from emovox.audio.framing import frame
from emovox.audio.types import Samples
from emovox.runtime.noise_floor import NoiseFloor, Power
from emovox.runtime.periodicity import VOICE_RATE, WINDOW, periodicity
from emovox.schema.errors import ConfigError

FRAME = 0.02
"""Length of a decision frame in seconds: 80 samples at `VOICE_RATE`."""

SILENT, VOICED, CLEAR = 0, 1, 2
"""Decisions on a frame: no voice, possibly a voice (keeps a region open), certainly a voice (opens a region)."""

Levels = npt.NDArray[np.uint8]
"""Decisions, shape [frames], each `SILENT`, `VOICED` or `CLEAR`."""

_HOP = round(FRAME * VOICE_RATE)
_BATCH = 10  # frames per step, 0.2 s: with half of that, a silent stream takes a third more time
_MARGIN = (WINDOW - _HOP) // 2  # samples of the periodicity window on each side of its frame


class VadConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of the voice activity detection; docs/vad.md has the measurements behind the defaults.

    Args:
        above_floor_db: smallest level of a loud frame above the noise floor in dB, > 0.
        silence_dbfs: lower limit of the noise floor, in dB of the difference signal, <= 0. The default is about the
            last bit of 16, so that a recording of zeros has a floor too.
        floor_window: seconds of the past in the noise floor, >= 0.02; a steady tone is dropped after this time.
        lookahead: seconds of the future in the noise floor, >= 0.02; also the delay of every decision.
        clear_periodicity: periodicity above which a frame is certainly voiced, below 1.
        held_periodicity: periodicity above which a frame keeps an open region open, 0 to `clear_periodicity`.
        onset: seconds of certainly voiced frames in `onset_window` that open a region, >= 0.02.
        onset_window: seconds, >= `onset`; the region starts at the first possibly voiced frame in this window.
        hangover: seconds without a voiced frame that close a region, at least twice `padding`.
        padding: seconds added before and after a region, >= 0; they hold the voiceless consonants at its ends.

    Raises:
        ConfigError: a value is out of range.
    """

    above_floor_db: float = 8.0
    silence_dbfs: float = -100.0
    floor_window: float = 4.0
    lookahead: float = 0.2
    clear_periodicity: float = 0.65
    held_periodicity: float = 0.4
    onset: float = 0.06
    onset_window: float = 0.3
    hangover: float = 0.4
    padding: float = 0.2

    def __post_init__(self) -> None:
        """Raise an error for values for which regions are not defined."""
        checks = {
            "above_floor_db": self.above_floor_db > 0,
            "silence_dbfs": self.silence_dbfs <= 0,
            "floor_window": self.floor_window >= FRAME,
            "lookahead": self.lookahead >= FRAME,
            "held_periodicity": 0 <= self.held_periodicity <= self.clear_periodicity < 1,
            "onset": FRAME <= self.onset <= self.onset_window,
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
    of the recording does not matter. A whisper has no period and is not found. The decisions do not depend on the
    chunking.

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
        levels = np.zeros(power.size, np.uint8)
        loud = np.flatnonzero(power > np.maximum(floor, self._quietest) * self._ratio)
        if loud.size:
            voice = periodicity(frame(self._low, length=WINDOW, hop=_HOP)[loud])
            levels[loud] = (voice > self.config.held_periodicity).astype(np.uint8) * VOICED
            levels[loud[voice > self.config.clear_periodicity]] = CLEAR
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
    """A finder of regions: enough certainly voiced frames open one, a pause as long as the hangover closes it.

    Args:
        config: durations in seconds; frames of 20 ms count from the beginning of the stream.
    """

    def __init__(self, config: VadConfig) -> None:
        self._need = frames_of(config.onset)
        self._hangover = frames_of(config.hangover)
        self._recent: deque[int] = deque(maxlen=frames_of(config.onset_window))
        self._seen = 0
        self.is_open = False
        self.reach = 0
        """Frame after the last voiced one; an open region ends here or later."""

    @property
    def earliest(self) -> int:
        """First frame at which a region can still start; frames have 20 ms."""
        return self._seen - len(self._recent)

    def feed(self, levels: Levels) -> list[Opened | Closed]:
        """Take the next decisions and return the starts and ends of regions.

        Args:
            levels: [frames] uint8, one every 20 ms.

        Returns:
            Starts and ends in order.
        """
        marks: list[Opened | Closed] = []
        for level in levels.tolist():
            mark = self._extend_region(level) if self.is_open else self._wait_for_speech(level)
            self._seen += 1
            if mark is not None:
                marks.append(mark)
        return marks

    def _wait_for_speech(self, level: int) -> Opened | None:
        self._recent.append(level)
        if level != CLEAR or self._recent.count(CLEAR) < self._need:
            return None
        start = self._seen + 1 - len(self._recent)
        start += next(index for index, recent in enumerate(self._recent) if recent != SILENT)
        self._recent.clear()
        self.is_open = True
        self.reach = self._seen + 1
        return Opened(start)

    def _extend_region(self, level: int) -> Closed | None:
        if level != SILENT:
            self.reach = self._seen + 1
        elif self._seen + 1 - self.reach >= self._hangover:
            self.is_open = False
            return Closed(self.reach)
        return None
