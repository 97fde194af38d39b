"""The face of a video over time: one for each sampled picture, and warnings on how well it is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

from emovox.audio.pictures import RATE, VideoFrames, VideoInput, VideoPicture, VideoPictures
from emovox.fusion.face.detect import FaceBox, find_faces, overlap
from emovox.fusion.face.expression import FACE_LABELS, Expression, cut_face, read_expression, sharpness
from emovox.schema.result import Notice

LEAST_SHARE = 0.5
"""Share of the pictures of a segment that must show a face, else the segment has none."""

SMALL_PIXELS = 48
"""Median width in pixels of the video below which a face is small: the network was trained with 112."""

BLURRED = 0.03
"""Median `sharpness` below which a face is blurred: a sharp one has 0.25, one with the detail of 32 pixels 0.03."""

_UNSURE = 0.02
"""Share of the scores that is spread over all labels, so that one picture cannot rule a label out: the network gives
scores of 1e-12."""

_FOLLOWED = 0.2
"""Overlap from which a face is the one of the picture before."""

_TWICE = 2.0
"""How many times as large another face must be, to be taken instead of the one of the picture before."""

_SAME_SCENE = 1.0
"""Seconds between two pictures within which a face that is elsewhere is counted as another one."""


@dataclass(frozen=True)
class SeenFace:
    """A face in a picture: its place there, what it shows, its width in pixels of the video, and its sharpness."""

    box: FaceBox
    expression: Expression
    pixels: float
    sharp: float


@dataclass(frozen=True)
class FaceSample:
    """A sampled picture: its time in seconds, the face that is followed (None: none), and the number of faces."""

    time: float
    face: SeenFace | None
    count: int


@dataclass(frozen=True)
class FaceTrack:
    """The samples of a video in time order, and warnings."""

    samples: tuple[FaceSample, ...]
    notices: tuple[Notice, ...]

    def scores(self, start: float, end: float) -> dict[str, float] | None:
        """Return the scores of the face between two times in seconds, by label; they add up to 1.

        Returns:
            The geometric mean over the pictures; None if fewer than half of them show a face, or there are none.
        """
        shown = self._shown(start, end)
        if not shown:
            return None
        logs = np.array([face.expression.log_scores for face in shown], np.float64)
        softened = np.log((1 - _UNSURE) * np.exp(logs) + _UNSURE / logs.shape[1])
        mean = np.exp(softened.mean(axis=0))
        return dict(zip(FACE_LABELS, (mean / mean.sum()).tolist(), strict=True))

    def embedding(self, start: float, end: float) -> npt.NDArray[np.float32] | None:
        """Return the mean embedding [256] of the face between two times, or None where `scores` is None."""
        shown = self._shown(start, end)
        return np.mean([face.expression.embedding for face in shown], axis=0) if shown else None

    def _shown(self, start: float, end: float) -> list[SeenFace]:
        pictures = [sample for sample in self.samples if start <= sample.time < end]
        shown = [sample.face for sample in pictures if sample.face is not None]
        return shown if len(shown) >= LEAST_SHARE * len(pictures) else []


def follow_face(
    source: VideoInput,
    *,
    rate: float = RATE,
    name: str | None = None,
    observer: Callable[[float], None] = lambda _: None,
) -> FaceTrack:
    """Follow the face in a video. Of several faces it takes the largest, and stays with it.

    Args:
        source: path, bytes or open file of a video.
        rate: pictures a second that are looked at.
        name: of the recording in messages; None takes that of the source.
        observer: called with the time in seconds of each picture.

    Returns:
        The track. About 10 ms a picture, and half a second for ten seconds of a video in 720p to decode it.

    Raises:
        AudioError: the file cannot be opened.
        VideoError: it has no pictures, or none can be decoded.
        MissingExtraError: PyAV is not installed.
        ModelError: the networks are not here.
    """
    return track_of(VideoFrames(source, rate=rate, name=name), observer)


def track_of(pictures: VideoPictures, observer: Callable[[float], None] = lambda _: None) -> FaceTrack:
    """Follow the face in pictures, wherever they were decoded; otherwise as `follow_face`."""
    samples = tuple(_samples(pictures, observer))
    return FaceTrack(samples, tuple(_notices(samples, pictures.damage)))


def _samples(frames: VideoPictures, observer: Callable[[float], None]) -> Iterator[FaceSample]:
    last: FaceBox | None = None
    for frame in frames:
        observer(frame.time)
        boxes = find_faces(frame.image)
        last = _followed(boxes, last)
        yield FaceSample(frame.time, None if last is None else _seen(frame, last), len(boxes))


def _followed(boxes: list[FaceBox], last: FaceBox | None) -> FaceBox | None:
    if not boxes:
        return None
    largest = max(boxes, key=_area)
    same = [] if last is None else [box for box in boxes if overlap(box, last) >= _FOLLOWED]
    nearest = max(same, key=lambda box: overlap(box, last), default=largest) if last else largest
    return nearest if _area(largest) < _TWICE * _area(nearest) else largest


def _area(box: FaceBox) -> float:
    return box.width * box.height


def _seen(frame: VideoPicture, box: FaceBox) -> SeenFace:
    face = cut_face(frame.image, box)
    return SeenFace(box, read_expression(face), box.width * frame.scale, sharpness(face))


def _notices(samples: tuple[FaceSample, ...], damage: str | None) -> Iterator[Notice]:
    """Yield what a user has to know of the pictures."""
    if damage is not None:
        yield Notice("video_damaged", f"not all pictures could be decoded: {damage}")
    faces = [sample.face for sample in samples if sample.face is not None]
    if not faces:
        yield Notice("no_face", f"no face was found in {len(samples)} pictures; the voice alone was scored")
        return
    if len(faces) < LEAST_SHARE * len(samples):
        share = 100 * len(faces) / len(samples)
        yield Notice("face_rare", f"{share:.0f} % of the pictures show a face: it is turned away, dark or out of view")
    if (pixels := median(face.pixels for face in faces)) < SMALL_PIXELS:
        yield Notice("face_small", f"the face is {pixels:.0f} pixels wide, expected {SMALL_PIXELS} or more")
    if median(face.sharp for face in faces) < BLURRED:
        yield Notice("face_blurred", "the face is blurred; its scores say little")
    if several := sum(sample.count > 1 for sample in samples):
        share = 100 * several / len(samples)
        yield Notice("faces_several", f"{share:.0f} % of the pictures show several faces; the largest was followed")
    if changes := _changes(samples):
        yield Notice("faces_change", f"the face changes its place at once {changes} times; it may be of several people")


def _changes(samples: tuple[FaceSample, ...]) -> int:
    """Return how often the face is elsewhere in the next picture."""
    return sum(
        one.face is not None
        and other.face is not None
        and other.time - one.time <= _SAME_SCENE
        and overlap(one.face.box, other.face.box) == 0
        for one, other in pairwise(samples)
    )
