from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.audio.pictures import resized
from emovox.fusion.face.detect import FaceBox
from emovox.fusion.face.expression import FACE_LABELS, Expression
from emovox.fusion.face.track import FaceSample, FaceTrack, SeenFace, follow_face
from tests.faces import scene, write_video

EMPTY = scene()
SHOWN = scene((150, 60))


def codes(track: FaceTrack) -> list[str]:
    return [notice.code for notice in track.notices]


def sample(time: float, *probabilities: float) -> FaceSample:
    if not probabilities:
        return FaceSample(time, None, 0)
    expression = Expression(np.log(np.maximum(probabilities, 1e-9)).astype(np.float32), np.full(256, time, np.float32))
    return FaceSample(time, SeenFace(FaceBox(0, 0, 9, 9, 1), expression, 100.0, 0.2), 1)


def test_a_face_that_stays_is_followed_without_a_warning(tmp_path: Path) -> None:
    seconds: list[float] = []
    track = follow_face(write_video(tmp_path / "a.mp4", [SHOWN] * 10), observer=seconds.append)
    assert codes(track) == []
    assert [sample.time for sample in track.samples] == seconds == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    scores = track.scores(0, 1)
    assert scores is not None
    assert tuple(scores) == FACE_LABELS
    assert sum(scores.values()) == pytest.approx(1)
    embedding = track.embedding(0, 1)
    assert embedding is not None
    assert embedding.shape == (256,)


def test_no_face(tmp_path: Path) -> None:
    track = follow_face(write_video(tmp_path / "a.mp4", [EMPTY] * 4))
    assert codes(track) == ["no_face"]
    assert track.scores(0, 9) is None
    assert track.embedding(0, 9) is None


def test_a_face_for_three_frames(tmp_path: Path) -> None:
    track = follow_face(write_video(tmp_path / "a.mp4", [EMPTY] * 9 + [SHOWN] * 3 + [EMPTY] * 18))
    assert codes(track) == ["face_rare"]
    assert track.scores(0, 3) is None
    assert track.scores(0.9, 1.2) is not None


def test_several_faces_and_the_largest_is_followed(tmp_path: Path) -> None:
    pictures = [scene((20, 60), (300, 60)), scene((300, 60), (20, 60))]
    track = follow_face(write_video(tmp_path / "a.mp4", pictures * 4, rate=5))
    assert codes(track) == ["faces_several"]  # and no change, although the boxes differ from picture to picture


def test_a_face_that_jumps_is_of_another_person(tmp_path: Path) -> None:
    track = follow_face(write_video(tmp_path / "a.mp4", [scene((20, 60))] * 6 + [scene((300, 60))] * 6))
    assert codes(track) == ["faces_change"]
    assert "at once 1 times" in track.notices[0].message


def test_a_small_and_a_blurred_face(tmp_path: Path) -> None:
    tiny = resized(SHOWN, width=96, height=54)
    assert "face_small" in codes(follow_face(write_video(tmp_path / "a.mp4", [tiny] * 4)))
    blurred = resized(resized(SHOWN, width=60, height=34), width=480, height=270)
    assert "face_blurred" in codes(follow_face(write_video(tmp_path / "b.mp4", [blurred] * 4)))


def test_scores_are_the_geometric_mean_over_pictures() -> None:
    happy = (0.1, 0.9, 0, 0, 0, 0, 0)
    track = FaceTrack((sample(0.0, *happy), sample(0.2, *happy), sample(0.4, 0.9, 0.1, 0, 0, 0, 0, 0), sample(0.6)), ())
    scores = track.scores(0.0, 0.8)
    assert scores is not None
    assert scores["happy"] / scores["neutral"] == pytest.approx(9 ** (1 / 3), rel=0.05)
    assert scores["sad"] < 0.01
    assert track.embedding(0.2, 0.6) == pytest.approx(np.full(256, 0.3))


def test_half_of_the_pictures_must_show_the_face() -> None:
    flat = (1 / 7,) * 7
    track = FaceTrack((sample(0.0, *flat), sample(0.2), sample(0.4), sample(0.6, *flat), sample(0.8, *flat)), ())
    assert track.scores(0.0, 0.4) is not None
    assert track.scores(0.0, 0.6) is None
    assert track.scores(0.7, 0.75) is None  # no picture lies there
