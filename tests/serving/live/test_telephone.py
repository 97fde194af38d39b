"""Telephone audio over the WebSocket gets the same verdict as a recording of it."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from tests.serving.running import END, Running, begin, pcm, rest, word

RATE = 8000
SCORE_TOLERANCE = 2e-4
"""Tolerance of a score: messages have four decimals, and batches differ by rounding."""


def test_segments_are_those_of_the_recording(service: Running, toy: Model) -> None:
    samples = np.concatenate([word(150.0), word(400.0)])[::2]  # what lies above 4 kHz is folded back: much in the way
    samples += np.random.default_rng(0).normal(0, 0.002, samples.size).astype(np.float32)
    data = pcm(samples)
    with service.connect() as socket:
        begin(socket, sample_rate=RATE)
        for first in range(0, len(data), 1600):
            socket.send(data[first : first + 1600])
        socket.send(END)
        verdicts = [message for message in rest(socket) if message["type"] == "speech.ended"]
    samples = (np.frombuffer(data, "<i2") / np.float32(32768)).astype(np.float32)
    expected = Predictor(toy).predict((samples, RATE)).segments
    segments = [segment for verdict in verdicts for segment in verdict["segments"]]
    assert [(one["start"], one["end"]) for one in segments] == [(one.start, one.end) for one in expected]
    for ours, theirs in zip(segments, expected, strict=True):
        assert ours["scores"] == pytest.approx(theirs.scores, abs=SCORE_TOLERANCE)
