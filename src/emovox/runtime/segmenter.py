"""From a stream of samples to speech regions and the tiles they are cut into."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from emovox.audio.types import Samples
from emovox.runtime.pcm_buffer import PcmBuffer
from emovox.runtime.tiles import Tile, count_windows, extend, split_region
from emovox.runtime.vad import FRAME, EveryFrame, Levels, Opened, RegionFinder, Vad, VadConfig
from emovox.schema.errors import ConfigError

_BLOCK = 3.0  # s; longer calls are worked off in pieces, so that they need no more memory; 1 s takes half as long again


class SegmenterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a stream is cut; durations in seconds.

    Args:
        sample_rate: Hz, a multiple of 4000.
        window: length of a tile (from the model's card).
        shortest: recordings shorter than this give nothing.
        rounding: the audio handed to a model is a multiple of this long; also the most that is taken in around a tile.
        vad: voice activity.

    Raises:
        ConfigError: a value out of range.
    """

    sample_rate: int = 16000
    window: float = 3.0
    shortest: float = 0.3
    rounding: float = 0.5
    vad: VadConfig = VadConfig()

    def __post_init__(self) -> None:
        """Reject values for which tiles are not defined."""
        for name, good in {
            "window": self.window >= 0.1,
            "shortest": self.shortest >= 0,
            "rounding": self.rounding >= 0.01,
        }.items():
            if not good:
                raise ConfigError(f"{name} is {getattr(self, name)}, out of range; see SegmenterConfig")


@dataclass(frozen=True, slots=True)
class RegionStarted:
    """Speech region number `region` (from 0) begins at `start`, in samples from the beginning of the stream."""

    region: int
    start: int


@dataclass(frozen=True, slots=True)
class RegionEnded:
    """Speech region number `region` is over: samples [start, end); all its tiles have been given."""

    region: int
    start: int
    end: int


@dataclass(frozen=True, eq=False, slots=True)
class Preview:
    """The latest audio of a region that is still open, for a look before its tiles are certain.

    Attributes:
        start: first sample, counted from the beginning of the stream.
        end: sample after the last one: a multiple of the hop, and where the stream is.
        samples: [end - start] float32, a window at most; near the beginning of a region what it has so far, with the
            audio before it up to the next half second.
        region: number of the region, from 0.
    """

    start: int
    end: int
    samples: Samples
    region: int


@dataclass(frozen=True, slots=True)
class _Span:
    region: int
    start: int
    end: int


SegmenterEvent = RegionStarted | Tile | Preview | RegionEnded


class Segmenter:
    """Turn samples into speech regions and tiles; the same for any cutting of the audio into calls.

    State is bounded: about one and a half windows of audio while somebody speaks, a second and a half else, and up to
    three seconds more for calls as long.

    Args:
        config: durations and voice activity: what a model was trained on.
        hop: seconds between two previews while a region is open, a multiple of 20 ms; None for no previews.
        speech_only: False takes everything for speech: one region from the first sample to the last.

    Raises:
        ConfigError: a sample rate that voice activity cannot work at, or a hop that is no multiple of 20 ms.
    """

    def __init__(
        self, config: SegmenterConfig | None = None, *, hop: float | None = None, speech_only: bool = True
    ) -> None:
        self.config = config = config or SegmenterConfig()
        rate = config.sample_rate
        self._preview_hop = None if hop is None else _whole_frames(hop) * round(FRAME * rate)
        self._hop, self._block = round(FRAME * rate), round(_BLOCK * rate)
        self._window, self._shortest = round(config.window * rate), round(config.shortest * rate)
        self._rounding, self._padding = round(config.rounding * rate), round(config.vad.padding * rate)
        self._vad = Vad(config.vad, sample_rate=rate) if speech_only else EveryFrame(sample_rate=rate)
        self.reset()

    def reset(self) -> None:
        """Forget all audio: the next call begins a new stream, regions count from 0 again."""
        self._vad.reset()
        self._finder = RegionFinder(self.config.vad)
        self._audio = PcmBuffer(slack=self.config.sample_rate // 2)
        self._queue: deque[RegionStarted | _Span | RegionEnded] = deque()
        self._region = -1
        self._region_start = self._tile_start = 0

    @property
    def nbytes(self) -> int:
        """Memory held for audio, in bytes."""
        return self._audio.nbytes

    def feed(self, samples: Samples) -> list[SegmenterEvent]:
        """Take the next samples.

        Args:
            samples: [n] float32 at `sample_rate`, any length, finite.

        Returns:
            What is now certain, in order of time; a region's tiles come between its `RegionStarted` and `RegionEnded`.
            A tile comes as soon as it is certain that its region goes on for half a window more, or has ended.
        """
        events: list[SegmenterEvent] = []
        for block in self._blocks(samples):
            self._audio.append(block)
            at_hop = self._preview_hop is not None and self._audio.end % self._preview_hop == 0
            self._advance(self._vad.feed(block, at_once=at_hop))
            events += self._release()
            if at_hop and self._finder.is_open:
                events += self._preview()
            self._audio.forget(self._oldest_needed())
        return events

    def flush(self) -> list[SegmenterEvent]:
        """Give the rest: the audio is over. Afterwards the segmenter is as new.

        Returns:
            As `feed`; nothing at all if the recording is shorter than `shortest`.
        """
        self._advance(self._vad.flush())
        if self._finder.is_open:
            self._close(self._finder.reach)
        total = self._audio.end
        events = self._release(total=total) if total >= self._shortest else []
        self.reset()
        return events

    def _blocks(self, samples: Samples) -> Iterator[Samples]:
        """Cut a call where a hop ends, so that a preview knows what is decided there, however the audio comes."""
        first = 0
        while first < samples.size:
            last = first + min(self._block, self._to_next_hop() or self._block)
            yield samples[first:last]
            first = last

    def _to_next_hop(self) -> int | None:
        return None if self._preview_hop is None else self._preview_hop - self._audio.end % self._preview_hop

    def _preview(self) -> list[SegmenterEvent]:
        end = self._audio.end
        region = -(-(end - self._region_start) // self._rounding) * self._rounding
        length = min(end, self._window, region)
        if length < self._shortest:
            return []
        return [Preview(end - length, end, self._audio.cut(end - length, end), self._region)]

    def _advance(self, levels: Levels) -> None:
        for mark in self._finder.feed(levels):
            if isinstance(mark, Opened):
                self._open(mark.frame)
            else:
                self._close(mark.frame)
        if self._finder.is_open:
            certain = min(self._audio.end, self._finder.reach * self._hop + self._padding) - self._tile_start
            for _ in range(count_windows(certain, window=self._window) - 1):
                self._plan(self._tile_start, self._tile_start + self._window)

    def _open(self, frame: int) -> None:
        self._region += 1
        self._region_start = self._tile_start = max(0, frame * self._hop - self._padding)
        self._queue.append(RegionStarted(self._region, self._region_start))

    def _close(self, frame: int) -> None:
        end = min(self._audio.end, frame * self._hop + self._padding)
        for start, stop in split_region(self._tile_start, end, window=self._window):
            self._plan(start, stop)
        self._queue.append(RegionEnded(self._region, self._region_start, end))

    def _plan(self, start: int, end: int) -> None:
        self._queue.append(_Span(self._region, start, end))
        self._tile_start = end

    def _release(self, *, total: int | None = None) -> list[SegmenterEvent]:
        events: list[SegmenterEvent] = []
        while self._queue and self._audio.end >= self._shortest:
            item = self._queue[0]
            if isinstance(item, _Span):
                start, end = extend(item.start, item.end, step=self._rounding, total=total)
                if end > self._audio.end:
                    break
                events.append(Tile(item.start, item.end, self._audio.cut(start, end), item.region))
            else:
                events.append(item)
            self._queue.popleft()
        return events

    def _oldest_needed(self) -> int:
        planned = [item.start for item in self._queue if isinstance(item, _Span)]
        coming = self._tile_start if self._finder.is_open else self._finder.earliest * self._hop - self._padding
        oldest = min([coming, *planned]) - self._rounding
        if self._preview_hop is not None and self._finder.is_open:
            # the next preview hears a window that ends a hop from now at most
            return min(oldest, self._audio.end - self._window)
        return oldest


def _whole_frames(hop: float) -> int:
    frames = round(hop / FRAME) if 0 < hop < math.inf else 0
    if frames < 1 or abs(frames * FRAME - hop) > FRAME / 100:
        raise ConfigError(f"hop is {hop} s, expected a multiple of {FRAME} s, such as 0.5")
    return frames


def cut_tiles(blocks: Iterable[Samples], config: SegmenterConfig | None = None) -> list[Tile]:
    """Cut a whole recording into tiles: what training learns from is what prediction hears.

    Args:
        blocks: the recording as samples [n] float32 in pieces of any length, mono, at `config.sample_rate`.
        config: durations and voice activity.

    Returns:
        The tiles in order of time; none where no speech is found.

    >>> import numpy as np
    >>> cut_tiles([np.zeros(16000, np.float32)])
    []
    """
    segmenter = Segmenter(config)
    events = [event for block in blocks for event in segmenter.feed(block)] + segmenter.flush()
    return [event for event in events if isinstance(event, Tile)]
