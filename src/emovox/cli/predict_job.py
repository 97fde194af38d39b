"""The recordings of one call of `emovox predict`: each becomes a result or a failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import BinaryIO, TypeVar

from emovox.audio.reader import AudioReader
from emovox.audio.source import name_of
from emovox.audio.types import ChannelChoice, Reading, Samples
from emovox.cli.console import Bar, clock
from emovox.fusion.alignment import fitting_lines, with_transcript
from emovox.fusion.face.modality import face_modality
from emovox.fusion.modalities import FACE, VOICE_ALONE, OtherModality, fused
from emovox.fusion.text.emotion import TextEmotion
from emovox.fusion.text.modality import words_of
from emovox.fusion.transcript import Transcript
from emovox.runtime.envelope import Envelope
from emovox.runtime.first_pass import BlockObserver, Heard
from emovox.runtime.folder_pass import FolderPass
from emovox.runtime.predictor import Predictor
from emovox.runtime.speakers import SpeakerCount
from emovox.schema.errors import EmovoxError, UnreadableError
from emovox.schema.label_sets import with_sets
from emovox.schema.result import Failure, Notice, Result, ResultRow
from emovox.schema.trust import CardSets

STDIN = "-"
"""Stands for standard input on the command line."""

Outcome = TypeVar("Outcome", Result, Heard)


class AdaptTo(StrEnum):
    """What the scores are adapted to."""

    OFF = "off"
    RECORDING = "recording"
    CHANNEL = "channel"
    SPEAKER = "speaker"
    FOLDER = "folder"


class PredictJob:
    """The recordings of one call, analysed one after the other while the caller writes the rows."""

    def __init__(
        self,
        predictor: Predictor,
        sources: Sequence[str | Failure],
        *,
        choice: ChannelChoice,
        threshold: float | None,
        reading: Reading,
        adapt: AdaptTo,
        speakers: SpeakerCount | None,
        bar: Bar,
        plotted: bool,
        words: Callable[[str], Transcript] | None = None,
        emotion: TextEmotion | None = None,
        sets: CardSets | None = None,
        modalities: Mapping[str, float | None] = VOICE_ALONE,
    ) -> None:
        self.predictor = predictor
        self.failed = 0
        self.picture: tuple[Result, Envelope] | None = None
        self.several = len(sources) > 1
        self.speakers = speakers
        self.words, self._emotion = words, emotion
        self.sets, self.modalities = sets, modalities
        self._reading, self._adapt = reading, adapt
        self._sources, self._choice, self._threshold, self._bar = sources, choice, threshold, bar
        self._envelope = Envelope(sample_rate=predictor.card.sample_rate) if plotted else None

    def rows(self) -> Iterator[ResultRow]:
        """Yield the result or the failure of each source; count failures."""
        for row in self._folder_rows() if self._adapt is AdaptTo.FOLDER else self._single_rows():
            self.failed += isinstance(row, Failure)
            if self._envelope is not None and isinstance(row, Result):
                self.picture = row, self._envelope
            yield row

    def _single_rows(self) -> Iterator[ResultRow]:
        for number, source in enumerate(self._sources):
            row = source if isinstance(source, Failure) else self._tried(source, number, self._predicted)
            yield row if isinstance(row, Failure) else self._finished(row, number)

    def _folder_rows(self) -> Iterator[ResultRow]:
        with FolderPass(self.predictor) as folder_pass:
            failures: list[Failure | None] = []
            for number, source in enumerate(self._sources):
                found = source if isinstance(source, Failure) else self._tried(source, number, self._heard)
                failures.append(found if isinstance(found, Failure) else None)
                if isinstance(found, Heard):
                    folder_pass.add(found, os.path.dirname(str(source)))
            results = folder_pass.results()
            for number, failure in enumerate(failures):
                yield self._finished(next(results), number) if failure is None else failure

    def _finished(self, result: Result, number: int) -> Result:
        """Add other modalities, sets of labels, and the lines that are said; wrong lines are a warning."""
        threshold = self.predictor.card.threshold if self._threshold is None else self._threshold
        transcript = None if self.words is None else self.words(str(self._sources[number]))
        if len(self.modalities) > 1:
            face = [self._face(result, number)] if FACE in self.modalities else []
            lines = fitting_lines(result, transcript)
            text = [words_of(lines, self._emotion)] if self._emotion is not None else []
            others = [other.weighing(self.modalities[other.name]) for other in (*face, *text)]
            result = fused(result, others, threshold=threshold)
        if self.sets is not None:
            result = with_sets(result, self.sets)
        return result if transcript is None else with_transcript(result, transcript, threshold=threshold)

    def _face(self, result: Result, number: int) -> OtherModality:
        def observe(seconds: float) -> None:
            """Show the progress over the pictures."""
            share = min(1.0, seconds / max(result.duration, 1e-3))
            self._bar.update(number + share, f"{clock(seconds)}  {result.file}: face")

        return face_modality(str(self._sources[number]), observe)

    def _predicted(self, source: str | BinaryIO, observer: BlockObserver) -> Result:
        return self.predictor.predict(
            source,
            channels=self._choice,
            threshold=self._threshold,
            adapt=self._adapt.value,  # type: ignore[arg-type]  # folder goes the other way
            speakers=self.speakers,
            observer=observer,
            reading=self._reading,
        )

    def _heard(self, source: str | BinaryIO, observer: BlockObserver) -> Heard:
        return self.predictor.hear(
            source,
            channels=self._choice,
            threshold=self._threshold,
            speakers=self.speakers,
            observer=observer,
            reading=self._reading,
        )

    def _tried(
        self, source: str, number: int, work: Callable[[str | BinaryIO, BlockObserver], Outcome]
    ) -> Outcome | Failure:
        def observe(block: Samples, reader: AudioReader) -> None:
            """Show the progress, and add a block [channels, n] to the outline."""
            share = reader.progress if self.speakers is None else (bool(block.size) + reader.progress) / 2
            self._bar.update(number + share, f"{clock(reader.seconds)}  {reader.name}")
            if self._envelope is not None:
                self._envelope.feed(block)

        try:
            return work(standard_input() if source == STDIN else source, observe)
        except EmovoxError as error:
            return failure(source, error)


def standard_input() -> BinaryIO:
    """Return standard input.

    Raises:
        UnreadableError: there is none.
    """
    if sys.stdin is None:
        raise UnreadableError("<stdin>: got no standard input, expected a recording; pipe one in")
    return sys.stdin.buffer


def failure(source: str, error: EmovoxError) -> Failure:
    """Return the row of a source that cannot be analysed."""
    name = "<stdin>" if source == STDIN else name_of(source)
    return Failure(name, Notice(error.code, str(error)))
