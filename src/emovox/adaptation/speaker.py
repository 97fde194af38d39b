"""The profile of a speaker: one small file with sums over the speaker's clips, bound to one model.

The file is in the safetensors format: arrays, and one JSON text in its metadata. It holds no audio, and the sums of at
least two clips, so no single clip can be read from it but for 16 numbers of a label with one clip. Only a profile whose
head learns keeps single clips: the embeddings and scores in the memory of its learner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import safetensors
from safetensors.numpy import load, save

from emovox.adaptation.drift import Drift
from emovox.adaptation.estimator import Numbers, VoiceStatistics
from emovox.adaptation.learning import HeadLearner
from emovox.adaptation.prototypes import LabelledVoice
from emovox.adaptation.voice import VoiceSums
from emovox.schema.errors import ModelError, SpeakerError

METADATA_KEY = "emovox"
"""Key of the JSON text in the metadata of the file."""

LEAST_CLIPS = 2
"""Clips of a profile, at least: the sums of one clip would be its embedding."""

LARGEST_FILE = 8_000_000
"""Bytes of a file, at most; the profiles of the shipped models take up to 1.2 MB."""

FORMAT, WITH_LEARNER = 1, 2
"""Versions of the file format: without and with a learner."""

NO_LABEL = "without a label"
"""Stands for clips without a label where numbers of clips by label are shown."""


class _Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The JSON text of a profile."""

    format: Literal["emovox-speaker"] = "emovox-speaker"
    version: int = FORMAT
    model: str
    sha256: str
    labels: tuple[str, ...]
    clips: int
    seconds: float
    squares: float
    entropy: float
    labelled_seconds: float
    drift: Drift | None = None


@dataclass(frozen=True, eq=False, slots=True)
class SpeakerProfile:
    """What a model knows of one speaker, or of one source: a room, a line or a folder.

    Attributes:
        model: name of the model.
        sha256: hash of the model's graph; statistics of another model mean something else.
        labels: the labels of the model.
        voice: sums over the clips.
        learner: what labelled clips, of this speaker or of several, have taught the model's head; None: nothing.
    """

    model: str
    sha256: str
    labels: tuple[str, ...]
    voice: VoiceSums
    learner: HeadLearner | None = None

    def __add__(self, voice: VoiceSums) -> SpeakerProfile:
        """Return the profile with further clips of the same speaker."""
        return replace(self, voice=self.voice + voice)

    def joined(self, other: SpeakerProfile) -> SpeakerProfile:
        """Return the profile with the clips of another one of the same speaker.

        Raises:
            SpeakerError: it belongs to another model.
        """
        self.check(other.model, other.sha256)
        learner = self.learner or other.learner
        if self.learner is not None and other.learner is not None:
            learner = self.learner.joined(other.learner)
        return replace(self, voice=self.voice + other.voice, learner=learner)

    @property
    def clips(self) -> dict[str, int]:
        """Numbers of clips by label, in the order of the labels; "" stands for clips without a label."""
        counts = (int(count) for count in self.voice.labelled.counts)
        known = {label: count for label, count in zip(self.labels, counts, strict=True) if count}
        return {"": self.voice.unlabelled.clips, **known} if self.voice.unlabelled.clips else known

    def as_data(self, name: str) -> dict[str, Any]:
        """Return what is known, for people and programs: model, clips, seconds, and clips by label.

        Args:
            name: of the speaker.
        """
        return {
            "name": name,
            "model": self.model,
            "sha256": self.sha256,
            "clips": self.voice.clips,
            "seconds": round(self.voice.seconds, 1),
            "labels": {label or NO_LABEL: count for label, count in self.clips.items()},
        }

    def check(self, model: str, sha256: str) -> None:
        """Raise an error unless the profile belongs to a model.

        Args:
            model: name of the model.
            sha256: hash of its graph.

        Raises:
            SpeakerError: it belongs to another model.
        """
        if self.sha256 != sha256:
            raise SpeakerError(
                f"the profile belongs to model '{self.model}' with sha256 {self.sha256[:12]}…, got model '{model}' "
                f"with {sha256[:12]}…; learn the speaker again with this model, or choose the other one"
            )

    def to_bytes(self) -> bytes:
        """Return the content of a profile's file.

        Raises:
            SpeakerError: there are fewer than `LEAST_CLIPS` clips.
        """
        unlabelled, labelled, learner = self.voice.unlabelled, self.voice.labelled, self.learner
        clips = self.voice.clips + (0 if learner is None else int(learner.replay.seen.sum()))
        if clips < LEAST_CLIPS:
            raise SpeakerError(
                f"got {clips} clips of speech, about 3 s each, expected at least {LEAST_CLIPS}: the sums of "
                "one would show that clip; add recordings"
            )
        description = _Description(
            version=FORMAT if learner is None else WITH_LEARNER,
            model=self.model,
            sha256=self.sha256,
            labels=self.labels,
            clips=unlabelled.clips,
            seconds=unlabelled.seconds,
            squares=unlabelled.squares,
            entropy=unlabelled.entropy,
            labelled_seconds=labelled.seconds,
            drift=None if learner is None else learner.drift,
        )
        arrays = {
            "total": unlabelled.total,
            "moments": unlabelled.moments,
            "scores": unlabelled.scores,
            "labelled.counts": labelled.counts,
            "labelled.total": labelled.total,
            "labelled.along": labelled.along,
        }
        taught = {} if learner is None else learner.to_arrays()
        whole = {name: np.ascontiguousarray(array, np.float64) for name, array in {**arrays, **taught}.items()}
        return save(whole, {METADATA_KEY: msgspec.json.encode(description).decode()})

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str, learners: bool = True) -> SpeakerProfile:
        """Read a profile.

        Args:
            data: content of its file.
            where: name of the file, for messages.
            learners: whether its head may have learnt, so that it may hold single clips.

        Raises:
            SpeakerError: the content is damaged, or of a later version, or there is a learner that may not be.
        """
        try:
            known = msgspec.json.decode(_text(data), type=_Description)
            if known.drift is not None and not learners:
                raise SpeakerError(
                    f"{where}: its head has learnt from single clips, which are in it, expected sums alone; learn the "
                    "voice without --teach"
                )
            arrays = _arrays(data)
            voice = VoiceSums(
                VoiceStatistics(
                    known.clips,
                    known.seconds,
                    arrays["total"],
                    known.squares,
                    arrays["moments"],
                    arrays["scores"],
                    known.entropy,
                ),
                LabelledVoice(
                    arrays["labelled.counts"],
                    arrays["labelled.total"],
                    arrays["labelled.along"],
                    known.labelled_seconds,
                ),
            )
            _check(voice, known)
            learner = None if known.drift is None else HeadLearner.from_arrays(arrays, known.drift)
            if learner is not None and len(learner.start) != len(known.labels):
                raise ValueError("its learner has another number of labels")
        except (
            safetensors.SafetensorError,
            msgspec.DecodeError,
            KeyError,
            ValueError,
            RecursionError,
            ModelError,
        ) as error:
            raise SpeakerError(
                f"{where}: this is no profile of a speaker, or it is damaged ({error}); take a copy made by "
                "emovox speaker export, or learn the speaker again"
            ) from error
        return cls(known.model, known.sha256, known.labels, voice, learner)


def read_speaker(path: Path, *, where: str = "") -> SpeakerProfile:
    """Read the file of a profile.

    Args:
        path: of the file.
        where: its name in messages; empty: the path.

    Raises:
        SpeakerError: it cannot be read, is damaged, or is of a later version.
    """
    where = where or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SpeakerError(f"{where}: cannot be read ({error.strerror or error}); expected a profile") from error
    if len(data) > LARGEST_FILE:
        raise SpeakerError(f"{where}: got more than {LARGEST_FILE} bytes, expected the profile of a speaker")
    return SpeakerProfile.from_bytes(data, where=where)


def _text(data: bytes) -> str:
    """Return the JSON text in the metadata of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    header = msgspec.json.decode(data[8 : 8 + length], type=dict[str, object])
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict):
        raise KeyError("__metadata__")
    text = str(metadata[METADATA_KEY])
    version = msgspec.json.decode(text, type=dict[str, object]).get("version")
    if version not in (FORMAT, WITH_LEARNER):
        raise ValueError(f"its format is {version}, this emovox reads {FORMAT} and {WITH_LEARNER}")
    return text


def _arrays(data: bytes) -> dict[str, Numbers]:
    arrays = load(data)
    wrong = next((name for name, array in arrays.items() if array.dtype != np.float64), None)
    if wrong is not None:
        raise ValueError(f"'{wrong}' is {arrays[wrong].dtype}, expected float64")
    return arrays


def _check(voice: VoiceSums, known: _Description) -> None:
    unlabelled, labelled = voice.unlabelled, voice.labelled
    p, d, labels = len(unlabelled.total), len(unlabelled.moments), len(known.labels)
    shapes = (unlabelled.scores.shape, labelled.counts.shape, labelled.total.shape, labelled.along.shape)
    if shapes != ((labels,), (labels,), (p,), (labels, d)):
        raise ValueError(f"its arrays have the shapes {shapes}")
    if (
        known.seconds < 0
        or known.labelled_seconds < 0
        or not np.isfinite([known.seconds, known.labelled_seconds]).all()
    ):
        raise ValueError("its seconds are below 0")
    if (np.diag(unlabelled.moments) < 0).any() or unlabelled.squares < 0:
        raise ValueError("its squares are below 0")
