"""Read any recording as float32 blocks at a chosen rate, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

import numpy as np

from emovox.audio.arrays import mean_of_channels
from emovox.audio.decode import Decoder, check_form, open_decoder
from emovox.audio.given import plain_channels, plain_source
from emovox.audio.media import SILENCED
from emovox.audio.resampling import Resampler
from emovox.audio.source import name_of, rereadable
from emovox.audio.types import (
    DEFAULT_READING,
    LARGEST,
    LOUDEST,
    TOLERATED_LOSS,
    AudioInput,
    ChannelChoice,
    Reading,
    Samples,
    divisor_of,
)
from emovox.schema.errors import AudioError, ChannelError, EmptyAudioError, NonFiniteError, ScaleError, UndecodableError
from emovox.schema.result import Notice

FULL_SCALE = 0.999
"""Magnitude from which a sample counts as clipped: 16-bit full scale is 0.99997, and lossy codecs blur it a little."""

CLIPPED_SHARE = 1e-3
"""Share of clipped samples above which a notice is given: a normalised recording has a few, a clipped one many."""

CANCELLED_SHARE = 0.2
"""Power of the mix, relative to the mean power of one channel divided by their number, below which they cancel: what
differs between the channels of a call or a room adds up to 1."""

_CANCEL = "the channels cancel each other in their mean (as if one had its sign changed): analyse one with --channels 0"

_BLOCK_VALUES = 2**22
"""Most values (samples times channels) in memory at once, decoded or resampled: 16 MiB for any rate and channels."""


class AudioReader:
    """A recording opened for reading; made by `open_audio`, used as a context manager.

    Attributes:
        name: name for result rows.
        native_rate: sample rate of the file in Hz.
        native_channels: number of channels of the file.
        sample_rate: sample rate of the blocks in Hz.
        channels: number of channels of the blocks.
        duration: length in seconds according to the file; None if it does not say. Never an estimate.
        is_exact: whether `duration` follows from the bytes of the file.
        seconds: length in seconds that `blocks` has yielded so far.
        notices: defects that do not prevent analysis (`truncated`, `clipped`, …); complete after `blocks` has ended.
    """

    def __init__(
        self,
        source: AudioInput,
        *,
        sample_rate: int | None,
        channels: ChannelChoice,
        block_seconds: float,
        reading: Reading = DEFAULT_READING,
        opened: Decoder | None = None,
    ) -> None:
        if (sample_rate is not None and sample_rate < 1) or not block_seconds > 0:
            raise AudioError(
                f"got sample_rate {sample_rate} and block_seconds {block_seconds}, expected a rate >= 1 and a time > 0"
            )
        source, channels = plain_source(source), plain_channels(channels)
        self.name = name_of(source)
        self._given = source
        self._source = source if opened else rereadable(source)
        self._reading = reading
        self._latest = opened or open_decoder(self._source, name=self.name, reading=reading)
        self._decoder: Decoder | None = self._latest
        self.native_rate = self._decoder.rate
        self.native_channels = self._decoder.channels
        self.sample_rate = self.native_rate if sample_rate is None else sample_rate
        frames = self._decoder.frames
        self.duration = None if frames is None else frames / max(1, self.native_rate)
        self.is_exact = self._decoder.is_exact
        self.notices: tuple[Notice, ...] = ()
        self._channel = channels
        growth = max(1.0, self.sample_rate / max(1, self.native_rate))
        most = int(_BLOCK_VALUES / (max(1, self.native_channels) * growth))
        self._frames = max(1, min(round(block_seconds * self.native_rate), most))
        self._delivered = 0
        self._clipped = 0
        self._power = np.zeros(2)
        self.channels = self.native_channels if channels == "split" else 1
        try:
            check_form(self._decoder, self._source, name=self.name)
            self._check_channel()
        except AudioError:
            self.close()
            raise

    @property
    def seconds(self) -> float:
        """Length in seconds of the audio decoded so far (all of it after `blocks` has ended)."""
        return self._delivered / self.native_rate

    @property
    def progress(self) -> float:
        """Share of the recording that was decoded, 0 to 1: of its seconds, or of its bytes if it does not say them."""
        return min(1.0, self.seconds / self.duration if self.duration else self._latest.share)

    def blocks(self) -> Iterator[Samples]:
        """Decode from the beginning; every call starts at the beginning again.

        The block size does not change the samples, since the resampler keeps its state. Blocks have any length >= 1.
        They may be views of an array that the caller passed in: do not write into them.

        Yields:
            Blocks of shape [channels, n], float32 at `sample_rate`, in [-1, 1] (lossy formats overshoot a little).

        Raises:
            NonFiniteError: a selected channel holds NaN, infinity, or samples beyond `LARGEST`.
            ScaleError: a selected channel holds samples beyond `LOUDEST`, such as 16-bit values as floats.
            EmptyAudioError: the recording has 0 samples.
            UndecodableError: the data are damaged and nothing can be decoded.
        """
        decoder = self._decoder or open_decoder(self._source, name=self.name, reading=self._reading)
        self._latest, self._decoder = decoder, None
        self._delivered, self._clipped, self._power, self.notices = 0, 0, np.zeros(2), ()
        try:
            blocks = self._selected(decoder)
            yield from blocks if self.sample_rate == self.native_rate else self._resampled(blocks)
        finally:
            decoder.close()
        self._conclude(decoder)

    def close(self) -> None:
        """Release the file; a file that the caller opened stays open."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
        if self._source is not self._given and not isinstance(self._source, str | bytes | tuple):
            self._source.close()  # type: ignore[union-attr]

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _selected(self, decoder: Decoder) -> Iterator[Samples]:
        for block in decoder.blocks(self._frames):
            chosen = block[self._channel : self._channel + 1] if isinstance(self._channel, int) else block
            self._reading.check()
            self._inspect(chosen)
            self._delivered += block.shape[1]
            yield np.ascontiguousarray(self._mixed(chosen) if self._channel == "mix" else chosen)

    def _inspect(self, block: Samples) -> None:
        # Minimum and maximum reveal NaN, infinity and full scale in two cheap passes (20 µs for 3 s at 16 kHz).
        low, high = float(block.min()), float(block.max())
        if not max(-low, high) <= LOUDEST:  # NaN compares false
            raise self._unusable(block)
        if max(-low, high) >= FULL_SCALE:
            self._clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))

    def _unusable(self, block: Samples) -> AudioError:
        finite = bool((np.abs(block) <= LARGEST).all())
        index, channel = (int(i) for i in np.argwhere(~(np.abs(block.T) <= (LOUDEST if finite else LARGEST)))[0])
        second = (self._delivered + index) / self.native_rate
        place = f"at {second:.3f} s in channel {channel + (self._channel if isinstance(self._channel, int) else 0)}"
        if finite:
            peak = float(np.abs(block).max())
            return ScaleError(
                f"{self.name}: got {block[channel, index]:g} {place} and a peak of {peak:g}, expected samples in "
                f"[-1, 1]; divide them by {divisor_of(peak)}"
            )
        return NonFiniteError(
            f"{self.name}: got {block[channel, index]:g} {place}, expected finite samples in [-1, 1]; "
            "repair the recording or export it again"
        )

    def _mixed(self, block: Samples) -> Samples:
        mixed = mean_of_channels(block)
        if len(block) > 1:
            self._power += np.vdot(mixed, mixed), np.vdot(block, block) / len(block)
        return mixed

    def _resampled(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        resampler = Resampler(self.native_rate, self.sample_rate, self.channels)
        for block in blocks:
            if (resampled := resampler.feed(block)).size:
                yield resampled
        if (rest := resampler.flush()).size:
            yield rest

    def _conclude(self, decoder: Decoder) -> None:
        if self._delivered == 0:
            if decoder.damage or (decoder.frames and decoder.is_exact):
                reason = decoder.damage or f"the header promises {self.duration:.2f} s"
                raise UndecodableError(
                    f"{self.name}: got a recording of which nothing can be decoded ({reason}), expected intact audio; "
                    "copy it again"
                )
            raise EmptyAudioError(f"{self.name}: got 0 samples, expected at least one; record it again")
        notices = [*decoder.notices]
        missing = self.duration - self.seconds if self.duration is not None and self.is_exact else 0.0
        if decoder.damage or missing > TOLERATED_LOSS:
            reason = decoder.damage or f"the header promises {self.duration:.2f} s"
            part = "not all" if reason.endswith(SILENCED) else f"only the first {self.seconds:.2f} s"
            notices.append(Notice("truncated", f"{part} could be decoded: {reason}"))
        mixed, alone = self._power
        if mixed * self.native_channels < CANCELLED_SHARE * alone:
            notices.append(Notice("channels_cancel", _CANCEL))
        analysed = self._delivered * (self.native_channels if self._channel in ("mix", "split") else 1)
        if self._clipped > CLIPPED_SHARE * analysed:
            share = 100 * self._clipped / analysed
            notices.append(
                Notice("clipped", f"{share:.1f} % of the samples are at full scale: record at a lower level")
            )
        self.notices = tuple(notices)

    def _check_channel(self) -> None:
        if self._channel in ("mix", "split"):
            return
        if type(self._channel) is not int or not 0 <= self._channel < self.native_channels:
            raise ChannelError(
                f"{self.name}: got channel {self._channel!r}, expected 0 to {self.native_channels - 1} "
                f"(channels in this recording: {self.native_channels}), 'mix' or 'split'; choose one of them"
            )


def open_audio(
    source: AudioInput,
    *,
    sample_rate: int | None = 16000,
    channels: ChannelChoice = "mix",
    block_seconds: float = 10.0,
    reading: Reading = DEFAULT_READING,
) -> AudioReader:
    """Open a recording for reading in blocks; memory does not grow with its length.

    Args:
        source: path, open binary file (read from its beginning; a pipe works too), the bytes of a file, or
            (samples [n] or [channels, n], sample rate in Hz) with float samples in [-1, 1] or int16, int32, uint8.
        sample_rate: rate of the blocks in Hz; None keeps the native rate.
        channels: "mix" for the mean of all channels, "split" for every channel separately, or an index from 0.
        block_seconds: length of a decoded block, > 0; shorter for very high rates or numbers of channels.
        reading: which track of a container, and what bare samples are.

    Returns:
        A reader for blocks of shape [channels, n], to use in a `with` statement.

    Raises:
        UnreadableError: the file is missing, is a directory, or may not be read.
        EmptyAudioError: the source has no bytes or no samples.
        UndecodableError: the content is not audio.
        ChannelError: the channel does not exist.
        TrackError: the track does not exist.
        MissingExtraError: the content needs the extra `media`.
        AudioError: an argument is out of range or has a wrong type.

    >>> with open_audio((np.zeros((2, 8000), np.float32), 8000), sample_rate=16000) as reader:
    ...     reader.duration, sum(block.shape[1] for block in reader.blocks())
    (1.0, 16000)
    """
    return AudioReader(source, sample_rate=sample_rate, channels=channels, block_seconds=block_seconds, reading=reading)


def open_live(
    decoder: Decoder,
    *,
    name: str,
    sample_rate: int = 16000,
    channels: ChannelChoice = "mix",
    block_seconds: float = 0.1,
) -> AudioReader:
    """Return a reader for an opened decoder, such as a microphone; its audio can be read once.

    Args:
        decoder: source of the audio; the reader closes it.
        name: name for the result row.
        sample_rate: rate of the blocks in Hz.
        channels: see `open_audio`.
        block_seconds: length of a block from the decoder, > 0.

    Returns:
        A reader for blocks of shape [channels, n].

    Raises:
        ChannelError: the channel does not exist.
        AudioError: an argument is out of range.
    """
    return AudioReader(name, sample_rate=sample_rate, channels=channels, block_seconds=block_seconds, opened=decoder)


def load_audio(
    source: AudioInput,
    *,
    sample_rate: int | None = 16000,
    channels: ChannelChoice = "mix",
    reading: Reading = DEFAULT_READING,
) -> tuple[Samples, int]:
    """Decode a whole recording into memory, through the same path as `open_audio`.

    Args:
        source: see `open_audio`.
        sample_rate: rate of the result in Hz; None keeps the native rate.
        channels: "mix", "split", or the index of a channel from 0.
        reading: see `open_audio`.

    Returns:
        Samples of shape [channels, n], float32 in [-1, 1], and their rate in Hz.

    Raises:
        AudioError: as in `open_audio` and `AudioReader.blocks`.

    >>> samples, rate = load_audio((np.array([0, 16384], np.int16), 16000))
    >>> samples.tolist(), rate
    ([[0.0, 0.5]], 16000)
    """
    with open_audio(source, sample_rate=sample_rate, channels=channels, reading=reading) as reader:
        # One sample at a much lower rate is no block at all, and the array must still have its channels.
        nothing = np.empty((reader.channels, 0), np.float32)
        return np.concatenate([nothing, *reader.blocks()], axis=1), reader.sample_rate
