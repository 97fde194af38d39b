"""The main interface: load a model once, then predict recordings or open streams from any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emovox.adaptation.estimator import VoiceStatistics
from emovox.adaptation.voice import AdaptedScorer
from emovox.audio.given import plain_channels
from emovox.audio.reader import open_audio
from emovox.audio.types import DEFAULT_READING, AudioInput, ChannelChoice, Reading
from emovox.runtime.channel import live_analyzers
from emovox.runtime.channel_voice import STREAM, ChannelVoice, VoiceMaker, no_voice
from emovox.runtime.first_pass import BlockObserver, Heard, hear
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.runtime.second_pass import GROUPS, Adapt, adapted_result, voices_of
from emovox.runtime.speakers import SpeakerCount
from emovox.runtime.stream import BLOCK_SECONDS, Stream
from emovox.schema.arguments import number
from emovox.schema.card import ModelCard
from emovox.schema.errors import ConfigError
from emovox.schema.label_sets import sets_of, with_sets
from emovox.schema.result import Result

if TYPE_CHECKING:  # its import takes some milliseconds, and most programs need none
    from emovox.adaptation.speaker import SpeakerProfile
    from emovox.runtime.teaching import Teach


class Predictor:
    """A loaded model; it has no state of a recording, so all threads may share it.

    A pickle holds the path of the model, not its weights: a process that unpickles it loads the model from there.

    Args:
        model: the loaded graph and its card; `card.sample_rate` is in Hz.
        speaker: whose voice the scores are adapted to; see `for_speaker`.
        name: of the speaker, for results.
        source: what is known of the room, the line or the folder.

    Raises:
        SpeakerError: `speaker` or `source` belongs to another model.
    """

    def __init__(
        self,
        model: Model,
        *,
        speaker: SpeakerProfile | None = None,
        name: str = "",
        source: SpeakerProfile | None = None,
    ) -> None:
        for profile in (speaker, source):
            if profile is not None:
                profile.check(model.card.name, model.card.sha256)
        self.model, self.speaker, self.name, self.source = model, speaker, name, source

    def for_speaker(
        self, speaker: SpeakerProfile | None = None, *, name: str = "", source: SpeakerProfile | None = None
    ) -> Predictor:
        """Return a predictor whose scores are adapted to a speaker; it shares the model.

        Args:
            speaker: from `learn`, `emovox.adaptation.store.SpeakerStore` or `read_speaker`; None: nothing is known.
            name: of the speaker, for `Result.adapted`.
            source: the same for a room, a line or a folder, from recordings of other speakers there. If its head has
                learnt and the speaker's has not, the source's head counts.

        Raises:
            SpeakerError: a profile belongs to another model.
            AdaptError: this model cannot adapt.
        """
        if speaker is not None or source is not None:
            _ = self.model.adaptation  # raises
        return Predictor(self.model, speaker=speaker, name=name, source=source)

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
        adapt: Adapt = "off",
        speakers: SpeakerCount | None = None,
        coverage: int | None = None,
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
            adapt: "recording" scores all tiles again, adapted to the voice of the recording; "channel" to that of each
                channel, "speaker" to that of each of the `speakers`. It takes 25 kB a tile at most, and some
                milliseconds.
            speakers: number of speakers, 1 to 20, or "auto" to find it, up to 8. Segments then have a `speaker`, and
                end where the speaker changes. The recording is read twice.
            coverage: percent, 80, 90 or 95: the result and each segment get a `label_set`, which holds the true label
                of a new speaker with this probability.
            observer: called after each block of 10 seconds, and before that with empty blocks in a pass for speakers.
            reading: which audio track of a container, and what bare samples are.

        Returns:
            Label, scores and timeline in seconds; `label` is None without speech and below the threshold.

        Raises:
            AudioError: the recording cannot be read, decoded or used; subclasses say why.
            MissingExtraError: its container needs an extra that is not installed.
            ConfigError: `threshold`, `speakers` or `coverage` is out of range, or `adapt` is unknown, goes together
                with a speaker, or is "speaker" without `speakers`.
            AdaptError: `adapt` is given, and the model cannot adapt.
            NoSetsError: `coverage` is given, and the model has no sets.
        """
        self._check_adapt(adapt, speakers)
        sets = None if coverage is None else sets_of(self.card, coverage)
        heard = self.hear(
            source,
            channels=channels,
            threshold=threshold,
            vad=vad,
            keep=adapt != "off",
            speakers=speakers,
            observer=observer,
            reading=reading,
        )
        if adapt == "off":
            voice = self.voice_maker()()
            result = heard.result(adapted=None if voice is None else voice.adapted)
        else:
            group = GROUPS[adapt]
            voices = voices_of(self.model, heard, group)
            result = adapted_result(self.model, heard, voices, group=group, source=adapt, prior=self.prior)
        return result if sets is None else with_sets(result, sets)

    def hear(
        self,
        source: AudioInput,
        *,
        channels: ChannelChoice = "mix",
        threshold: float | None = None,
        vad: bool = True,
        keep: bool = True,
        speakers: SpeakerCount | None = None,
        observer: BlockObserver | None = None,
        reading: Reading = DEFAULT_READING,
    ) -> Heard:
        """Make the first pass over a recording; arguments as for `predict`.

        `emovox.runtime.second_pass` scores what is kept again, adapted to voices of one or several recordings.
        """
        rate, channels = self.card.sample_rate, plain_channels(channels)
        with open_audio(
            source, sample_rate=rate, channels=channels, block_seconds=BLOCK_SECONDS, reading=reading
        ) as reader:
            numbers = (channels,) if isinstance(channels, int) else tuple(range(reader.channels))
            threshold = self.card.threshold if threshold is None else number(threshold, "threshold")
            return hear(
                self.model,
                reader,
                numbers,
                threshold=threshold,
                vad=vad,
                voice=no_voice if keep else self.voice_maker(),
                keep=keep,
                speakers=speakers,
                observer=observer,
            )

    def learn(
        self,
        source: AudioInput,
        label: str | None = None,
        *,
        teach: Teach = "voice",
        channels: ChannelChoice = "mix",
        observer: BlockObserver | None = None,
        reading: Reading = DEFAULT_READING,
    ) -> SpeakerProfile:
        """Add a recording to this predictor's profile, which adapts all that it predicts from now on.

        Streams that are open already are not changed.

        Args:
            source: as in `predict`; only the speaker is heard in it. If only the head learns, it may be anybody.
            label: the emotion in the recording; None: unknown.
            teach: what it teaches: the profile's "voice", the model's "head", or "both". A head that learns keeps
                embeddings of single clips in the profile, which are personal data.
            channels: as in `predict`.
            observer: as in `predict`.
            reading: as in `predict`.

        Returns:
            The new profile; `emovox.adaptation.store.SpeakerStore` keeps it. It takes some milliseconds beyond the
            prediction.

        Raises:
            AudioError: as in `predict`.
            SpeakerError: there is no speech in the recording, the model has no such label, or a head is to learn
                without one.
            AdaptError: this model cannot adapt.
        """
        from emovox.runtime.teaching import check_label, taught

        check_label(self.model, label, teach)
        heard = self.hear(source, channels=channels, observer=observer, reading=reading)
        self.speaker = taught(self.model, self.speaker, heard, label, teach)
        return self.speaker

    def voice_maker(self, *, adapt: bool = False) -> VoiceMaker:
        """Return what makes the voice of each channel of a recording.

        Args:
            adapt: whether the voice learns, tile by tile, from what it hears.

        Raises:
            AdaptError: `adapt` is given, or there is a speaker, and the model cannot adapt.
        """
        if not adapt and self.speaker is None and self.source is None:
            return no_voice
        known, prior, model = self.speaker, self.prior, self.model
        parameters = model.adaptation
        voice = None if known is None else known.voice
        learner = next((one.learner for one in (known, self.source) if one is not None and one.learner), None)
        correct = None if learner is None else lambda rows, scores: learner.corrected(model.embedding(rows), scores)
        make = lambda: AdaptedScorer(model, parameters, voice, source=prior, correct=correct)  # noqa: E731
        source = STREAM if adapt else f"speaker {self.name}".strip() if known is not None else "source"
        if adapt:
            return lambda: ChannelVoice(make, source, learns=True)
        fixed = ChannelVoice(make, source, learns=False)
        return lambda: fixed

    @property
    def prior(self) -> VoiceStatistics | None:
        """Sums over clips of other speakers from the same source, where adaptation starts; None: no source is known."""
        return None if self.source is None else self.source.voice.unlabelled

    def _check_adapt(self, adapt: str, speakers: SpeakerCount | None) -> None:
        if adapt == "off":
            return
        if adapt not in GROUPS:
            raise ConfigError(f"adapt is '{adapt}', expected off, {', '.join(GROUPS)}")
        if self.speaker is not None:
            raise ConfigError(f"adapt is '{adapt}' for a predictor of one speaker, expected off; choose one of both")
        if adapt == "speaker" and speakers is None:
            raise ConfigError("adapt is 'speaker' without speakers, expected their number or auto; give speakers")

    def stream(
        self,
        *,
        channels: int | Sequence[int] = 1,
        threshold: float | None = None,
        hop: float | None = None,
        adapt: bool = False,
        coverage: int | None = None,
    ) -> Stream:
        """Open a stream for live audio at the card's rate (`card.sample_rate`, in Hz), in chunks of any size.

        Args:
            channels: the count of channels that `feed` gets, each analysed separately, numbered from 0; or the number
                of each channel in the events.
            threshold: abstention threshold in [0, 1]; None takes the card's.
            hop: seconds between two previews (`EmotionUpdated`), a multiple of 20 ms; None takes the card's.
            adapt: whether each channel learns the voice that it hears, tile by tile. It starts from the speaker of this
                predictor, if there is one.
            coverage: percent, as in `predict`: previews and `SpeechEnded` get a `label_set`, too.

        Raises:
            ChannelError: there is no channel.
            ConfigError: `threshold`, `hop` or `coverage` is out of range.
            NoSetsError: `coverage` is given, and the model has no sets.
            AdaptError: `adapt` is given, and the model cannot adapt.
        """
        voice = self.voice_maker(adapt=adapt)
        analyzers = live_analyzers(
            self.card, channels=channels, threshold=threshold, hop=hop, voice=voice, coverage=coverage
        )
        return Stream(self.model, analyzers, sample_rate=self.card.sample_rate)

    def __repr__(self) -> str:
        card = self.card
        return (
            f"Predictor({card.name} {card.version}: samples float32 [batch, n], {card.shortest} to {card.longest} s "
            f"at {card.sample_rate} Hz -> {', '.join(card.labels)}; "
            f"{card.parameters:,} parameters, {self.model.size / 1e6:.1f} MB)"
        )


def load(name: str | None = None, *, head: str | None = None, threads: int = 1, device: str | None = None) -> Predictor:
    """Load a model.

    Args:
        name: name of a shipped model, or path of a graph or card; None takes the default, the most accurate small one.
        head: name of a shipped head, or path of one, in place of the model's own head. "permissive" belongs to
            "accurate" and learnt from EMO-DB alone; its labels lack surprise.
        threads: number of threads for one call, >= 1. Any number of your threads may share the predictor.
        device: "cpu", "cuda" or "tensorrt"; None takes `$EMOVOX_DEVICE`, and else the CPU. The other two need
            onnxruntime-gpu in place of onnxruntime.

    Raises:
        UnknownModelError: there is no such name or file.
        CardError: card and graph, or head and model, do not belong together.
        ModelError: there is no such device here.
    """
    return Predictor(Model.load(resolve(name, head=head), threads=threads, device=device))


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
