"""The second of two passes over an archive: recordings are scored again, adapted to all recordings of their voice.

A voice is that of a folder, or of a value in a table of recordings. The encoder does not run again: an hour of speech
takes about as long as reading its numbers from the disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np

from emovox.adaptation.estimator import Numbers, WeightedProfile
from emovox.adaptation.rescoring import rescore
from emovox.adaptation.voice import AdaptedScorer, VoiceSums
from emovox.batch.heard import HeardParts, damaged
from emovox.batch.job import Answer
from emovox.batch.kept import KeptTiles, row_width, sums_of
from emovox.batch.voices import Voice, VoiceOf
from emovox.runtime.first_pass import Heard
from emovox.runtime.predictor import Predictor
from emovox.runtime.second_pass import rescored_result
from emovox.schema.result import Adapted, Result

MOST_VOICES = 256
"""Voices whose profiles are held in memory at a time, up to 50 kB each."""

_NO_STATISTICS = np.zeros((0, 0), np.float32)


class SecondPass:
    """Scores the recordings of the first pass again.

    The sums of all voices lie in a temporary file without a name, up to 60 kB each.

    Args:
        parts: the files of the first pass.
        folder: where the temporary file is.
        count: their number.
        predictor: made the first pass; its source is where adaptation starts from.
        voice_of: which recording is of which voice.
        source: what the scores are adapted to, see `Adapted`.
        threshold: abstention threshold in [0, 1].
    """

    def __init__(
        self,
        parts: HeardParts,
        folder: Path,
        count: int,
        *,
        predictor: Predictor,
        voice_of: VoiceOf,
        source: str,
        threshold: float,
    ) -> None:
        self._parts, self._count, self._voice_of = parts, count, voice_of
        self._predictor, self._source, self._threshold = predictor, source, threshold
        self._numbers: dict[Voice, int] = {}
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        self._width = row_width(predictor.model.adaptation)
        self._bytes = self._width * np.dtype(np.float64).itemsize
        self._voice = lru_cache(maxsize=MOST_VOICES)(self._known)

    def answers(self) -> Iterator[list[Answer]]:
        """Yield the answers of each group, in order, with adapted scores and without what was kept of them.

        Raises:
            ArchiveError: a file of the first pass is damaged.
        """
        for number in range(self._count):
            for answer in self._parts.answers(number):
                if answer.kept is not None and answer.kept.sums:
                    self._add(answer.index, answer.kept.row(), number)
        for number in range(self._count):
            yield [self._adapted(answer) for answer in self._parts.answers(number)]

    def _add(self, index: int, row: Numbers, part: int) -> None:
        if len(row) != self._width:
            raise damaged(f"part {part}", ValueError(f"{len(row)} sums, expected {self._width}"))
        number = self._numbers.setdefault(self._voice_of(index), len(self._numbers))
        self._write(number, row + self._read(number))

    def _read(self, number: int) -> Numbers:
        self._file.seek(number * self._bytes)
        data = self._file.read(self._bytes)
        return np.frombuffer(data, np.float64) if data else np.zeros(self._width)

    def _write(self, number: int, row: Numbers) -> None:
        self._file.seek(number * self._bytes)
        self._file.write(row.tobytes())

    def _known(self, number: int) -> tuple[tuple[WeightedProfile, ...], Adapted]:
        """Return the profiles of a voice, and what scores under them are adapted to."""
        model, nothing = self._predictor.model, VoiceSums.empty(self._predictor.model.adaptation)
        sums = sums_of(self._read(number), model.adaptation)
        voice = VoiceSums(sums, nothing.labelled)
        scorer = AdaptedScorer(model, model.adaptation, voice, source=self._predictor.prior)
        return scorer.mixture, Adapted(self._source, voice.clips, round(voice.seconds, 3))

    def _adapted(self, answer: Answer) -> Answer:
        kept, result = answer.kept, answer.result
        if kept is None or result is None:
            return answer
        return msgspec.structs.replace(answer, result=self._scored(answer.index, kept, result), kept=None)

    def _scored(self, index: int, kept: KeptTiles, result: Result) -> Result:
        heard = Heard(
            file=result.file,
            duration=result.duration,
            segments=result.segments,
            notices=kept.notices,
            threshold=self._threshold,
            statistics=_NO_STATISTICS,
            unfamiliarity=result.unfamiliarity,
        )
        if not kept.sums:
            return heard.result(adapted=Adapted(self._source, 0, 0.0))
        mixture, adapted = self._voice(self._numbers[self._voice_of(index)])
        hidden = kept.tiles(len(result.segments))
        return rescored_result(heard, rescore(self._predictor.model, hidden, mixture), adapted)

    def __enter__(self) -> SecondPass:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
