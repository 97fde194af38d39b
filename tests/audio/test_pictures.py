from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.audio import pictures
from emovox.audio.pictures import LONGEST_SIDE, Image, VideoFrames
from emovox.schema.errors import EmptyAudioError, UnreadableError, VideoError
from tests.faces import write_video
from tests.sounds import talk


def grey(level: int, *, height: int = 64, width: int = 96) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def test_pictures_come_at_the_rate_on_the_clock_of_the_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [grey(10 * n) for n in range(20)], rate=10)
    found = list(VideoFrames(path))
    assert [round(frame.time, 3) for frame in found] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8]
    assert [abs(int(frame.image[32, 48, 1]) - 20 * n) < 6 for n, frame in enumerate(found)] == [True] * 10
    assert len(list(VideoFrames(path.read_bytes(), rate=1.0))) == 2


def test_a_video_of_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.03, 0.07, 1.5, 1.53, 1.9]
    path = write_video(tmp_path / "a.mp4", [grey(40 * n) for n in range(6)], times=times)
    assert [round(frame.time, 2) for frame in VideoFrames(path)] == [0.0, 1.5, 1.9]


def test_a_fast_video_still_has_five_pictures_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [grey(4 * n) for n in range(60)], rate=30)
    assert len(list(VideoFrames(path))) == 10


def test_a_large_picture_is_reduced_and_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [grey(90, height=720, width=1280)])
    (frame,) = VideoFrames(path)
    assert frame.image.shape == (378, LONGEST_SIDE, 3)
    assert frame.scale == pytest.approx(1280 / LONGEST_SIDE)


def test_a_picture_is_turned_as_the_file_says(tmp_path: Path) -> None:
    lying = grey(0)
    lying[:, :24] = 250  # the left edge, which is the upper one after a turn to the right
    (frame,) = VideoFrames(write_video(tmp_path / "a.mp4", [lying], turned=True))
    assert frame.image.shape == (96, 64, 3)
    assert frame.image[:20].mean() > 200 > 50 > frame.image[30:].mean()


def test_damaged_packets_are_left_out_and_reported(tmp_path: Path) -> None:
    import av

    path = write_video(tmp_path / "a.mp4", [grey(10 * n) for n in range(10)])
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as video:
        packets = [(packet.pos, packet.size) for packet in video.demux(video=0) if packet.pos is not None]
    for start, size in packets[3:6]:
        data[start : start + size] = b"\xff" * size
    frames = VideoFrames(bytes(data))
    assert 1 <= len(list(frames)) < 5
    assert frames.damage is not None
    assert "a packet is damaged" in frames.damage
    for start, size in packets:
        data[start : start + size] = b"\xff" * size
    with pytest.raises(VideoError, match="of which no picture can be decoded"):
        list(VideoFrames(bytes(data)))
    del data[len(data) // 2 :]
    with pytest.raises(VideoError, match="ffmpeg cannot read"):
        VideoFrames(bytes(data))  # its index was at the end


@pytest.mark.parametrize("kind", ["wav", "m4a"])
def test_sound_has_no_pictures(kind: str, tmp_path: Path) -> None:
    import av
    import soundfile

    path = tmp_path / f"a.{kind}"
    if kind == "wav":
        soundfile.write(path, talk(0.5), 16000)
    else:
        with av.open(str(path), "w", format="ipod") as output:
            track = output.add_stream("aac", rate=16000, layout="mono")
            frame = av.AudioFrame.from_ndarray(talk(0.5)[None], format="fltp", layout="mono")
            frame.sample_rate = 16000
            output.mux(track.encode(frame))
            output.mux(track.encode(None))
    with pytest.raises(VideoError, match="leave the face out"):
        VideoFrames(path)


def test_no_video_at_all(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="a file without pictures, expected a video"):
        VideoFrames(b"no video at all")
    with pytest.raises(EmptyAudioError):
        VideoFrames(b"")
    with pytest.raises(UnreadableError, match="no such file"):
        VideoFrames(tmp_path / "none.mp4")


def test_pictures_that_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", [grey(1)])
    monkeypatch.setattr(pictures, "MOST_PIXELS", 96 * 64 - 1)
    with pytest.raises(VideoError, match=r"pictures of 96 × 64 .* expected at most 6143 pixels"):
        VideoFrames(path)
