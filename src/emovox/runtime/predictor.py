"""The main interface: load a model once, then predict recordings or open streams from any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from emovox.adaptation.profile import Profile
from emovox.audio.given import plain_channels
from emovox.audio.reader import AudioReader, open_audio
from emovox.audio.types import DEFAULT_READING, AudioInput, ChannelChoice, Reading, Samples
from emovox.runtime.channel import live_analyzers, make_analyzers
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.runtime.speech_network import may_hold_speech
from emovox.runtime.stream import BLOCK_SECONDS, Stream
from emovox.runtime.timeline import summarise
from emovox.schema.arguments import number
from emovox.schema.card import ModelCard
from emovox.schema.events import Event, SpeechEnded
from emovox.schema.result import Notice, Result, Segment

LONGEST_UNCERTAIN = 30.0
"""Longest recording that is scored as a whole if no speech is found in it, in seconds of all its channels together."""

UNCERTAIN_PROBABILITY = 0.2
"""Probability of speech above which that is done. Of noise without a region, 4 to 12 % of the clips reach it; of
noisy speech without a region, nearly all."""

_DOUBT = "no speech found for certain in {:.1f} s; all of it was scored"

BlockObserver = Callable[[Samples, AudioReader], None]
"""Callback after each block [channels, n] of a recording, with its reader; for progress and plots."""


class Predictor:
    """A loaded model; it has no state of a recording, so all threads may share it.

    A pickle holds the path of the model, not its weights: a process that unpickles it loads the model from there.

    Args:
        model: the loaded graph and its card; `card.sample_rate` is in Hz.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self.model.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the scores."""
        return self.model.card.labels

    def predict(
        self,
        source: AudioInput,
        *,
        channels: ChannelChoice = "mix",
        threshold: float | None = None,
        vad: bool = True,
        profile: Profile | None = None,
        observer: BlockObserver | None = None,
        reading: Reading = DEFAULT_READING,
    ) -> Result:
        """Analyse one recording of any length in bounded memory.

        Args:
            source: path, file object, bytes, `soundfile.SoundFile`, or (samples [n] or [channels, n], rate in Hz).
            channels: "mix" averages the channels, "split" analyses each one, a number selects one (from 0).
            threshold: abstention threshold in [0, 1]; None takes the card's.
            vad: whether to look for speech; False treats the whole recording as speech. If none is found in a recording
                of at most 30 s (of all channels together) that may hold some, all of it is scored, with the warning
                `speech_uncertain`.
            profile: profile of the speaker, for models with an adaptable card; None takes the training set's.
            observer: called after each block of 10 seconds.
            reading: which audio track of a container, and what bare samples are.

        Returns:
            Label, scores and timeline in seconds; `label` is None without speech and below the threshold.

        Raises:
            AudioError: the recording cannot be read, decoded or used; subclasses say why.
            MissingExtraError: its container needs an extra that is not installed.
            ConfigError: `threshold` is out of range.
        """
        rate, channels = self.card.sample_rate, plain_channels(channels)
        with open_audio(
            source, sample_rate=rate, channels=channels, block_seconds=BLOCK_SECONDS, reading=reading
        ) as reader:
            numbers = (channels,) if isinstance(channels, int) else tuple(range(reader.channels))
            threshold = self.card.threshold if threshold is None else number(threshold, "threshold")
            make = partial(make_analyzers, self.card, threshold=threshold, hop=None, profile=profile)
            stream = Stream(self.model, make(numbers, speech_only=vad), sample_rate=rate)
            segments: list[Segment] = []
            kept: list[Samples] = []  # for a second look
            for block in reader.blocks():
                segments += _segments(stream.feed(block))
                is_short = reader.seconds * len(block) <= LONGEST_UNCERTAIN
                kept = [*kept, block] if vad and is_short and not segments else []
                if observer is not None:
                    observer(block, reader)
            segments += _segments(stream.flush())
            notices = list(reader.notices)
            if kept and not segments:
                audio = np.concatenate(kept, axis=1)
                rows = [row for row, samples in enumerate(audio) if _may_hold_speech(samples, rate)]
                whole = Stream(self.model, make([numbers[row] for row in rows], speech_only=False), sample_rate=rate)
                segments = _segments(whole.feed(audio[rows]) + whole.flush()) if rows else []
                if segments:
                    notices.append(Notice("speech_uncertain", _DOUBT.format(reader.seconds)))
            return summarise(
                reader.name,
                duration=reader.seconds,
                segments=segments,
                notices=notices,
                threshold=threshold,
            )

    def stream(
        self,
        *,
        channels: int | Sequence[int] = 1,
        threshold: float | None = None,
        hop: float | None = None,
        profile: Profile | None = None,
    ) -> Stream:
        """Open a stream for live audio at the card's rate (`card.sample_rate`, in Hz), in chunks of any size.

        Args:
            channels: the count of channels that `feed` gets, each analysed separately, numbered from 0; or the number
                of each channel in the events.
            threshold: abstention threshold in [0, 1]; None takes the card's.
            hop: seconds between two previews (`EmotionUpdated`), a multiple of 20 ms; None takes the card's.
            profile: as in `predict`; it applies to every channel.

        Raises:
            ChannelError: there is no channel.
            ConfigError: `threshold` or `hop` is out of range.
        """
        analyzers = live_analyzers(self.card, channels=channels, threshold=threshold, hop=hop, profile=profile)
        return Stream(self.model, analyzers, sample_rate=self.card.sample_rate)

    def __repr__(self) -> str:
        card = self.card
        return (
            f"Predictor({card.name} {card.version}: samples float32 [batch, n], {card.shortest} to {card.longest} s "
            f"at {card.sample_rate} Hz -> {', '.join(card.labels)}; "
            f"{card.parameters:,} parameters, {self.model.size / 1e6:.1f} MB)"
        )


def load(name: str | None = None, *, head: str | None = None, threads: int = 1) -> Predictor:
    """Load a model.

    Args:
        name: name of a shipped model, or path of a graph or card; None takes the default, the most accurate small one.
        head: name of a shipped head, or path of one, in place of the model's own head. "permissive" belongs to
            "accurate" and learnt from EMO-DB alone; its labels lack surprise.
        threads: number of threads for one call, >= 1. Any number of your threads may share the predictor.

    Raises:
        UnknownModelError: there is no such name or file.
        CardError: card and graph, or head and model, do not belong together.
    """
    return Predictor(Model.load(resolve(name, head=head), threads=threads))


def predict(
    source: AudioInput, *, model: str | None = None, channels: ChannelChoice = "mix", threshold: float | None = None
) -> Result:
    """Load a model and analyse one recording; for several, `load` once and use `Predictor.predict`.

    Args:
        source: path, file object, bytes, or (samples [n] or [channels, n], sample rate in Hz).
        model: as `name` in `load`.
        channels: as in `Predictor.predict`.
        threshold: as in `Predictor.predict`.

    Raises:
        EmovoxError: as `load` and `Predictor.predict`.
    """
    return load(model).predict(source, channels=channels, threshold=threshold)


def _segments(events: list[Event]) -> list[Segment]:
    return [segment for event in events if isinstance(event, SpeechEnded) for segment in event.segments]


def _may_hold_speech(samples: Samples, sample_rate: int) -> bool:
    return may_hold_speech(samples, sample_rate=sample_rate, threshold=UNCERTAIN_PROBABILITY)
