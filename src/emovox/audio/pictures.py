"""Some pictures of a video, upright, on the clock of its sound; PyAV decodes no more of it than needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from emovox.audio.containers import recognise
from emovox.audio.source import name_of, open_view
from emovox.schema.errors import VideoError
from emovox.schema.extras import require

Image = npt.NDArray[np.uint8]
"""A picture [height, width, 3]: red, green, blue, 0 to 255."""

VideoInput = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes of a file, or an open seekable file."""

RATE = 5.0
"""Pictures a second. An expression lasts for half a second or more."""

LONGEST_SIDE = 672
"""Width or height in pixels to which a larger picture is reduced: the detector sees 224, a face is looked at in 112."""

MOST_PIXELS = 8192 * 4320
"""Most pixels of a picture, 8K: a few bytes can describe a picture that fills the memory."""

LIMITED_PIXELS = 4096 * 2304
"""Most pixels of a picture in a process with limits of memory, 4K."""

_SKIP_FROM = 20.0
"""Pictures a second of a video from which the decoder leaves out those that no other one needs; 5 a second remain."""

_BAD_PACKETS = 100
"""Bad packets before the first good one, after which the video counts as undecodable."""

_OPTIONS = {"max_streams": "64", "probesize": "5000000", "analyzeduration": "5000000"}
_BROADCAST = ("mpegts", "mpeg")
_COVER = 0x400  # ffmpeg's AV_DISPOSITION_ATTACHED_PIC


class VideoPicture(NamedTuple):
    """A picture of a video: its time in seconds on the clock of the sound, and its height in the video's own pixels."""

    time: float
    image: Image
    scale: float
    """Pixels of the video for one pixel of `image`."""


class VideoPictures(Protocol):
    """Pictures of a video in time order, and the reason if some of them could not be decoded, else None."""

    damage: str | None

    def __iter__(self) -> Iterator[VideoPicture]:
        """Yield the pictures once."""


class VideoFrames:
    """The pictures of a video at a low rate; iterate once.

    Each is the first at or after a point of a regular grid, so a video of variable frame rate gives fewer where it
    stands still. A rotation that the file asks for is applied.

    Args:
        source: a file; what it is follows from its content.
        rate: pictures a second, above 0.
        name: of the recording in messages; None takes that of the source.
        limited: whether memory is short: one thread decodes pictures of `LIMITED_PIXELS` at most, else several threads
            those of `MOST_PIXELS`.

    Raises:
        MissingExtraError: PyAV is not installed.
        AudioError: the file cannot be opened or read.
        VideoError: it is no video, or its pictures cannot be decoded.
    """

    def __init__(
        self, source: VideoInput, *, rate: float = RATE, name: str | None = None, limited: bool = False
    ) -> None:
        self.name = name_of(source) if name is None else name
        require("av", need=f"the pictures of {self.name}", extra="face")
        self._rate, self._limited = rate, limited
        self.damage: str | None = None
        """Once the pictures have ended: the reason if some could not be decoded, else None."""
        self._view = open_view(source, name=self.name)
        try:
            self._open()
        except BaseException:
            self._view.close()
            raise

    def __iter__(self) -> Iterator[VideoPicture]:
        """Yield the pictures in time order, and close the file.

        Raises:
            VideoError: none can be decoded.
        """
        wanted, seen = float("-inf"), False
        try:
            for time, frame in self._decoded():
                seen = True
                if time >= wanted:
                    yield self._upright(time, frame)
                    wanted = (np.floor(time * self._rate + 1e-6) + 1) / self._rate - 1e-6
        finally:
            self.close()
        if not seen:
            raise VideoError(
                f"{self.name}: got a video of which no picture can be decoded ({self.damage or 'it has none'}), "
                "expected h264, vp9, …; convert it, or leave the face out"
            )

    def close(self) -> None:
        """Close the container, and the file if it was opened here."""
        self._container.close()
        self._view.close()

    def _open(self) -> None:
        import av

        self._failures = (av.FFmpegError, IndexError, ValueError, NotImplementedError, MemoryError)
        form = recognise(self._view).form
        if form is None or form.demuxer is None:
            raise VideoError(f"{self.name}: got a file without pictures, expected a video; leave the face out")
        self._view.seek(0)
        try:
            self._container: Any = av.open(self._view, format=form.demuxer, metadata_errors="replace", options=_OPTIONS)
        except self._failures as error:
            raise VideoError(
                f"{self.name}: got {form.demuxer} data that ffmpeg cannot read ({error}), expected a complete video"
            ) from error
        try:
            self._choose(form.demuxer)
        except BaseException:
            self._container.close()
            raise

    def _choose(self, demuxer: str) -> None:
        tracks = [track for track in self._container.streams.video if not int(track.disposition) & _COVER]
        if not tracks:
            raise VideoError(f"{self.name}: got sound without pictures, expected a video; leave the face out")
        track = tracks[0]
        most = LIMITED_PIXELS if self._limited else MOST_PIXELS
        if track.codec_context is None or track.width * track.height > most:
            raise VideoError(
                f"{self.name}: got pictures of {track.width} × {track.height} in {track.name}, expected at most "
                f"{most} pixels in a known codec; convert the video to a smaller one"
            )
        if self._limited:
            track.codec_context.thread_count = 1
        else:
            track.thread_type = "AUTO"
        track.codec_context.options = {"max_pixels": str(most)}
        if track.average_rate is not None and track.average_rate >= _SKIP_FROM:
            track.codec_context.skip_frame = "NONREF"
        self._track = track
        self._origin = (self._container.start_time or 0) / 1e6 if demuxer in _BROADCAST else 0.0

    def _decoded(self) -> Iterator[tuple[float, Any]]:
        """Yield times and decoded pictures; a bad packet is left out, an error of the container is the end."""
        bad, good = 0, False
        try:
            for packet in self._container.demux(self._track):
                try:
                    frames = packet.decode()
                except self._failures as error:
                    bad, self.damage = bad + 1, f"a packet is damaged: {error}"
                    if not good and bad > _BAD_PACKETS:
                        return
                    continue
                for frame in frames:
                    if frame.time is not None:  # one without a time cannot be placed
                        good = True
                        yield frame.time - self._origin, frame
        except self._failures as error:
            self.damage = f"decoding stopped: {error}"

    def _upright(self, time: float, frame: Any) -> VideoPicture:
        scale = max(1.0, max(frame.width, frame.height) / LONGEST_SIDE)
        width, height = (max(1, round(side / scale)) for side in (frame.width, frame.height))
        image = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
        return VideoPicture(time, np.rot90(image, round(frame.rotation / 90)), scale)


def resized(image: Image, *, width: int, height: int) -> Image:
    """Return an image [h, w, 3] in another size: by averages of areas if it shrinks, else by lines between pixels.

    >>> resized(np.full((40, 30, 3), 200, np.uint8), width=15, height=20).shape
    (20, 15, 3)
    """
    import av

    kind = "AREA" if width * height < image.shape[0] * image.shape[1] else "BILINEAR"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return np.asarray(frame.reformat(width=width, height=height, interpolation=kind).to_ndarray())
