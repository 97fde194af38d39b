"""Transcripts of recordings by faster-whisper, from a folder of the user or the Hugging Face hub."""

from __future__ import annotations

from typing import Any

import numpy as np

from emovox.audio.reader import open_audio
from emovox.audio.types import AudioInput, Samples
from emovox.fusion.transcript import Line
from emovox.schema.errors import ConfigError, TranscriptError, WeightsError
from emovox.schema.extras import require

RATE = 16000
"""Sample rate in Hz that Whisper takes."""

LONGEST_HOURS = 4
"""Longest recording in hours: Whisper takes it as one array, 230 MB an hour."""


class Transcriber:
    """Writes down what is said in recordings."""

    def __init__(self, model: str, *, language: str | None = None, threads: int = 1) -> None:
        """Load a model.

        Args:
            model: folder of a Whisper model in the form of CTranslate2, a size that faster-whisper knows ("small"), or
                a name on the hub ("Systran/faster-whisper-small").
            language: code such as "en" or "zh". Default: Whisper finds it from the first 30 s.
            threads: of the processor, at least 1.

        Raises:
            MissingExtraError: the extra 'asr' is not installed.
            ConfigError: the model does not know the language.
            WeightsError: no such folder or name, the hub cannot be reached, or the files are not a Whisper model.
        """
        require("faster_whisper", need="--asr", extra="asr")
        from faster_whisper import WhisperModel  # type: ignore[import-untyped]

        self._language: str | None = language
        try:
            self._model: Any = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)
        except Exception as error:  # hub, files and CTranslate2 raise a dozen types
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WeightsError(
                f"cannot load the speech recogniser '{model}' ({reason:.200}); give a folder with model.bin, a size "
                "such as small, or a name on the hub; to work offline, download it once where there is a network"
            ) from error
        if language is not None and language not in self._model.supported_languages:
            raise ConfigError(
                f"the speech recogniser '{model}' does not know the language '{language}', expected one of "
                f"{', '.join(self._model.supported_languages)}"
            )

    def lines(self, source: AudioInput) -> tuple[Line, ...]:
        """Return the lines of a recording, all its channels together; none if nothing is said.

        Args:
            source: as for `emovox.audio.reader.open_audio`.

        Raises:
            AudioError: the recording cannot be read.
            TranscriptError: it is longer than `LONGEST_HOURS`.
        """
        samples = _samples(source)
        segments, _ = self._model.transcribe(samples, language=self._language, condition_on_previous_text=False)
        result = []
        for segment in segments:
            end = min(float(segment.end), samples.size / RATE)
            if (text := " ".join(segment.text.split())) and segment.start < end:
                result.append(Line(round(float(segment.start), 3), round(end, 3), text))
        return tuple(result)


def _samples(source: AudioInput) -> Samples:
    """Return a recording as one channel at 16 kHz, [n] float32."""
    blocks: list[Samples] = []
    length = 0
    with open_audio(source, sample_rate=RATE) as reader:
        for block in reader.blocks():
            blocks.append(block[0])
            length += block.shape[1]
            if length > LONGEST_HOURS * 3600 * RATE:
                raise TranscriptError(
                    f"the recording is longer than {LONGEST_HOURS} hours; cut it into parts for --asr"
                )
    return np.concatenate(blocks, dtype=np.float32) if blocks else np.zeros(0, np.float32)
