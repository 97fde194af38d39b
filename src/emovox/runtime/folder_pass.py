"""The second pass over several recordings: those of a folder are adapted to what they have in common."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType

import numpy as np

from emovox.adaptation.voice import VoiceSums
from emovox.runtime.first_pass import Heard
from emovox.runtime.predictor import Predictor
from emovox.runtime.second_pass import GROUPS, adapted_result, voices_of
from emovox.schema.result import Result

_GROUP = GROUPS["recording"]


class FolderPass:
    """Recordings after the first pass, whose statistics wait in a temporary file: up to 25 kB per tile.

    The file has no name, so the system deletes it however the process ends.

    Args:
        predictor: made the first pass; its source is where adaptation starts from.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__
        self._heard: list[tuple[str, Heard]] = []
        self._voices: dict[str, VoiceSums] = {}

    def add(self, heard: Heard, folder: str) -> None:
        """Add a recording of a folder.

        Raises:
            ModelError: the model cannot adapt.
        """
        for voice in voices_of(self._predictor.model, heard, _GROUP).values():
            known = self._voices.get(folder)
            self._voices[folder] = voice if known is None else known + voice
        self._file.write(heard.statistics.tobytes())
        self._heard.append((folder, replace(heard, statistics=heard.statistics[:0])))

    def results(self) -> Iterator[Result]:
        """Yield the results of the recordings, in the order in which they were added."""
        self._file.seek(0)
        for folder, heard in self._heard:
            rows, width = len(heard.segments), heard.statistics.shape[1]
            data = self._file.read(rows * width * np.dtype(np.float32).itemsize)
            whole = replace(heard, statistics=np.frombuffer(data, np.float32).reshape(rows, width))
            yield adapted_result(
                self._predictor.model,
                whole,
                {None: self._voices[folder]} if folder in self._voices else {},
                group=_GROUP,
                source="folder",
                prior=self._predictor.prior,
            )

    def __enter__(self) -> FolderPass:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
