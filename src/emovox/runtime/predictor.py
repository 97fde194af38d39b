"""The front door: load a model once, then predict recordings or open streams from any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emovox.audio.reader import AudioReader, open_audio
from emovox.audio.types import AudioInput, ChannelChoice, Samples
from emovox.runtime.channel import live_analyzers, make_analyzers
from emovox.runtime.model import Model
from emovox.runtime.profile import Profile
from emovox.runtime.registry import resolve
from emovox.runtime.stream import BLOCK_SECONDS, Stream
from emovox.runtime.timeline import summarise
from emovox.schema.card import ModelCard
from emovox.schema.events import Event, SpeechEnded
from emovox.schema.result import Result, Segment

BlockObserver = Callable[[Samples, AudioReader], None]
"""Called after each block [channels, n] of a file, with its reader: for progress and pictures."""


class Predictor:
    """A model ready for use; holds no state of any recording, so all threads may share it.

    Args:
        model: the loaded graph and card.
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
    ) -> Result:
        """Analyse one recording of any length in bounded memory: a stream fed from the file.

        Args:
            source: path, file object, bytes, or (samples [n] or [channels, n], sample rate).
            channels: "mix" averages them, "split" keeps each apart, a number takes that one only (from 0).
            threshold: abstention threshold in [0, 1]; the card's unless given.
            vad: look for speech; False takes everything for speech.
            profile: of who speaks, for models whose card says adaptable; None: the training set's.
            observer: called after each block.

        Returns:
            Label, scores and timeline; `label` is None without speech and below the threshold.

        Raises:
            AudioError: the recording cannot be read, decoded or used; subclasses say why.
            MissingExtraError: its container needs an extra that is not installed.
            ConfigError: `threshold` out of range.
        """
        rate = self.card.sample_rate
        with open_audio(source, sample_rate=rate, channels=channels, block_seconds=BLOCK_SECONDS) as reader:
            numbers = (channels,) if isinstance(channels, int) else tuple(range(reader.channels))
            threshold = self.card.threshold if threshold is None else threshold
            analyzers = make_analyzers(
                self.card, numbers, threshold=threshold, hop=None, speech_only=vad, profile=profile
            )
            stream = Stream(self.model, analyzers, sample_rate=rate)
            segments: list[Segment] = []
            for block in reader.blocks():
                segments += _segments(stream.feed(block))
                if observer is not None:
                    observer(block, reader)
            segments += _segments(stream.flush())
            return summarise(
                reader.name,
                duration=reader.seconds,
                segments=segments,
                notices=reader.notices,
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
        """Open a stream for live audio: samples at the card's rate (`card.sample_rate`, in Hz), in chunks of any size.

        Args:
            channels: how many channels `feed` will get, each analysed on its own, numbered from 0; or the number that
                each has in the events.
            threshold: abstention threshold in [0, 1]; the card's unless given.
            hop: seconds between two previews (`EmotionUpdated`), a multiple of 20 ms; the card's unless given.
            profile: as in `predict`; it holds for every channel.

        Raises:
            ChannelError: no channel.
            ConfigError: `threshold` or `hop` out of range.
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


def load(name: str | None = None, *, threads: int = 1) -> Predictor:
    """Load a model.

    Args:
        name: a shipped name, or the path of a graph or card; None for the default, the most accurate small one.
        threads: threads that one call may use, >= 1; threads of your own may share the predictor at any number.

    Raises:
        UnknownModelError: no such name or file.
        CardError: card and graph contradict each other.
    """
    return Predictor(Model.load(resolve(name), threads=threads))


def predict(
    source: AudioInput, *, model: str | None = None, channels: ChannelChoice = "mix", threshold: float | None = None
) -> Result:
    """Analyse one recording with a model loaded for it alone; for several, `load` once and use `Predictor.predict`.

    Args:
        source: path, file object, bytes, or (samples, sample rate).
        model: as `name` in `load`.
        channels: as in `Predictor.predict`.
        threshold: as in `Predictor.predict`.

    Raises:
        EmovoxError: as `load` and `Predictor.predict`.
    """
    return load(model).predict(source, channels=channels, threshold=threshold)


def _segments(events: list[Event]) -> list[Segment]:
    return [segment for event in events if isinstance(event, SpeechEnded) for segment in event.segments]
