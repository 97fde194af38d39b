"""One run of `emovox listen`: open a source, listen, show events, then show the summary and save the results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from emovox.audio.reader import AudioReader, open_live
from emovox.audio.recorder import Recorder, check_recording
from emovox.audio.types import ChannelChoice
from emovox.cli.console import InputFiles, Write, coloured, complain, say, say_limits, writing
from emovox.cli.live.opening import OpenedSource, SourceOptions, open_source
from emovox.cli.live.screen import Lines
from emovox.cli.signals import StopOnSignal
from emovox.cli.table import table_text
from emovox.runtime.adapted import adapted_predictor
from emovox.runtime.listener import Listener, TimedEvent
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor, load
from emovox.schema.errors import ConfigError, PipelineError
from emovox.schema.formats import json_text
from emovox.schema.result import ModelInfo, Result

BLOCK_SECONDS = 0.1
"""Seconds of a recording that are decoded at a time: a fifth of the usual hop."""


class OutputOptions(NamedTuple):
    """The options of `emovox listen` that say what to save: audio, result, and whether to replace files."""

    save: Path | None
    json: Path | None
    overwrite: bool

    def check(self, source: str | None) -> None:
        """Check before listening that no file would be lost; `source` is the input file, if any.

        Raises:
            ConfigError: an output exists, is the input or the other output, or has a wrong suffix.
        """
        if source is not None:
            InputFiles([source]).spare(self.save, self.json)
        if self.save is not None and self.json is not None and self.save.resolve() == self.json.resolve():
            raise ConfigError(f"{self.save}: got one file for the sound and the result, expected two; rename one")
        if self.save is not None:
            check_recording(self.save, overwrite=self.overwrite)
        if self.json is not None and self.json.is_file() and not self.overwrite:
            raise ConfigError(f"{self.json}: exists already; give another name, or --overwrite to lose what is in it")

    def __str__(self) -> str:
        kept = [str(path) for path in (self.save, self.json) if path is not None]
        return f"kept in {' and '.join(kept)}" if kept else "nothing is kept"


class VoiceOptions(NamedTuple):
    """The options of `emovox listen` that say what the scores are adapted to.

    Attributes:
        speaker: name of a speaker; None: none.
        source: name of a source; None: none.
        adapt: whether each channel learns the voice that it hears.
    """

    speaker: str | None = None
    source: str | None = None
    adapt: bool = False


NO_VOICE = VoiceOptions()
"""Scores are not adapted."""


class Sink(Protocol):
    """An output for events."""

    def show(self, events: Sequence[TimedEvent], listener: Listener) -> float:
        """Show the latest events, if any. Return the seconds until the next call, at most."""


class LiveSession:
    """One live session, from the options to the exit status.

    Args:
        source: what to listen to.
        output: what to save.
        model: as `name` in `emovox.load`.
        channels: which channels to analyse.
        threshold: abstention threshold in [0, 1]; None takes the card's.
        hop: seconds between two previews; None takes the card's.
        voice: what the scores are adapted to.
    """

    def __init__(
        self,
        source: SourceOptions,
        output: OutputOptions,
        *,
        model: str | None,
        channels: ChannelChoice,
        threshold: float | None,
        hop: float | None,
        voice: VoiceOptions = NO_VOICE,
    ) -> None:
        output.check(source.input)
        self._source, self._output, self._channels = source, output, channels
        self._adapt = voice.adapt
        self._predictor = adapted_predictor(load(model), voice.speaker, voice.source, adapt=voice.adapt)
        card = self._predictor.card
        self._threshold = card.threshold if threshold is None else threshold
        self._hop = card.hop if hop is None else hop

    def run(self, *, json: bool, screen: bool) -> int:
        """Listen until the source ends or a signal arrives.

        Args:
            json: whether to print events as JSON, one per line.
            screen: whether to show the screen; otherwise one line per event.

        Returns:
            The exit status.

        Raises:
            EmovoxError: what ended it; everything that was heard is finished.
            OSError: standard output is gone.
        """
        with ExitStack() as stack:
            rate = self._predictor.card.sample_rate
            opened = open_source(self._source, rate=rate, channels=self._channels)
            source = stack.enter_context(closing(opened.source))
            reader = stack.enter_context(
                open_live(
                    source, name=opened.name, sample_rate=rate, channels=self._channels, block_seconds=BLOCK_SECONDS
                )
            )
            pipeline = stack.enter_context(Pipeline(self._predictor))
            stream = pipeline.open(
                channels=self._numbers(reader), threshold=self._threshold, hop=self._hop, adapt=self._adapt
            )
            write = None if self._output.json is None else stack.enter_context(writing(self._output.json))
            _warm(self._predictor)
            recorder = self._recorder(reader, stack)  # last, since it replaces an older recording
            listener = Listener(source, reader, stream, recorder=recorder)
            stack.callback(listener.close)
            with StopOnSignal(listener.stop) as ending:
                self._introduce(opened)
                failure = self._show(listener, opened, json=json, screen=screen)
            result = listener.result(str(self._output.save or opened.name), threshold=self._threshold)
            self._write(result, write)
        if failure is not None:
            raise failure
        self._sum_up(result, to_stderr=json)
        if listener.error is not None:
            raise listener.error
        return ending.status

    def _recorder(self, reader: AudioReader, stack: ExitStack) -> Recorder | None:
        if self._output.save is None:
            return None
        recorder = Recorder(
            self._output.save, rate=reader.sample_rate, channels=reader.channels, overwrite=self._output.overwrite
        )
        stack.callback(recorder.close)  # for an error before the listener starts; later the listener closes it
        return recorder

    def _numbers(self, reader: AudioReader) -> Sequence[int]:
        """Return the channels' numbers in the events. A saved recording of one channel has only channel 0."""
        first = self._channels if isinstance(self._channels, int) and self._output.save is None else 0
        return range(first, first + reader.channels)

    def _introduce(self, opened: OpenedSource) -> None:
        card = self._predictor.card
        say_limits(card)
        complain(f"{card.name} {card.version} listens to {opened.title}; {self._output}")

    def _show(self, listener: Listener, opened: OpenedSource, *, json: bool, screen: bool) -> OSError | None:
        if not screen:
            return _follow(listener, Lines(json=json, channels=listener.reader.channels))
        from rich.console import Console

        from emovox.cli.live.screen import Screen
        from emovox.cli.live.state import LiveState

        card = self._predictor.card
        state = LiveState(
            card.labels,
            hop=self._hop,
            channels=self._numbers(listener.reader),
            title=f"{card.name} {card.version}",
            source=opened.title,
            keeping=str(self._output),
            adapted=listener.adapted,
        )
        with Screen(state, console=Console()) as drawn:
            return _follow(listener, drawn)

    def _write(self, result: Result, write: Write | None) -> None:
        if write is None:
            return
        card = self._predictor.card
        for text in json_text([result], model=ModelInfo(card.name, card.version)):
            write(text)

    def _sum_up(self, result: Result, *, to_stderr: bool) -> None:
        stream = sys.stderr if to_stderr else sys.stdout
        for text in table_text([result], labels=self._predictor.labels, colour=coloured(stream)):
            say(text, nl=False, err=to_stderr, safe=True)


def _follow(listener: Listener, sink: Sink) -> OSError | None:
    """Show events until the end. If the output fails, stop listening, finish silently and return the error."""
    failure: OSError | None = None
    wait = 0.0
    listener.start()
    while not listener.is_done:
        try:
            events = listener.take(wait)
        except PipelineError as error:
            listener.error = listener.error or error
            return failure
        if failure is None:
            try:
                wait = sink.show(events, listener)
            except OSError as error:
                failure = error
                listener.stop()
    return failure


def _warm(predictor: Predictor) -> None:
    """Run the model once, since the first run is the slowest: the first speech then does not wait for it."""
    card = predictor.card
    predictor.model.run(np.zeros((1, round(card.window * card.sample_rate)), np.float32))
