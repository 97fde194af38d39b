"""Emotions in a Pipecat pipeline: a processor that adds them beside the user's audio and transcript.

    pip install emovox pipecat-ai

    pipeline = Pipeline([transport.input(), stt, EmotionProcessor(emovox.load("mobile")), context.user(), llm, ...])

Behind the recogniser it sees audio and transcripts of the user, and nothing of the agent. It passes every frame on and
adds two kinds: an `EmotionFrame` for each event (speech starts, a preview every half second, speech ends), and an
`EmotionLineFrame` behind each `TranscriptionFrame`, with the emotion of that line.

Who may be analysed, and what users must know before: see user_voice.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame, SystemFrame, TranscriptionFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from user_voice import UserVoice

from emovox.runtime.predictor import Predictor
from emovox.schema.events import Event
from emovox.schema.result import SpokenLine


@dataclass
class EmotionFrame(SystemFrame):
    """An event of the user's voice; a system frame, since an interruption must not drop it."""

    event: Event


@dataclass
class EmotionLineFrame(SystemFrame):
    """A line of the transcript with its emotion."""

    line: SpokenLine
    user_id: str


class EmotionProcessor(FrameProcessor):
    """A processor that hears the user and passes every frame on.

    Args:
        predictor: from `emovox.load`; processors share it.
        threshold: abstention threshold in [0, 1]; None takes the model's.
    """

    def __init__(self, predictor: Predictor, *, threshold: float | None = None) -> None:
        super().__init__()
        self._voice = UserVoice(predictor, threshold=threshold)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass a frame on, then add what the user's voice says."""
        await super().process_frame(frame, direction)
        if isinstance(frame, EndFrame):
            await self._add(await self._voice.end())
        await self.push_frame(frame, direction)  # first: the agent never waits for the model
        if isinstance(frame, InputAudioRawFrame):
            await self._add(await self._voice.hear(frame.audio, rate=frame.sample_rate, channels=frame.num_channels))
        elif isinstance(frame, TranscriptionFrame):
            await self.push_frame(EmotionLineFrame(self._voice.line(frame.text), frame.user_id))

    async def _add(self, events: list[Event]) -> None:
        for event in events:
            await self.push_frame(EmotionFrame(event))
