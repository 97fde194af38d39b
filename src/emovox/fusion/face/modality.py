"""The face as a modality beside the voice: its weight, and what happens if a video has none."""

from __future__ import annotations

from collections.abc import Callable

from emovox.fusion.face.frames import VideoInput
from emovox.fusion.face.networks import DETECTOR, EXPRESSION, session
from emovox.fusion.face.track import follow_face
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
    try:
        track = follow_face(source, observer=observer)
    except (VideoError, AudioError) as error:
        return OtherModality(FACE, FACE_WEIGHT, lambda _: None, (Notice(error.code, str(error)),))
    return OtherModality(FACE, FACE_WEIGHT, lambda segment: track.scores(segment.start, segment.end), track.notices)
