"""A small network that decides where periodicity does not: silero-vad (MIT), 1.2 MB, shipped in `silero`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.pcm_buffer import PcmBuffer

NETWORK = "silero_vad_16k_sequence.onnx"
SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"

UNIT = 0.16
"""Seconds of audio per question. Units lie on a fixed grid, so that answers do not depend on the chunking."""

_RATE, _CHUNK, _CONTEXT = 16000, 512, 64
_CHUNKS = round(UNIT * _RATE) // _CHUNK  # 5: one call per unit takes little more time than a call per second
_FEWEST = 2  # chunks of speech in a unit of speech: a click is in one, or on the border of two
_LEVEL, _MOST_GAIN = 0.05, 1e4  # root mean square that the network gets; at -60 dBFS it finds no speech


class SpeechNetwork:
    """The network over one stream; its state is carried from unit to unit, and starts anew after a gap.

    Loudness does not matter: the audio gets the gain that brings the loudest unit since the last gap to -26 dBFS.

    Args:
        audio: the stream; it must still hold the unit in question, and `context` seconds before it.
        sample_rate: sample rate in Hz, a multiple of 4000; other than 16 kHz is interpolated.
        threshold: probability above which a chunk of 32 ms is speech, in [0, 1].
    """

    context = _CONTEXT / _RATE
    """Seconds of audio before a unit that the network needs: 4 ms."""

    def __init__(self, audio: PcmBuffer, *, sample_rate: int, threshold: float) -> None:
        self._audio, self._threshold = audio, threshold
        self._unit, self._context = round(UNIT * sample_rate), round(_CONTEXT / _RATE * sample_rate)
        self._next = 0
        self._start()

    def holds_speech(self, unit: int) -> bool:
        """Return whether a unit holds speech: at least two of its five chunks of 32 ms.

        Args:
            unit: number of the unit, from 0 at the beginning of the stream; higher than in the last call. Missing
                audio at its end counts as silence.

        Raises:
            ModelError: the network's file is damaged or missing.
        """
        if unit != self._next:
            self._start()
        self._next = unit + 1
        return bool(np.count_nonzero(self._run(unit) > self._threshold) >= _FEWEST)

    def _start(self) -> None:
        self._state, self._loudest = _first_state(), 0.0

    def _run(self, unit: int) -> Samples:
        chunks = _CONTEXT + _CHUNKS * _CHUNK
        piece = self._cut(unit)
        if piece.size != chunks:
            piece = np.interp(np.linspace(0, piece.size - 1, chunks), np.arange(piece.size), piece).astype(np.float32)
        self._loudest = max(self._loudest, _level(piece[_CONTEXT:]))
        probabilities, *self._state = _probabilities(piece * _gain(self._loudest), self._state)
        return probabilities

    def _cut(self, unit: int) -> Samples:
        start, end = unit * self._unit - self._context, (unit + 1) * self._unit
        known = self._audio.cut(max(0, start), min(end, self._audio.end))
        if known.size == end - start:
            return known
        return np.pad(known, (max(0, -start), max(0, end - self._audio.end)))


def speech_probabilities(samples: Samples, *, sample_rate: int) -> Samples:
    """Return the probability of speech in each chunk of 32 ms of a whole recording, at -26 dBFS.

    It takes about 2 ms per second of audio.

    Args:
        samples: [n] float32, at most a minute or so.
        sample_rate: sample rate in Hz.

    Returns:
        Shape [chunks], float32; a last piece of a chunk is filled with zeros.

    Raises:
        ModelError: the network's file is damaged or missing.
    """
    count = -(-round(samples.size / sample_rate * _RATE) // _CHUNK)
    if not count:
        return np.zeros(0, np.float32)
    places = np.arange(count * _CHUNK) * (sample_rate / _RATE)
    piece = np.interp(places, np.arange(samples.size), samples, right=0.0).astype(np.float32)
    found, *_ = _probabilities(np.pad(piece * _gain(_level(piece)), (_CONTEXT, 0)), _first_state())
    return found


def may_hold_speech(samples: Samples, *, sample_rate: int, threshold: float) -> bool:
    """Return whether at least two chunks of a whole recording have a probability above a threshold.

    Args:
        samples: as in `speech_probabilities`.
        sample_rate: sample rate in Hz.
        threshold: probability in [0, 1].

    Raises:
        ModelError: the network's file is damaged or missing.
    """
    found = speech_probabilities(samples, sample_rate=sample_rate)
    return bool(np.count_nonzero(found > threshold) >= _FEWEST)


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.square(samples).mean()))


def _gain(level: float) -> np.float32:
    return np.float32(np.clip(_LEVEL / max(level, 1e-9), 1, _MOST_GAIN))


def _first_state() -> list[Samples]:
    return [np.zeros((1, 1, 128), np.float32)] * 2


def _probabilities(piece: Samples, state: list[Samples]) -> list[Samples]:
    """Return the probability of each chunk and the new state; `piece` begins with the context."""
    count = (piece.size - _CONTEXT) // _CHUNK
    chunks = np.empty((count, _CONTEXT + _CHUNK), np.float32)
    chunks[:, :_CONTEXT] = piece[:-_CONTEXT].reshape(count, _CHUNK)[:, :_CONTEXT]
    chunks[:, _CONTEXT:] = piece[_CONTEXT:].reshape(count, _CHUNK)
    answer: list[Samples] = _session().run(None, {"input": chunks, "h": state[0], "c": state[1]})
    return answer


@cache
def _session() -> Any:
    """Load the network at its first use: it takes 20 ms, and silence does not need it."""
    from emovox.runtime.session import open_shipped  # here, since it imports ONNX Runtime

    return open_shipped(Path(str(files("emovox") / "runtime" / "silero" / NETWORK)), sha256=SHA256)
