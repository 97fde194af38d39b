"""Turn a stream of samples into speech regions and cut these into tiles."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from emovox.audio.types import Samples
from emovox.runtime.pcm_buffer import PcmBuffer
from emovox.runtime.speech_network import UNIT, SpeechNetwork
from emovox.runtime.tiles import Tile, count_windows, extend, split_region
from emovox.runtime.vad import FRAME, Closed, EveryFrame, Opened, RegionFinder, Vad, VadConfig
from emovox.schema.errors import ConfigError

_BLOCK = 3.0
"""Seconds of audio per step: longer calls are split, so that they need no more memory. 1 s takes half as long again."""


class SegmenterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of the segmenter; durations in seconds.

    Args:
        sample_rate: sample rate in Hz, a multiple of 4000.
        window: length of a tile in seconds, >= 0.1; the model's card gives it.
        shortest: shortest recording with tiles in seconds, >= 0; shorter ones give none.
        rounding: step of the lengths that a model gets in seconds, >= 0.01; also the most audio around a tile.
        vad: parameters of the voice activity detection.

    Raises:
        ConfigError: a value is out of range.
    """

    sample_rate: int = 16000
    window: float = 3.0
    shortest: float = 0.3
    rounding: float = 0.5
    vad: VadConfig = VadConfig()

    def __post_init__(self) -> None:
        """Raise an error for values for which tiles are not defined."""
        for name, good in {
            "window": self.window >= 0.1,
            "shortest": self.shortest >= 0,
            "rounding": self.rounding >= 0.01,
        }.items():
            if not good:
                raise ConfigError(f"{name} is {getattr(self, name)}, out of range; see SegmenterConfig")


@dataclass(frozen=True, slots=True)
class RegionStarted:
    """Start of speech region number `region` (from 0) at `start`, in samples from the beginning of the stream."""

    region: int
    start: int


@dataclass(frozen=True, slots=True)
class RegionEnded:
    """End of speech region number `region`: samples [start, end) of the stream. It follows all tiles of the region."""

    region: int
    start: int
    end: int


@dataclass(frozen=True, eq=False, slots=True)
class Preview:
    """The latest audio of an open region, for scores before its tiles are certain.

    Attributes:
        start: first sample, counted from the beginning of the stream.
        end: sample after the last one: a multiple of the hop, and the current end of the stream.
        samples: [end - start] float32, at most a window. Near the beginning of a region it is the region so far, with
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
    """A converter from samples to speech regions and tiles; the result does not depend on the chunking.

    Its memory is bounded: about one and a half windows of audio during speech, 1.5 seconds otherwise, and up to 3
    seconds more for long calls.

    Args:
        config: durations and voice activity detection, the same as in the training of the model.
        hop: seconds between two previews in an open region, a multiple of 20 ms; None gives no previews.
        speech_only: whether to look for speech; False makes one region from the first sample to the last.
        cuts: samples at which a tile ends and the next one begins, in order, such as changes of the speaker.

    Raises:
        ConfigError: the sample rate is not a multiple of 4000 Hz, or `hop` is not a multiple of 20 ms.
    """

    def __init__(
        self,
        config: SegmenterConfig | None = None,
        *,
        hop: float | None = None,
        speech_only: bool = True,
        cuts: Sequence[int] = (),
    ) -> None:
        self.config = config = config or SegmenterConfig()
        rate = config.sample_rate
        self._preview_hop = None if hop is None else _whole_frames(hop) * round(FRAME * rate)
        self._hop, self._block = round(FRAME * rate), round(_BLOCK * rate)
        self._window, self._shortest = round(config.window * rate), round(config.shortest * rate)
        self._rounding, self._padding = round(config.rounding * rate), round(config.vad.padding * rate)
        self._unit, self._context = round(UNIT * rate), round(SpeechNetwork.context * rate)
        self._given_cuts = tuple(cuts)
        self._vad = Vad(config.vad, sample_rate=rate) if speech_only else EveryFrame(sample_rate=rate)
        self.reset()

    def reset(self) -> None:
        """Discard all audio: the next call starts a new stream, and regions count from 0."""
        self._vad.reset()
        rate, vad = self.config.sample_rate, self.config.vad
        self._audio = PcmBuffer(slack=rate // 2)
        network = SpeechNetwork(self._audio, sample_rate=rate, threshold=vad.network_threshold)
        self._finder = RegionFinder(vad, holds_speech=network.holds_speech)
        self._queue: deque[RegionStarted | _Span | RegionEnded] = deque()
        self._cuts = deque(self._given_cuts)
        self._region = -1
        self._region_start = self._tile_start = 0

    @property
    def nbytes(self) -> int:
        """Memory of the audio in bytes: two for each of the samples that it holds or has room for."""
        return self._audio.nbytes

    def feed(self, samples: Samples) -> list[SegmenterEvent]:
        """Take the next samples and return the events that are now certain.

        Args:
            samples: [n] float32 at `sample_rate`, any length, finite.

        Returns:
            Events in order of time; the tiles of a region come between its `RegionStarted` and `RegionEnded`. A tile
            comes as soon as its region is known to continue for half a window, or to have ended.
        """
        events: list[SegmenterEvent] = []
        for block in self._blocks(samples):
            self._audio.append(block)
            at_hop = self._preview_hop is not None and self._audio.end % self._preview_hop == 0
            self._advance(self._finder.feed(self._vad.feed(block, at_once=at_hop)))
            events += self._release()
            if at_hop and self._finder.is_open:
                events += self._preview()
            self._audio.forget(self._oldest_needed())
        return events

    def flush(self) -> list[SegmenterEvent]:
        """End the audio, return the last events and return to the initial state.

        Returns:
            Events as from `feed`; none if the recording is shorter than `shortest` seconds.
        """
        self._advance(self._finder.feed(self._vad.flush()) + self._finder.flush())
        total = self._audio.end
        events = self._release(total=total) if total >= self._shortest else []
        self.reset()
        return events

    def _blocks(self, samples: Samples) -> Iterator[Samples]:
        """Cut a call at the ends of hops, so that a preview does not depend on the chunking."""
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

    def _advance(self, marks: Iterable[Opened | Closed]) -> None:
        for mark in marks:
            if isinstance(mark, Opened):
                self._open(mark.frame)
            else:
                self._close(mark.frame)
        if self._finder.is_open:
            end = min(self._audio.end, self._finder.reach * self._hop + self._padding)
            self._plan_to_cuts(end)
            for _ in range(count_windows(end - self._tile_start, window=self._window) - 1):
                self._plan(self._tile_start, self._tile_start + self._window)

    def _open(self, frame: int) -> None:
        self._region += 1
        self._region_start = self._tile_start = max(0, frame * self._hop - self._padding)
        self._queue.append(RegionStarted(self._region, self._region_start))

    def _close(self, frame: int) -> None:
        end = min(self._audio.end, frame * self._hop + self._padding)
        self._plan_to_cuts(end)
        self._plan_to(end)
        self._queue.append(RegionEnded(self._region, self._region_start, end))

    def _plan_to_cuts(self, end: int) -> None:
        """Plan the tiles before each cut of the open region that is before `end`."""
        while self._cuts and self._cuts[0] < end:
            cut = self._cuts.popleft()
            if cut > self._tile_start:
                self._plan_to(cut)

    def _plan_to(self, end: int) -> None:
        for start, stop in split_region(self._tile_start, end, window=self._window):
            self._plan(start, stop)

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
        asked = self._finder.unit * self._unit - self._context
        oldest = min(min([coming, *planned]) - self._rounding, asked)
        if self._preview_hop is not None and self._finder.is_open:
            # the next preview covers a window that ends at most one hop from now
            return min(oldest, self._audio.end - self._window)
        return oldest


def _whole_frames(hop: float) -> int:
    frames = round(hop / FRAME) if 0 < hop < math.inf else 0
    if frames < 1 or abs(frames * FRAME - hop) > FRAME / 100:
        raise ConfigError(f"hop is {hop} s, expected a multiple of {FRAME} s, such as 0.5")
    return frames


def cut_tiles(
    blocks: Iterable[Samples], config: SegmenterConfig | None = None, *, cuts: Sequence[int] = ()
) -> list[Tile]:
    """Cut a whole recording into tiles; training uses the same tiles as prediction.

    Args:
        blocks: the mono recording as samples [n] float32 in pieces of any length, at `config.sample_rate` Hz.
        config: durations and voice activity detection.
        cuts: as in `Segmenter`.

    Returns:
        The tiles in order of time; none if there is no speech.

    >>> import numpy as np
    >>> cut_tiles([np.zeros(16000, np.float32)])
    []
    """
    segmenter = Segmenter(config, cuts=cuts)
    events = [event for block in blocks for event in segmenter.feed(block)] + segmenter.flush()
    return [event for event in events if isinstance(event, Tile)]
