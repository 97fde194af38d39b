"""What the adapters for voice agents share: it needs none of their packages."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples" / "agents"))

from user_voice import UserVoice  # noqa: E402  # a script beside the adapters

from emovox.runtime.predictor import Predictor, load  # noqa: E402
from emovox.schema.events import Event, SpeechEnded  # noqa: E402
from emovox.schema.result import SpokenLine  # noqa: E402

CHUNK = 0.02
"""Seconds of a packet, as agents send them."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load("mobile")


@pytest.fixture(scope="module")
def pcm() -> npt.NDArray[np.int16]:
    samples, _ = soundfile.read(ROOT / "examples" / "demo.flac", dtype="int16")
    return np.asarray(samples)


def known(event: Event) -> tuple[object, ...]:
    """Return what does not depend on the order of sums in float32."""
    return type(event), event.utterance, event.start, getattr(event, "end", None), getattr(event, "label", None)


def heard(
    voice: UserVoice, pcm: npt.NDArray[np.int16], rate: int, *, lines: dict[float, str]
) -> tuple[list[Event], list[SpokenLine]]:
    """Play PCM [n] or [n, channels] to a voice; `lines` are given at the second that is their key."""
    channels, step = 1 if pcm.ndim == 1 else pcm.shape[1], round(CHUNK * rate)

    async def play() -> tuple[list[Event], list[SpokenLine]]:
        events: list[Event] = []
        found: list[SpokenLine] = []
        for start in range(0, len(pcm), step):
            events += await voice.hear(pcm[start : start + step].tobytes(), rate=rate, channels=channels)
            found += [voice.line(text) for at, text in lines.items() if start <= at * rate < start + step]
        return events + await voice.end(), found

    return asyncio.run(play())


def test_the_events_are_those_of_a_stream(predictor: Predictor, pcm: npt.NDArray[np.int16]) -> None:
    events, _ = heard(UserVoice(predictor), pcm, 16000, lines={})
    with predictor.stream() as stream:
        expected = stream.feed(np.asarray(pcm / 32768, np.float32)) + stream.flush()
    assert [known(event) for event in events] == [known(event) for event in expected]


def test_a_line_has_the_speech_since_the_line_before(predictor: Predictor, pcm: npt.NDArray[np.int16]) -> None:
    at = {4.6: "no segment yet", 6.9: "in speech", 6.94: "again", 7.6: "late", 13.7: "two segments"}
    events, lines = heard(UserVoice(predictor), pcm, 16000, lines=at)
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    assert [(round(event.start, 2), round(event.end, 2)) for event in ended][:2] == [(0.7, 4.14), (4.9, 7.24)]
    first, preview, none, late, last = lines
    assert first.text == "no segment yet"
    assert first.scores is not None  # the preview at 4.5 s
    assert preview.scores is not None
    assert (none.label, none.confidence, none.scores) == (None, None, None)
    assert late.scores is not None  # the preview at 7.5 s
    assert last.start == pytest.approx(7.62, abs=0.001)
    assert last.end == pytest.approx(13.72, abs=0.001)
    lengths = np.array([event.end - event.start for event in ended[2:]])
    mean = lengths @ np.array([list(event.scores.values()) for event in ended[2:]]) / lengths.sum()
    assert list((last.scores or {}).values()) == pytest.approx(mean, abs=1e-6)


def test_a_sure_line_needs_the_threshold(predictor: Predictor, pcm: npt.NDArray[np.int16]) -> None:
    for threshold, given in ((0.0, True), (1.0, False)):
        _, (line,) = heard(UserVoice(predictor, threshold=threshold), pcm, 16000, lines={4.8: "a"})
        assert (line.label is not None) is given
        assert line.confidence is not None


def test_any_rate_and_channels_give_the_same_segments(predictor: Predictor, pcm: npt.NDArray[np.int16]) -> None:
    plain, _ = heard(UserVoice(predictor), pcm, 16000, lines={})
    doubled = np.repeat(np.repeat(pcm, 3)[:, None], 2, axis=1)  # 48 kHz, two equal channels
    events, _ = heard(UserVoice(predictor), doubled, 48000, lines={})
    ends = [[e.end for e in found if isinstance(e, SpeechEnded)] for found in (plain, events)]
    assert ends[1] == pytest.approx(ends[0], abs=0.05)
