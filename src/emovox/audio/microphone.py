"""A microphone as a live source: a bounded queue between the sound system's thread and the reader's."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from emovox.audio.devices import Device, portaudio
from emovox.audio.live import LiveSource
from emovox.audio.types import ChannelChoice, Samples
from emovox.schema.errors import MicrophoneError

CHUNK_SECONDS = 0.05
"""Length of a chunk from the device: short against a hop, long enough to need no measurable time."""

QUEUE_SECONDS = 5.0
"""Length of the queue; audio beyond it is lost."""

WATCHDOG_SECONDS = 3.0
"""Time without audio after which a device counts as disconnected."""

_POLL = 0.25
"""Seconds between checks of `stop` and of the watchdog."""

_STEREO = 2


class Microphone(LiveSource):
    """An input device as a live source: opened by the constructor, it records while `blocks` is read.

    It is opened at `rate` if the device supports it, else at its default rate, and the reader resamples.

    Args:
        device: the input device.
        rate: preferred sample rate in Hz.
        channels: how the reader uses the channels: one is requested for "mix", up to two for "split".
        seconds: see `LiveSource`.

    Raises:
        MicrophoneError: the device cannot be opened.
    """

    def __init__(
        self, device: Device, *, rate: int, channels: ChannelChoice = "mix", seconds: float | None = None
    ) -> None:
        self._sound = portaudio()
        self.device = device
        self._chunks_waiting: queue.Queue[tuple[bytes, float]] = queue.Queue(round(QUEUE_SECONDS / CHUNK_SECONDS))
        self._lost_frames = 0
        self._ended = threading.Event()
        opened_rate, opened_channels = self._settings(rate, channels)
        super().__init__(rate=opened_rate, channels=opened_channels, seconds=seconds)
        try:
            self._stream = self._sound.RawInputStream(
                device=device.number,
                samplerate=self.rate,
                channels=self.channels,
                dtype="int16",
                blocksize=round(CHUNK_SECONDS * self.rate),
                callback=self._arrived,
                finished_callback=self._ended.set,
            )
        except self._sound.PortAudioError as error:
            raise self._refused(error) from error

    @property
    def lost(self) -> float:
        """Length in seconds of the audio that is missing because the queue was full."""
        return self._lost_frames / self.rate

    def close(self) -> None:
        """Release the device."""
        self._stream.close(ignore_errors=True)

    def _settings(self, rate: int, channels: ChannelChoice) -> tuple[int, int]:
        """Return rate and channels: the first accepted of the preferred and the default ones."""
        most = self.device.channels
        wanted = {"mix": 1, "split": _STEREO}[channels] if isinstance(channels, str) else channels + 1
        error: Exception | None = None
        for count in dict.fromkeys((min(wanted, most), most)):
            for hertz in dict.fromkeys((rate, self.device.rate)):
                try:
                    self._sound.check_input_settings(
                        device=self.device.number, channels=count, dtype="int16", samplerate=hertz
                    )
                except self._sound.PortAudioError as reason:
                    error = error or reason
                else:
                    return hertz, count
        raise self._refused(error) from error

    def _refused(self, error: Exception | None) -> MicrophoneError:
        return MicrophoneError(
            f"{self.device.name}: got an error when it was opened ({error}), expected sound; check that no other "
            "program holds it and that this one may use it, or choose another --device"
        )

    def _arrived(self, data: Any, frames: int, times: Any, status: Any) -> None:
        """Queue a chunk; runs in the sound system's thread, so it never waits."""
        now = time.monotonic()
        if status.input_overflow:
            self.overflows += 1
        # The first sample was converted at inputBufferAdcTime, if the system reports it, the last one `frames` later.
        age = times.currentTime - times.inputBufferAdcTime - frames / self.rate if times.inputBufferAdcTime > 0 else 0.0
        try:
            self._chunks_waiting.put_nowait((bytes(data), now - max(0.0, age)))
        except queue.Full:
            self._lost_frames += frames

    def _chunks(self, frames: int) -> Iterator[tuple[Samples, float]]:  # noqa: ARG002
        try:
            self._stream.start()
        except self._sound.PortAudioError as error:
            raise self._refused(error) from error
        try:
            yield from self._until_stopped()
        finally:
            self._stream.abort(ignore_errors=True)
        while not self._chunks_waiting.empty():
            yield self._decoded(*self._chunks_waiting.get_nowait())

    def _until_stopped(self) -> Iterator[tuple[Samples, float]]:
        # Counting waits, not reading a clock, keeps the watchdog quiet after the process was suspended.
        waits = 0
        while not self._stopping.is_set():
            try:
                chunk = self._chunks_waiting.get(timeout=_POLL)
            except queue.Empty:
                waits += 1
                if self._ended.is_set() or waits * _POLL >= WATCHDOG_SECONDS:
                    self._fail()
                    return
            else:
                waits = 0
                yield self._decoded(*chunk)

    def _fail(self) -> None:
        self.damage = "the microphone stopped delivering sound"
        self.failure = MicrophoneError(
            f"{self.device.name}: got no more sound after {self._delivered / self.rate:.1f} s, expected it to "
            "continue; check that it is still connected. The audio until then is kept, and saved if requested"
        )

    def _decoded(self, data: bytes, at: float) -> tuple[Samples, float]:
        whole = np.frombuffer(data, np.int16).reshape(-1, self.channels).T
        return np.multiply(whole, np.float32(2.0**-15), dtype=np.float32), at
