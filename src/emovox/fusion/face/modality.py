"""The face as a modality beside the voice: its weight, and what happens if a video has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from emovox.audio.child import is_possible
from emovox.audio.child_pictures import ChildPictures
from emovox.audio.pictures import VideoFrames, VideoInput
from emovox.audio.types import Reading
from emovox.fusion.face.networks import DETECTOR, EXPRESSION, session
from emovox.fusion.face.track import FaceTrack, follow_face, track_of
from emovox.fusion.modalities import FACE, OtherModality
from emovox.schema.errors import AudioError, VideoError
from emovox.schema.extras import require
from emovox.schema.result import Notice

FACE_WEIGHT = 0.6
"""Weight of the logarithm of the face's scores: what most folds of the benchmark in docs/face.md chose."""


def check_face() -> None:
    """Check that faces can be read here, before a recording is.

    Raises:
        MissingExtraError: PyAV is not installed.
        ModelError: the networks are not here.
    """
    require("av", need="the face", extra="face")
    for name in (DETECTOR, EXPRESSION):
        session(name)


def face_modality(source: VideoInput, observer: Callable[[float], None] = lambda _: None) -> OtherModality:
    """Return the face of a recording as a modality; if it has no pictures, there are no scores, but a warning.

    Args:
        source: path, bytes or open file.
        observer: called with the time in seconds of each picture.

    Raises:
        MissingExtraError: PyAV is not installed.
        ModelError: the networks are not here.
    """
    return _modality(lambda: follow_face(source, observer=observer))


def isolated_face(file: BinaryIO, *, name: str, reading: Reading, end: float) -> OtherModality:
    """Return the face of an untrusted recording as `face_modality` does.

    A child process with limits decodes the pictures, where the system can fork.

    Args:
        file: an open seekable file; its position may change.
        name: of the recording in messages.
        reading: its `check` is called often; what it raises ends this.
        end: length of the sound in seconds; later pictures are not needed.

    Raises:
        MissingExtraError: PyAV is not installed.
        ModelError: the networks are not here.
    """
    if not is_possible():
        return _modality(lambda: track_of(VideoFrames(file, name=name, limited=True)))
    return _modality(lambda: track_of(ChildPictures(file, name=name, reading=reading, end=end)))


def _modality(follow: Callable[[], FaceTrack]) -> OtherModality:
    try:
        track = follow()
    except (VideoError, AudioError) as error:
        return OtherModality(FACE, FACE_WEIGHT, lambda _: None, (Notice(error.code, str(error)),))
    return OtherModality(FACE, FACE_WEIGHT, lambda segment: track.scores(segment.start, segment.end), track.notices)
