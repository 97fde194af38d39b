"""Emotions in LiveKit Agents: an agent that hears how its user sounds, beside what the recogniser understands.

    pip install emovox livekit-agents

    agent = EmotionAgent(
        instructions="…", predictor=emovox.load("mobile"), on_line=lambda line: print(line.label, line.text)
    )
    await session.start(agent=agent, room=ctx.room)

The agent's node for speech recognition gets the user's audio alone. A copy of it goes to the model. `on_event` gets
each event (speech starts, a preview every half second, speech ends), `on_line` each final line of the transcript with
its emotion.

Who may be analysed, and what users must know before: see user_voice.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from livekit import rtc
from livekit.agents import Agent, ModelSettings, stt
from user_voice import UserVoice

from emovox.runtime.predictor import Predictor
from emovox.schema.events import Event
from emovox.schema.result import SpokenLine


def _ignore(_: object) -> None:
    pass


class EmotionAgent(Agent):
    """An agent whose user's voice is analysed.

    Args:
        predictor: from `emovox.load`; agents share it.
        on_event: called with each event.
        on_line: called with each final line of the transcript.
        threshold: abstention threshold in [0, 1]; None takes the model's.
        given: arguments of `Agent`.
    """

    def __init__(
        self,
        *,
        predictor: Predictor,
        on_event: Callable[[Event], object] = _ignore,
        on_line: Callable[[SpokenLine], object] = _ignore,
        threshold: float | None = None,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self._predictor, self._on_event, self._on_line, self._threshold = predictor, on_event, on_line, threshold

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[stt.SpeechEvent | str]:
        """Recognise speech as the agent does without emotions, and hear the same audio."""
        voice = UserVoice(self._predictor, threshold=self._threshold)
        async for event in Agent.default.stt_node(self, self._heard(audio, voice), model_settings):
            yield event
            if isinstance(event, stt.SpeechEvent) and event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                self._on_line(voice.line(event.alternatives[0].text))

    async def _heard(self, audio: AsyncIterable[rtc.AudioFrame], voice: UserVoice) -> AsyncIterator[rtc.AudioFrame]:
        async for frame in audio:
            yield frame  # first: the recogniser never waits for the model
            for event in await voice.hear(bytes(frame.data), rate=frame.sample_rate, channels=frame.num_channels):
                self._on_event(event)
        for event in await voice.end():
            self._on_event(event)
