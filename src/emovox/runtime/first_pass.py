"""The first pass over a recording: speech, tiles, and what the model says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np

from emovox.audio.reader import AudioReader
from emovox.audio.types import Samples
from emovox.runtime.channel import ChannelAnalyzer, make_analyzers
from emovox.runtime.channel_voice import VoiceMaker, no_voice
from emovox.runtime.model import Model
from emovox.runtime.segmenter import SegmenterConfig
from emovox.runtime.speakers import SpeakerCount, Turn, cuts_of, find_turns, speaker_at, speaker_count
from emovox.runtime.speech_network import may_hold_speech
from emovox.runtime.stream import Stream
from emovox.runtime.timeline import in_time, summarise
from emovox.schema.card import ModelCard
from emovox.schema.events import Event, SpeechEnded
from emovox.schema.result import Adapted, Notice, Result, Segment

LONGEST_UNCERTAIN = 30.0
"""Longest recording that is scored as a whole if no speech is found in it, in seconds of all its channels together."""

UNCERTAIN_PROBABILITY = 0.2
"""Probability of speech above which that is done. Of noise without a region, 4 to 12 % of the clips reach it; of
noisy speech without a region, nearly all."""

UNCERTAIN_SPEECH = "speech_uncertain"

_DOUBT = "no speech found for certain in {:.1f} s; all of it was scored"

BlockObserver = Callable[[Samples, AudioReader], None]
"""Callback after each block [channels, n] of a recording, with its reader; for progress and plots. Where speakers are
looked for, it is first called with an empty block [channels, 0] for each block of that pass."""


@dataclass(frozen=True, eq=False, slots=True)
class Heard:
    """A recording after the first pass.

    Attributes:
        file: its name.
        duration: its length in seconds.
        segments: by time, then channel.
        notices: warnings of decoding and of voice activity detection.
        threshold: abstention threshold in [0, 1].
        statistics: [segments, p] float32, in the order of `segments`; [0, 0] if they were not kept.
        unfamiliarity: distance from the recordings in training, of the farthest channel; None: unknown.
    """

    file: str
    duration: float
    segments: tuple[Segment, ...]
    notices: tuple[Notice, ...]
    threshold: float
    statistics: Samples
    unfamiliarity: float | None = None

    def result(self, segments: Sequence[Segment] | None = None, adapted: Adapted | None = None) -> Result:
        """Return the result, with the segments of a second pass in place of those of the first, if given."""
        return summarise(
            self.file,
            duration=self.duration,
            segments=self.segments if segments is None else segments,
            notices=self.notices,
            threshold=self.threshold,
            adapted=adapted,
            unfamiliarity=self.unfamiliarity,
        )


def hear(
    model: Model,
    reader: AudioReader,
    numbers: Sequence[int],
    *,
    threshold: float,
    vad: bool = True,
    voice: VoiceMaker = no_voice,
    keep: bool = False,
    speakers: SpeakerCount | None = None,
    observer: BlockObserver | None = None,
) -> Heard:
    """Run a model over a recording of any length in bounded memory.

    Args:
        model: scores the tiles.
        reader: reads the recording at the model's rate.
        numbers: number of each channel in the segments.
        threshold: abstention threshold in [0, 1].
        vad: whether to look for speech. If none is found in a recording of at most 30 s (of all channels together) that
            may hold some, all of it is scored, with the warning `speech_uncertain`.
        voice: makes what adapts the scores of a channel.
        keep: whether to keep the statistics of the tiles, up to 25 kB each.
        speakers: number of speakers, or "auto"; None does not look for them. Else the recording is read twice.
        observer: called after each block.

    Raises:
        AudioError: the recording cannot be decoded or used.
        ConfigError: `threshold` is out of range.
    """
    rate = model.card.sample_rate
    make = partial(make_analyzers, model.card, threshold=threshold, hop=None, voice=voice, keep=keep)
    turns = {} if speakers is None else _turns(model.card, reader, numbers, speakers, vad=vad, observer=observer)
    analyzers = make(numbers, speech_only=vad, cuts=[cuts_of(turns.get(number, ())) for number in numbers])
    stream = Stream(model, analyzers, sample_rate=rate)
    segments: list[Segment] = []
    waiting: list[Samples] = []  # for a second look
    for block in reader.blocks():
        segments += _segments(stream.feed(block))
        is_short = reader.seconds * len(block) <= LONGEST_UNCERTAIN
        waiting = [*waiting, block] if vad and is_short and not segments else []
        if observer is not None:
            observer(block, reader)
    segments += _segments(stream.flush())
    notices = list(reader.notices)
    if waiting and not segments:
        audio = np.concatenate(waiting, axis=1)
        rows = [row for row, samples in enumerate(audio) if _may_hold_speech(samples, rate)]
        analyzers = make([numbers[row] for row in rows], speech_only=False)
        whole = Stream(model, analyzers, sample_rate=rate)
        segments = _segments(whole.feed(audio[rows]) + whole.flush()) if rows else []
        if segments:
            notices.append(Notice(UNCERTAIN_SPEECH, _DOUBT.format(reader.seconds)))
    return Heard(
        file=reader.name,
        duration=reader.seconds,
        segments=tuple(sorted(segments, key=in_time)) if speakers is None else _named(segments, turns, rate),
        notices=tuple(notices),
        threshold=threshold,
        statistics=_statistics(segments, analyzers),
        unfamiliarity=max((one for each in analyzers if (one := each.unfamiliarity) is not None), default=None),
    )


def _turns(
    card: ModelCard,
    reader: AudioReader,
    numbers: Sequence[int],
    speakers: SpeakerCount,
    *,
    vad: bool,
    observer: BlockObserver | None,
) -> dict[int, tuple[Turn, ...]]:
    """Return the turns of each channel, by its number; the observer gets empty blocks."""
    count = speaker_count(speakers)
    if count == 1:
        return {}

    def blocks() -> Iterator[Samples]:
        for block in reader.blocks():
            yield block
            if observer is not None:
                observer(block[:, :0], reader)

    config = SegmenterConfig(sample_rate=card.sample_rate, window=card.window, shortest=card.shortest)
    found = find_turns(blocks(), channels=len(numbers), speakers=count, config=config, speech_only=vad)
    return dict(zip(numbers, found, strict=True))


def _named(segments: Sequence[Segment], turns: Mapping[int, Sequence[Turn]], rate: int) -> tuple[Segment, ...]:
    """Return the segments in time, with their speakers by first appearance."""
    ordered = sorted(segments, key=in_time)
    numbers: dict[int, int] = {}
    named = []
    for segment in ordered:
        speaker = speaker_at(turns.get(segment.channel, ()), round(segment.start * rate), round(segment.end * rate))
        named.append(msgspec.structs.replace(segment, speaker=numbers.setdefault(speaker, len(numbers))))
    return tuple(named)


def _statistics(segments: Sequence[Segment], analyzers: Sequence[ChannelAnalyzer]) -> Samples:
    """Return the statistics that were kept, in the order of time; `segments` are in the order of the events."""
    kept = {analyzer.channel: iter(analyzer.kept) for analyzer in analyzers if analyzer.kept}
    if not kept:
        return np.zeros((0, 0), np.float32)
    rows = np.stack([next(kept[segment.channel]) for segment in segments])
    places = sorted(range(len(segments)), key=lambda place: in_time(segments[place]))
    return np.asarray(rows[places])


def _segments(events: list[Event]) -> list[Segment]:
    return [segment for event in events if isinstance(event, SpeechEnded) for segment in event.segments]


def _may_hold_speech(samples: Samples, sample_rate: int) -> bool:
    return may_hold_speech(samples, sample_rate=sample_rate, threshold=UNCERTAIN_PROBABILITY)
