"""m4a, webm and video through PyAV."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.audio import decode, media
from emovox.audio.containers import recognise
from emovox.audio.decode import open_decoder
from emovox.audio.media import MediaDecoder
from emovox.audio.reader import load_audio, open_audio
from emovox.audio.types import Samples
from emovox.audio.view import FileView
from emovox.schema import extras
from emovox.schema.errors import EmptyAudioError, MissingExtraError, UndecodableError

RATE = 48000
PADDING = 0.05
"""Seconds by which AAC without an edit list is longer: one frame of priming and one of padding."""

CONTAINERS = [
    ("mp4", "aac", "mp4"),
    ("ipod", "aac", "mp4"),
    ("mov", "pcm_s16le", "mp4"),
    ("webm", "libopus", "matroska"),
    ("matroska", "flac", "matroska"),
    ("adts", "aac", "aac"),
    ("avi", "pcm_s16le", "avi"),
    ("flv", "aac", "flv"),
]


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in this process, where tests can make PyAV fail; `test_child.py` tests the other one."""
    monkeypatch.setattr(decode, "is_possible", lambda: False)


EncodeMedia = Callable[..., bytes]
Tone = Callable[..., Samples]


@pytest.mark.parametrize(("container", "codec", "demuxer"), CONTAINERS)
def test_every_container(container: str, codec: str, demuxer: str, tone: Tone, encode_media: EncodeMedia) -> None:
    rate = 44100 if container == "flv" else RATE
    data = encode_media(
        np.stack([tone(2.0, rate), np.zeros(2 * rate, np.float32)]), rate, container=container, codec=codec
    )
    form = recognise(FileView(io.BytesIO(data))).form
    assert form is not None
    assert (form.demuxer, form.sndfile) == (demuxer, False)
    with open_audio(data, channels="split") as reader:
        samples = np.concatenate(list(reader.blocks()), axis=1)
    assert (reader.native_rate, reader.native_channels, reader.notices) == (rate, 2, ())
    assert reader.duration == (None if container == "adts" else pytest.approx(2.0, abs=PADDING))
    assert samples.shape[1] / 16000 == pytest.approx(2.0, abs=PADDING)
    left, right = samples[:, 8000:24000]
    assert np.argmax(np.abs(np.fft.rfft(left))) == 440
    assert np.sqrt(np.mean(left**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.03)
    assert np.abs(right).max() < 0.02


@pytest.mark.parametrize(
    ("channels", "container", "codec"),
    [(8, "matroska", "flac"), (8, "mov", "pcm_s16le"), (9, "matroska", "pcm_s16le"), (32, "matroska", "pcm_s16le")],
)
def test_many_channels_are_those_that_went_in(
    channels: int, container: str, codec: str, rng: np.random.Generator, encode_media: EncodeMedia
) -> None:
    """From 8 on PyAV's planar arrays ended the process."""
    samples = (rng.integers(-(2**15), 2**15, (channels, 5000)) / 2**15).astype(np.float32)
    data = encode_media(samples, RATE, container=container, codec=codec)
    assert np.array_equal(load_audio(data, sample_rate=None, channels="split")[0], samples)


def test_surround_sound_of_a_phone(tone: Tone, encode_media: EncodeMedia) -> None:
    samples = np.zeros((8, RATE), np.float32)
    samples[7] = tone(1.0, RATE)
    data = encode_media(samples, RATE, container="ipod", codec="aac")
    levels = np.sqrt(np.mean(load_audio(data, channels="split")[0] ** 2, axis=1))
    assert levels == pytest.approx([0.0] * 7 + [0.3 / np.sqrt(2)], abs=0.02)


def test_sound_of_a_video(tone: Tone, encode_media: EncodeMedia) -> None:
    data = encode_media(tone(1.0, RATE), RATE, container="mp4", codec="aac", picture=True)
    samples, _ = load_audio(data)
    assert samples.shape[1] / 16000 == pytest.approx(1.0, abs=PADDING)


def test_video_without_sound(tone: Tone, encode_media: EncodeMedia) -> None:
    data = encode_media(tone(1.0, RATE), RATE, container="mp4", codec="aac", picture=True, sound=False)
    with pytest.raises(UndecodableError, match="mp4 without an audio track"):
        load_audio(data)


def test_path_with_foreign_letters_and_wrong_suffix(tmp_path: Path, tone: Tone, encode_media: EncodeMedia) -> None:
    path = tmp_path / "你好 é.wav"
    path.write_bytes(encode_media(tone(0.5, RATE), RATE, container="ipod", codec="aac"))
    assert load_audio(path)[0].shape[1] / 16000 == pytest.approx(0.5, abs=PADDING)


def test_open_file_stays_open(tone: Tone, encode_media: EncodeMedia) -> None:
    file = io.BytesIO(encode_media(tone(0.5, RATE), RATE, container="webm", codec="libopus"))
    load_audio(file)
    assert not file.closed


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("adts", "aac")])
def test_truncated_media_gives_its_beginning(container: str, codec: str, tone: Tone, encode_media: EncodeMedia) -> None:
    data = encode_media(tone(4.0, RATE), RATE, container=container, codec=codec)
    with open_audio(data[: len(data) // 2]) as reader:
        samples = np.concatenate(list(reader.blocks()), axis=1)
    assert 1.0 < samples.shape[1] / 16000 < 3.0
    assert [notice.code for notice in reader.notices] == ["truncated"]


def test_mp4_without_its_index(tone: Tone, encode_media: EncodeMedia) -> None:
    data = encode_media(tone(1.0, RATE), RATE, container="mov", codec="pcm_s16le")
    with pytest.raises(UndecodableError, match=r"mp4 data that ffmpeg cannot read.*expected a complete file"):
        load_audio(data[:5000])


def test_noise_behind_a_known_header() -> None:
    pytest.importorskip("av")
    with pytest.raises((UndecodableError, EmptyAudioError), match=r"<bytes>: got .* expected"):
        load_audio(b"\x1aE\xdf\xa3" + np.random.default_rng(0).bytes(5000))


def test_blocks_of_any_size_are_the_same(tone: Tone, encode_media: EncodeMedia) -> None:
    data = encode_media(tone(2.0, RATE), RATE, container="webm", codec="libopus")
    whole = load_audio(data, sample_rate=None)[0]
    for frames in (1, 5000):
        decoder = open_decoder(data, name="x")
        assert np.array_equal(np.concatenate(list(decoder.blocks(frames)), axis=1), whole)
        decoder.close()


def test_many_packets_are_handed_over_in_between(
    tone: Tone, encode_media: EncodeMedia, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_MOST_PIECES", 8)
    decoder = open_decoder(encode_media(tone(2.0, RATE), RATE, container="webm", codec="libopus"), name="x")
    assert len(list(decoder.blocks(10**9))) >= 10
    decoder.close()


def test_track_that_changes_its_rate_and_channels(tone: Tone, encode_media: EncodeMedia) -> None:
    stereo = encode_media(np.stack([tone(1.0, RATE)] * 2), RATE, container="adts", codec="aac")
    mono = encode_media(tone(1.0, 24000), 24000, container="adts", codec="aac")
    samples, rate = load_audio(stereo + mono, sample_rate=None, channels="split")
    assert (samples.shape[0], rate) == (2, RATE)
    assert samples.shape[1] / RATE == pytest.approx(2.0, abs=3 * PADDING)
    assert np.argmax(np.abs(np.fft.rfft(samples[1, -RATE - 4800 : -4800]))) == pytest.approx(440, abs=1)


class Failing:
    """A container or a converter of PyAV that fails as on damaged data.

    Args:
        real: the working container or converter.
        error: the error to raise.
        after: number of frames before the error.
    """

    def __init__(self, real: Any, error: Exception, *, after: int = 0) -> None:
        self._real, self._error, self._after = real, error, after

    def demux(self, track: Any) -> Iterator[Any]:
        yield from islice(self._real.demux(track), self._after)
        raise self._error

    def resample(self, frame: Any) -> Any:
        if frame is None:
            raise self._error
        return self._real.resample(frame)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class TestDamage:
    """Errors that PyAV has raised on files with bytes changed at random."""

    @pytest.fixture(params=["argument", "not implemented", "index", "value", "PyAV's not implemented"])
    def error(self, request: pytest.FixtureRequest) -> Exception:
        av = pytest.importorskip("av", reason="the extra 'media' is not installed")
        errors: dict[str, Exception] = {
            "argument": av.error.ArgumentError(22, "Invalid argument"),
            "not implemented": av.error.NotImplementedError(38, "Function not implemented"),
            "index": IndexError("list index out of range"),
            "value": ValueError("Frame does not match AudioResampler setup."),
            "PyAV's not implemented": NotImplementedError("unknown side data"),
        }
        return errors[request.param]

    @pytest.fixture
    def data(self, tone: Tone, encode_media: EncodeMedia) -> bytes:
        return encode_media(tone(1.0, RATE), RATE, container="webm", codec="libopus")

    def make_fail(self, monkeypatch: pytest.MonkeyPatch, error: Exception, *, after: int) -> None:
        import av

        real = av.open
        monkeypatch.setattr(av, "open", lambda *given, **options: Failing(real(*given, **options), error, after=after))

    def test_in_the_middle_leaves_what_was_decoded(
        self, data: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.make_fail(monkeypatch, error, after=10)
        with open_audio(data) as reader:
            seconds = sum(block.shape[1] for block in reader.blocks()) / 16000
        assert seconds == pytest.approx(0.2, abs=PADDING)
        (notice,) = reader.notices
        assert notice.code == "truncated"
        assert notice.message.endswith(f"decoding stopped: {getattr(error, 'strerror', error)}")

    def test_at_the_first_frame_is_undecodable(
        self, data: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.make_fail(monkeypatch, error, after=0)
        with pytest.raises(UndecodableError, match="an audio track that ffmpeg cannot decode"):
            load_audio(data)

    def test_at_the_head_is_undecodable(self, data: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_arguments: object, **_options: object) -> None:
            raise error

        monkeypatch.setattr("av.open", fail)
        with pytest.raises(UndecodableError, match="matroska data that ffmpeg cannot read"):
            load_audio(data)

    @pytest.mark.parametrize("before", [False, True])
    def test_of_the_rest_leaves_what_came_before(
        self, before: bool, data: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A converter that has failed fails again when it is asked for what it holds back: the first reason counts."""
        if before:
            self.make_fail(monkeypatch, IndexError("came sooner"), after=10)
        make = MediaDecoder._to_float
        monkeypatch.setattr(MediaDecoder, "_to_float", lambda self: Failing(make(self), error))
        with open_audio(data) as reader:
            assert sum(block.shape[1] for block in reader.blocks()) > 0
        (notice,) = reader.notices
        assert notice.code == "truncated"
        assert ("came sooner" in notice.message) == before


def test_codec_that_libsndfile_does_not_know(tone: Tone, encode_media: EncodeMedia) -> None:
    data = encode_media(tone(1.0, RATE), RATE, container="ogg", codec="flac")
    assert load_audio(data, sample_rate=None)[0].shape == (1, RATE)


@pytest.mark.parametrize("head", [b"\x00\x00\x00\x20ftypM4A ", b"\x1aE\xdf\xa3", b"\xff\xf1P\x80"])
def test_missing_extra_is_one_line(head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    path = tmp_path / "memo.wav"  # the content decides, not the suffix
    path.write_bytes(head + bytes(100))
    with pytest.raises(MissingExtraError, match=r"memo\.wav.* needs the extra 'media': pip install 'emovox\[media\]'$"):
        load_audio(path)


@pytest.mark.parametrize("head", [b"RIFF\x24\x00\x00\x00WAVEfmt ", b"fLaC", b"OggS", b"\xff\xfb\x90\x00" * 2])
def test_libsndfile_keeps_its_formats(head: bytes) -> None:
    form = recognise(FileView(io.BytesIO(head))).form
    assert form is not None
    assert form.sndfile


@pytest.mark.parametrize("content", [b"", b"ID3", b"text", bytes(500)])
def test_what_has_no_form(content: bytes) -> None:
    assert recognise(FileView(io.BytesIO(content))).form is None
