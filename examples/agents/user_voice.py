"""The voice of the user of a voice agent: audio in, events out, and an emotion for each line of the transcript.

Both adapters beside this file use it. It needs `pip install emovox` alone.

Only the user is analysed. If the user is at work or at school, the EU prohibits it (Article 5(1)(f) of the AI Act).
Inform users beforehand and ask for their consent; see RESPONSIBLE_USE.md.
"""

from __future__ import annotations

import asyncio

import numpy as np

from emovox.audio.resampling import Resampler
from emovox.runtime.predictor import Predictor
from emovox.runtime.timeline import label_of, mean_scores
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded
from emovox.schema.result import Segment, SpokenLine


class UserVoice:
    """A stream of one user; it never blocks the event loop, since the model runs in a thread.

    Args:
        predictor: from `emovox.load`; any number of users may share it.
        threshold: abstention threshold in [0, 1]; None takes the model's.
    """

    def __init__(self, predictor: Predictor, *, threshold: float | None = None) -> None:
        self._rate = predictor.card.sample_rate
        self._threshold = predictor.card.threshold if threshold is None else threshold
        self._stream = predictor.stream(threshold=threshold)
        self._resampler: Resampler | None = None
        self._input_rate = 0
        self._now = self._since = 0.0
        self._segments: list[Segment] = []
        self._preview: EmotionUpdated | None = None
        self._lock = asyncio.Lock()

    async def hear(self, pcm: bytes, *, rate: int, channels: int = 1) -> list[Event]:
        """Take the next audio, 16-bit PCM with interleaved channels at `rate` in Hz, and return the events of it."""
        async with self._lock:
            samples = np.frombuffer(pcm, "<i2").reshape(-1, channels).mean(axis=1, dtype=np.float32) / 32768
            return self._keep(await asyncio.to_thread(self._feed, samples, rate))

    async def end(self) -> list[Event]:
        """End the audio and return the last events."""
        async with self._lock:
            return self._keep(await asyncio.to_thread(self._stream.flush))

    def line(self, text: str) -> SpokenLine:
        """Return a line of the transcript with the emotion of the speech since the line before.

        A recogniser may give the line before the speech has ended here. Then the latest preview stands for it. Times
        are seconds since the user's first audio.
        """
        spoken = [segment for segment in self._segments if segment.start + segment.end > 2 * self._since]
        preview = self._preview if self._preview is not None and self._preview.end > self._since else None
        start, end, self._since, self._segments, self._preview = self._since, self._now, self._now, [], None
        if not spoken and preview is None:
            return SpokenLine(start, end, text, None, None, None)
        scores = mean_scores(spoken) if preview is None else preview.scores
        return SpokenLine(start, end, text, label_of(scores, threshold=self._threshold), max(scores.values()), scores)

    def _feed(self, samples: np.ndarray, rate: int) -> list[Event]:
        if rate != self._input_rate:
            self._input_rate = rate
            self._resampler = None if rate == self._rate else Resampler(rate, self._rate, 1)
        block = samples[None] if self._resampler is None else self._resampler.feed(samples[None])
        self._now += block.shape[1] / self._rate
        return self._stream.feed(block)

    def _keep(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, SpeechEnded):
                self._segments += event.segments
                self._preview = None  # the segments are final
            elif isinstance(event, EmotionUpdated):
                self._preview = event
        return events
