"""Pictures of a video that a child process decodes: those of `VideoFrames`, within limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from emovox.audio import child
from emovox.audio.child_pictures import ChildPictures
from emovox.audio.messages import PICTURE
from emovox.audio.pictures import LONGEST_SIDE, VideoFrames, VideoPicture
from emovox.audio.types import Reading
from emovox.schema.errors import UndecodableError, VideoError
from tests.faces import scene, write_video

pytestmark = pytest.mark.skipif(not child.is_possible(), reason="this system cannot fork")


def pictures(path: Path, *, end: float = 100.0, check: Callable[[], None] = lambda: None) -> list[VideoPicture]:
    with path.open("rb") as file:
        return list(ChildPictures(file, name="a.mp4", reading=Reading(check=check), end=end))


def test_they_are_those_of_this_process(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [scene((10 * n, 60)) for n in range(10)], rate=10, turned=True)
    here, there = list(VideoFrames(path)), pictures(path)
    assert [(one.time, one.scale) for one in there] == [(one.time, one.scale) for one in here]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(here, there, strict=True))
    assert [picture.time for picture in pictures(path, end=0.4)] == [0.0, 0.2]


def test_errors_and_damage_come_back(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    with pytest.raises(VideoError, match="a file without pictures"):
        pictures(tmp_path / "a.mp4")
    path = write_video(tmp_path / "b.mp4", [scene((10 * n, 60)) for n in range(10)], rate=10)
    with av.open(str(path)) as video:
        packets = [(packet.pos, packet.size) for packet in video.demux(video=0) if packet.pos is not None]
    data = bytearray(path.read_bytes())
    for start, size in packets[3:6]:
        data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    with path.open("rb") as file:
        found = ChildPictures(file, name="b.mp4", reading=Reading(), end=100.0)
        assert 1 <= len(list(found)) < 5
    assert found.damage is not None


def test_more_pictures_than_the_time_allows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", [scene()])
    message = PICTURE.pack(-1.0, 1.0, 2, 2) + bytes(12)
    monkeypatch.setattr(child.ChildConnection, "next", lambda _: (b"P", len(message)))
    monkeypatch.setattr(child.ChildConnection, "data", lambda *_: bytearray(message))
    with pytest.raises(VideoError, match=r"got more than 12 pictures in 0\.3 s"):
        pictures(path, end=0.3)


def test_the_reader_can_stop(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyError

    path = write_video(tmp_path / "a.mp4", [scene()])
    with pytest.raises(KeyError):
        pictures(path, check=stop)


@pytest.mark.parametrize(
    "message",
    [
        PICTURE.pack(0.0, 1.0, 2, 2) + bytes(11),
        PICTURE.pack(float("nan"), 1.0, 2, 2) + bytes(12),
        PICTURE.pack(0.0, 1.0, LONGEST_SIDE + 1, LONGEST_SIDE) + bytes(3 * (LONGEST_SIDE + 1) * LONGEST_SIDE),
        b"",
    ],
)
def test_a_child_process_that_was_taken_over_is_not_believed(
    message: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", [scene()])
    monkeypatch.setattr(child.ChildConnection, "next", lambda _: (b"P", len(message)))
    monkeypatch.setattr(child.ChildConnection, "data", lambda *_: bytearray(message))
    with pytest.raises(UndecodableError, match="a file that ends the decoder"):
        pictures(path)
