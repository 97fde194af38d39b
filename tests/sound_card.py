"""A sound card for tests: a stand-in for the module `sounddevice`, whose microphone delivers given samples."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emovox.audio.types import Samples


class PortAudioError(Exception):
    """As in sounddevice."""


class Stream:
    """As `sounddevice.RawInputStream`; `give` and `unplug` are what happens in the room."""

    def __init__(self, card: SoundCard, **settings: Any) -> None:
        self.settings = settings
        self.started, self.closed = threading.Event(), False
        self.refuses = card.refuses_to_start
        card.streams.append(self)

    def start(self) -> None:
        if self.refuses:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.started.set()

    def abort(self, *, ignore_errors: bool) -> None:  # noqa: ARG002
        self.started.clear()

    def close(self, *, ignore_errors: bool) -> None:  # noqa: ARG002
        self.closed = True

    def give(self, samples: Samples, *, age: float = 0.0, overflow: bool = False) -> None:
        """Deliver samples of shape [n] or [channels, n] in chunks; the last sample of each is `age` seconds old."""
        rows = np.rint(np.atleast_2d(samples) * 32767).astype(np.int16).T
        size, rate = self.settings["blocksize"], self.settings["samplerate"]
        for first in range(0, len(rows), size):
            chunk = rows[first : first + size]
            times = SimpleNamespace(currentTime=100.0, inputBufferAdcTime=100.0 - age - len(chunk) / rate)
            self.settings["callback"](chunk.tobytes(), len(chunk), times, SimpleNamespace(input_overflow=overflow))

    def unplug(self) -> None:
        self.settings["finished_callback"]()


class SoundCard:
    """A stand-in for the module `sounddevice`; `install` replaces it.

    Args:
        names: names of the inputs; each has two channels and a default rate of 48 kHz.
        rates: sample rates in Hz that the inputs accept.
        channels: that they accept.
    """

    def __init__(
        self,
        names: tuple[str, ...] = ("Built-in Audio", "USB Audio"),
        *,
        rates: tuple[int, ...] = (16000, 48000),
        channels: tuple[int, ...] = (1, 2),
    ) -> None:
        self.names, self.rates, self.channels = names, rates, channels
        self.streams: list[Stream] = []
        self.refuses_to_start = False
        self.opened: Callable[[Stream], None] = lambda _: None
        """Called with each stream that is opened."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("sounddevice")
        module.__spec__ = ModuleSpec("sounddevice", None)
        members = {
            "PortAudioError": PortAudioError,
            "RawInputStream": self._open,
            "query_devices": self._devices,
            "query_hostapis": lambda: ({"name": "ALSA"},),
            "check_input_settings": self._check,
            "default": SimpleNamespace(device=(len(self.names), 0)),
        }
        for name, member in members.items():
            setattr(module, name, member)
        monkeypatch.setitem(sys.modules, "sounddevice", module)

    def _open(self, **settings: Any) -> Stream:
        stream = Stream(self, **settings)
        self.opened(stream)
        return stream

    def _devices(self) -> list[dict[str, Any]]:
        speaker = {"name": "Speaker", "max_input_channels": 0, "default_samplerate": 48000.0, "hostapi": 0}
        return [speaker, *({**speaker, "name": name, "max_input_channels": 2} for name in self.names)]

    def _check(self, *, device: int, channels: int, dtype: str, samplerate: int) -> None:  # noqa: ARG002
        if samplerate not in self.rates or channels not in self.channels:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
