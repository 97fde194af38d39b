from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.benchmark import streams
from emovox.benchmark.streams import StreamTable, measure_streams
from emovox.features.speech_like import talk_like
from emovox.runtime.predictor import load
from emovox.schema.errors import ConfigError, UnknownModelError


def test_a_table_of_one_model() -> None:
    table = measure_streams(["mobile"], seconds=5.0)
    (row,) = table.rows
    assert row.model == "mobile"
    assert 0 < row.silent_share < 0.1
    assert 64_000 < row.silent_bytes < 300_000, "a second and a half of 16-bit audio, and little more"
    assert row.update_ms > 500 * row.silent_share, "talk costs more than silence"
    assert row.talking > 1
    assert msgspec.json.decode(msgspec.json.encode(table), type=StreamTable) == table


def test_wrong_arguments() -> None:
    with pytest.raises(ConfigError, match=r"got 1\.0 s, expected 5 to 3600"):
        measure_streams(seconds=1.0)
    with pytest.raises(UnknownModelError):
        measure_streams(["huge"], seconds=5.0)


def test_the_talk_has_no_pause_and_the_hiss_no_voice() -> None:
    stream = load("mobile").stream()
    talk = stream.feed(talk_like(6.0)) + stream.flush()
    assert Counter(type(event).__name__ for event in talk) == {
        "SpeechStarted": 1, "EmotionUpdated": 12, "SpeechEnded": 1
    }  # fmt: skip
    assert stream.feed(streams._noise(6.0, rate=16000)) + stream.flush() == []


def test_what_is_held_is_counted() -> None:
    assert streams._allocated_bytes(lambda: np.zeros(1_000_000)) == pytest.approx(8e6, rel=0.01)


def test_streams_together_are_at_different_places() -> None:
    chunks = [np.full(1, number, np.float32) for number in range(4)]
    steps = [{number: int(chunk[0]) for number, chunk in fed} for fed in streams._staggered(chunks, 3)]
    assert steps == [{0: 0}, {0: 1, 1: 0}, {0: 2, 1: 1, 2: 0}, {0: 3, 1: 2, 2: 1}, {1: 3, 2: 2}, {2: 3}]


def test_a_warm_model_is_measured_and_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([100.0, 3.0, 1.0, 2.0, 0.03, 0.01, 0.02])
    heard = []

    def alone(_stream: object, samples: Samples, *, rate: int) -> tuple[float, int]:
        heard.append(samples.size / rate)
        return next(taken), 10

    monkeypatch.setattr(streams, "_alone", alone)
    monkeypatch.setattr(streams, "_memory", lambda _predictor: 0)
    monkeypatch.setattr(streams, "_together", lambda _predictor, _samples: 1.0)
    row = streams._row(load("mobile"), 6.0)
    assert heard == [streams.WARM_SECONDS, *[6.0] * 6]
    assert row.update_ms == pytest.approx(1e3 * 2.0 / 10)
    assert row.silent_share == pytest.approx(0.02 / 6)
