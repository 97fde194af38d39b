"""What an upload holds besides the voice, if the request asks for it: the face of a video, a transcript's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

from emovox.audio.types import Reading
from emovox.fusion.alignment import fitting_lines, with_transcript
from emovox.fusion.face.modality import check_face, isolated_face
from emovox.fusion.modalities import FACE, TEXT, VOICE, OtherModality, fused, parse_modalities
from emovox.fusion.text.emotion import TextEmotion, check_text
from emovox.fusion.text.modality import words_of
from emovox.fusion.transcript import Transcript, check_suffix, parse_transcript
from emovox.schema.errors import ConfigError, MissingExtraError, ModelError, TranscriptError
from emovox.schema.result import Notice, Result
from emovox.serving.errors import NoModalityError, RequestError
from emovox.serving.http.uploads import NamedBytes

LINES, LINES_A_SECOND = 50, 5.0
"""Lines that a transcript may have: so many, and so many more for each second of the recording. The work for a line
takes about 15 ms."""


_CHECKS: Mapping[str, Callable[[], None]] = {VOICE: lambda: None, FACE: check_face, TEXT: check_text}


@dataclass(frozen=True)
class BesideVoice:
    """What a recording is read for besides the voice.

    Attributes:
        weights: modality → its weight; None: the default.
        transcript: the file that came with the recording, if any.
    """

    weights: Mapping[str, float | None]
    transcript: NamedBytes | None = None

    def with_transcript(self, transcript: NamedBytes | None) -> BesideVoice:
        """Return this with the transcript of an upload.

        Raises:
            RequestError: the words are asked for, and there is no transcript.
            TranscriptError: its name has the suffix of no transcript.
        """
        if transcript is not None:
            check_suffix(transcript.name)
        elif TEXT in self.weights:
            raise RequestError(
                "got modalities with text and no transcript, expected a part 'transcript' beside the part 'file'; for "
                "example curl -F file=@call.wav -F transcript=@call.srt"
            )
        return BesideVoice(self.weights, transcript)

    def added(self, result: Result, source: BinaryIO, *, reading: Reading, threshold: float) -> Result:
        """Return a result with the other modalities and the lines that are said; the voice alone stays as it is.

        Args:
            result: of the voice.
            source: the recording; a child process decodes its pictures.
            reading: how it is read; `check` is called often.
            threshold: abstention threshold in [0, 1].

        Raises:
            ConfigError: a modality does not know a label of the voice.
            CancelledError: as `reading.check`.
        """
        transcript = None if self.transcript is None else _read(self.transcript, seconds=result.duration)
        others: list[OtherModality] = []
        if FACE in self.weights:
            others.append(isolated_face(source, name=result.file, reading=reading, end=result.duration))
        if TEXT in self.weights:
            others.append(words_of(fitting_lines(result, transcript), text_emotion(), check=reading.check))
        if others:
            weighed = [other.weighing(self.weights[other.name]) for other in others]
            result = fused(result, weighed, threshold=threshold)
        return result if transcript is None else with_transcript(result, transcript, threshold=threshold)


def beside_voice(modalities: str, *, coverage: int | None) -> BesideVoice:
    """Return what a request asks for, after a check that all of it can be read here; call it in a thread.

    Raises:
        ConfigError: a name is unknown, or sets of labels are asked for, too.
        MissingExtraError: an extra is not installed.
        NoModalityError: networks are not here.
    """
    weights = parse_modalities(modalities)
    if len(weights) > 1 and coverage is not None:
        raise ConfigError("got coverage and other modalities, expected one of them; sets of labels are of the voice")
    try:
        for name in weights:
            _CHECKS[name]()
    except ModelError as error:
        raise NoModalityError(f"this service lacks networks for the modalities {modalities}: {error}") from error
    return BesideVoice(weights)


def offered_modalities() -> list[str]:
    """Return the modalities that an upload may ask for here; the first call takes a moment, so call it in a thread."""
    offered = []
    for name, check in _CHECKS.items():
        with suppress(MissingExtraError, ModelError):
            check()
            offered.append(name)
    return offered


@cache
def text_emotion() -> TextEmotion:
    """Return the networks for words, loaded once: 90 MB of memory.

    Raises:
        MissingExtraError: the extra 'text' is not installed.
        WeightsError: a file is missing or damaged.
    """
    return TextEmotion.load()


def _read(file: NamedBytes, *, seconds: float) -> Transcript:
    """Return a transcript, or the notice why it cannot be used."""
    try:
        transcript = parse_transcript(file.data, name=file.name)
        most = LINES + LINES_A_SECOND * seconds
        if transcript.lines is not None and len(transcript.lines) > most:
            raise TranscriptError(
                f"{file.name}: got {len(transcript.lines)} lines for {seconds:.1f} s, expected at most {most:.0f}; "
                "give the transcript of this recording"
            )
    except TranscriptError as error:
        return Transcript(None, (Notice(error.code, str(error)),))
    return transcript
