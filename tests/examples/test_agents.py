"""The adapters run in the real packages, in a pipeline without a transport and in a session without a room.

Neither package is in the extra `dev`, as Pipecat needs older versions of soxr, soundfile and protobuf than the figures
of this project. `.ci/run` installs both in an environment of their own and runs these tests there.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.runtime.predictor import load
from emovox.schema.events import SpeechEnded
from emovox.schema.result import SpokenLine

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples" / "agents"))
RATE = 16000
STEP = RATE // 50
LINES = {4.8: "I waited for a long time", 7.6: "No!"}
"""What the recogniser says, and the second at which it says it."""


def packets() -> list[bytes]:
    samples, _ = soundfile.read(ROOT / "examples" / "demo.flac", dtype="int16")
    return [samples[start : start + STEP].tobytes() for start in range(0, len(samples) - STEP, STEP)]


def ends(events: list[Any]) -> list[tuple[float, float, str | None]]:
    """Return what does not depend on the order of sums in float32."""
    return [(event.start, event.end, event.label) for event in events if isinstance(event, SpeechEnded)]


def expected_events() -> list[SpeechEnded]:
    with load("mobile").stream() as stream:
        events = stream.feed(np.frombuffer(b"".join(packets()), "<i2")) + stream.flush()
    return [event for event in events if isinstance(event, SpeechEnded)]


def test_pipecat() -> None:
    pytest.importorskip("pipecat", reason="pipecat-ai is not installed")
    from pipecat.frames.frames import InputAudioRawFrame, TranscriptionFrame
    from pipecat.tests.utils import SleepFrame, run_test
    from pipecat_emotion import EmotionFrame, EmotionLineFrame, EmotionProcessor

    class Watched(EmotionProcessor):  # type: ignore[misc]
        """Remembers the frames that it has processed, as audio overtakes text in a pipeline."""

        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            done.add(frame.id)

    def one_by_one() -> Iterator[Any]:
        for frame in sent:
            yield frame
            while frame.id not in done:
                yield SleepFrame(sleep=0.001)

    sent: list[Any] = []
    done: set[int] = set()
    for number, packet in enumerate(packets()):
        sent += [TranscriptionFrame(text, "ana", "now") for at, text in LINES.items() if round(at * 50) == number]
        sent.append(InputAudioRawFrame(packet, RATE, 1))
    passed, _ = asyncio.run(run_test(Watched(load("mobile")), frames_to_send=one_by_one(), start_timeout=60))
    events = [frame.event for frame in passed if isinstance(frame, EmotionFrame)]
    assert ends(events) == ends(expected_events())
    lines = [frame for frame in passed if isinstance(frame, EmotionLineFrame)]
    assert [(one.line.text, one.user_id) for one in lines] == [(text, "ana") for text in LINES.values()]
    check(frame.line for frame in lines)
    others = [frame for frame in passed if not isinstance(frame, EmotionFrame | EmotionLineFrame)]
    assert [frame.id for frame in others] == [frame.id for frame in sent]


def test_livekit() -> None:
    pytest.importorskip("livekit.agents", reason="livekit-agents is not installed")
    from livekit import rtc
    from livekit.agents import AgentSession, APIConnectOptions, stt
    from livekit.agents.voice import io
    from livekit_emotion import EmotionAgent

    class FakeRoom(io.AudioInput):  # type: ignore[misc]
        """The microphone of a user."""

        def __init__(self) -> None:
            super().__init__(label="user")
            self.left = iter(packets())

        async def __anext__(self) -> rtc.AudioFrame:
            packet = next(self.left, None)
            if packet is None:
                raise StopAsyncIteration
            return rtc.AudioFrame(packet, RATE, 1, STEP)

    class FakeRecogniser(stt.STT):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

        async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
            raise NotImplementedError

        def stream(self, *, conn_options: APIConnectOptions, **_: Any) -> stt.RecognizeStream:
            return FakeRecognition(stt=self, conn_options=conn_options)

    class FakeRecognition(stt.RecognizeStream):  # type: ignore[misc]
        async def _run(self) -> None:
            seconds, left = 0.0, dict(LINES)
            async for frame in self._input_ch:
                seconds += frame.duration if isinstance(frame, rtc.AudioFrame) else 0
                for at in [at for at in left if at < seconds]:
                    data = stt.SpeechData(language="en", text=left.pop(at))
                    kind = stt.SpeechEventType.FINAL_TRANSCRIPT
                    self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=[data]))

    events: list[Any] = []
    lines: list[SpokenLine] = []
    transcript: list[str] = []

    async def call() -> None:
        agent = EmotionAgent(instructions="", predictor=load("mobile"), on_event=events.append, on_line=lines.append)
        session: Any = AgentSession(stt=FakeRecogniser(), vad=None, turn_handling={"turn_detection": "stt"})
        session.on("user_input_transcribed", lambda event: transcript.append(event.transcript))
        session.input.audio = FakeRoom()
        await session.start(agent=agent)
        for _ in range(3000):
            await asyncio.sleep(0.02)
            if ends(events) == expected:
                break
        await session.aclose()

    expected = ends(expected_events())
    asyncio.run(call())
    assert ends(events) == expected
    assert [line.text for line in lines] == transcript == list(LINES.values())
    check(lines)


def check(lines: Any) -> None:
    """Check the labels of the first two sentences of the demo."""
    first, second = lines
    whole, other = expected_events()[:2]
    assert first.scores == pytest.approx(whole.scores, abs=1e-6)
    assert second.label is not None
    assert other.start < second.end
