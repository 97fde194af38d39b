"""Length and times are what the samples and the container say: files whose headers are wrong, or say nothing."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.audio import decode
from emovox.audio.mp3 import frame_at
from emovox.audio.reader import open_audio
from emovox.audio.types import ChannelChoice, Reading, Samples, parse_raw
from emovox.schema.errors import AudioError, TrackError, UndecodableError

RATE = 16000
SECONDS = 2.0
MEDIA = Path(__file__).parent / "media"

Tone = Callable[..., Samples]
Encode = Callable[..., bytes]


def read(
    source: bytes | Path, *, channels: ChannelChoice = "mix", reading: Reading | None = None
) -> tuple[Samples, list[str]]:
    """Return the samples at 16 kHz, and the codes of the notices."""
    with open_audio(source, channels=channels, reading=reading or Reading()) as reader:
        blocks = list(reader.blocks())
        return np.concatenate(blocks, axis=1), [notice.code for notice in reader.notices]


def seconds(source: bytes | Path) -> tuple[Any, list[str]]:
    samples, codes = read(source)
    return samples.shape[1] / RATE, codes


@pytest.fixture
def sound(rng: np.random.Generator, tone: Tone) -> Samples:
    return (tone(SECONDS, RATE) + 0.02 * rng.standard_normal(round(SECONDS * RATE))).astype(np.float32)


@pytest.fixture
def wav(sound: Samples, encode: Encode) -> bytes:
    return encode(sound, RATE)


@pytest.fixture
def mp3(sound: Samples, encode: Encode) -> bytes:
    return encode(sound, RATE, kind="MP3")


def with_size(wav: bytes, size: int) -> bytes:
    return wav[:40] + struct.pack("<I", size) + wav[44:]


def without_tag(mp3: bytes) -> bytes:
    frame = frame_at(mp3, 0)
    assert frame is not None
    return mp3[frame.size :]


class TestMp3:
    def test_without_a_header(self, mp3: bytes) -> None:
        assert seconds(without_tag(mp3)) == (pytest.approx(SECONDS, abs=0.1), [])

    def test_joined(self, mp3: bytes) -> None:
        assert seconds(mp3 + mp3) == (pytest.approx(2 * SECONDS, abs=0.05), [])
        assert seconds(mp3 + without_tag(mp3)) == (pytest.approx(2 * SECONDS, abs=0.15), [])

    @pytest.mark.parametrize("count", [5, 100_000])
    def test_wrong_count_of_frames(self, mp3: bytes, count: int) -> None:
        frame = frame_at(mp3, 0)
        assert frame is not None
        assert mp3[frame.tag : frame.tag + 4] in (b"Xing", b"Info")
        wrong = mp3[: frame.tag + 8] + struct.pack(">I", count) + mp3[frame.tag + 12 :]
        assert seconds(wrong) == (pytest.approx(SECONDS, abs=0.15), [])

    def test_behind_a_tag_and_the_rest_of_a_frame(self, mp3: bytes) -> None:
        tag = b"ID3\x04\0\0\0\0\x02\0" + bytes(256)
        assert seconds(tag + mp3[150:]) == (pytest.approx(SECONDS, abs=0.15), [])

    def test_cut(self, mp3: bytes) -> None:
        assert seconds(mp3[: len(mp3) // 2]) == (pytest.approx(SECONDS / 2, abs=0.15), ["truncated"])


class TestWav:
    def test_header_of_a_recorder_that_crashed(self, wav: bytes) -> None:
        assert seconds(with_size(wav, 0)) == (SECONDS, ["unfinished"])
        assert seconds(with_size(wav, RATE)) == (SECONDS, ["unfinished"])

    @pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
    def test_size_that_a_pipe_cannot_know(self, wav: bytes, size: int) -> None:
        assert seconds(with_size(wav, size)) == (SECONDS, [])

    def test_bytes_that_never_were(self, wav: bytes) -> None:
        assert seconds(with_size(wav, len(wav))) == (SECONDS, [])

    def test_chunks_and_padding_behind_the_sound_are_no_sound(self, wav: bytes) -> None:
        assert seconds(wav + b"LIST\x04\0\0\0INFO") == (SECONDS, [])
        assert seconds(wav + bytes(20_000)) == (SECONDS, [])

    @pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
    @pytest.mark.parametrize("size", [0, None])
    def test_64_bit_sizes(self, wav: bytes, magic: bytes, size: int | None) -> None:
        size = len(wav) - 44 if size is None else size
        sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, size, 0, 0)
        data = magic + b"\xff" * 4 + b"WAVE" + sizes + wav[12:40] + b"\xff" * 4 + wav[44:]
        assert seconds(data)[0] == SECONDS
        assert "truncated" not in seconds(data)[1]


@pytest.mark.parametrize(
    ("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", None), ("WAV", None), ("MP3", None)]
)
def test_several_recordings_in_a_file(sound: Samples, encode: Encode, kind: str, subtype: str | None) -> None:
    one = encode(sound, RATE, kind=kind, subtype=subtype)
    two = encode(np.stack([sound, sound]), 48000, kind=kind, subtype=subtype)  # another rate, and stereo
    assert seconds(one + one) == (pytest.approx(2 * SECONDS, abs=0.05), [])
    assert seconds(one + two)[0] == pytest.approx(SECONDS + SECONDS / 3, abs=0.05)


def test_flac_with_a_wrong_count_of_samples(sound: Samples, encode: Encode) -> None:
    data = bytearray(encode(sound, RATE, kind="FLAC"))
    data[22:26] = struct.pack(">I", 1000)
    assert seconds(bytes(data)) == (SECONDS, [])


def test_flac_goes_on_behind_damage(sound: Samples, encode: Encode) -> None:
    pytest.importorskip("av")
    data = encode(sound, RATE, kind="FLAC")
    middle = len(data) // 2
    samples, codes = read(data[:middle] + bytes(3000) + data[middle + 3000 :])
    assert samples.shape[1] / RATE == pytest.approx(SECONDS, abs=0.3)
    assert np.abs(samples[0, -4000:] - sound[-4000:]).max() < 1e-3
    assert codes == ["truncated"]


class TestContainer:
    @pytest.fixture
    def gapped(self, sound: Samples) -> Callable[..., bytes]:
        """Encode `sound` as webm in packets of 20 ms, each at the time that `at` gives for its number."""
        av = pytest.importorskip("av")

        def make(at: Callable[[int], float]) -> bytes:
            buffer = io.BytesIO()
            with av.open(buffer, "w", format="webm") as output:
                track = output.add_stream("libopus", rate=48000, layout="mono")
                track.codec_context.time_base = Fraction(1, 48000)
                packets = []
                for number, start in enumerate(range(0, len(sound) - 319, 320)):
                    block = np.repeat(sound[None, start : start + 320], 3, axis=1)
                    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="flt", layout="mono")
                    frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * number, Fraction(1, 48000)
                    packets += track.encode(frame)
                for number, packet in enumerate([*packets, *track.encode(None)]):
                    packet.pts = packet.dts = round(48000 * (at(number) + 0.02 * number))
                    packet.time_base = Fraction(1, 48000)
                    output.mux(packet)
            return buffer.getvalue()

        return make

    def test_sound_that_starts_late(self, gapped: Callable[..., bytes]) -> None:
        samples, codes = read(gapped(lambda _: 3.0))
        assert samples.shape[1] / RATE == pytest.approx(3 + SECONDS, abs=0.05)
        assert codes == []
        assert np.abs(samples[0, : round(2.9 * RATE)]).max() == 0
        assert np.abs(samples[0, round(3.1 * RATE) :]).max() > 0.1

    def test_muted_in_between(self, gapped: Callable[..., bytes]) -> None:
        samples, codes = read(gapped(lambda number: 5.0 if number >= 50 else 0.0))
        assert samples.shape[1] / RATE == pytest.approx(5 + SECONDS, abs=0.05)
        assert codes == []
        assert np.abs(samples[0, round(1.2 * RATE) : round(5.8 * RATE)]).max() < 1e-3

    def test_clock_that_jumps_by_days_is_not_followed(self, gapped: Callable[..., bytes]) -> None:
        assert seconds(gapped(lambda number: 1e5 if number >= 50 else 0.0))[0] == pytest.approx(SECONDS, abs=0.1)


class TestForms:
    """Files whose right length is 7.5 s, made from the generated speech of `examples/demo.flac`."""

    @pytest.mark.parametrize("name", ["opus.caf", "camera.mts"])
    def test_second_decoder(self, name: str) -> None:
        pytest.importorskip("av")
        assert seconds(MEDIA / name) == (pytest.approx(7.5, abs=0.15), [])

    def test_bare_gsm_is_known_by_content(self) -> None:
        assert seconds((MEDIA / "call.gsm").read_bytes()) == (pytest.approx(7.5, abs=0.03), [])

    def test_default_track(self) -> None:
        pytest.importorskip("av")
        path = MEDIA / "two_tracks_default_second.mkv"
        (default, codes), (first, _) = read(path), read(path, reading=Reading(track=0))
        assert np.abs(default).max() > 0.1
        assert codes == ["tracks"]
        assert np.abs(first).max() < 1e-3
        with pytest.raises(TrackError, match=r"got track 2, expected 0 to 1"):
            read(path, reading=Reading(track=2))

    def test_file_with_one_track(self, wav: bytes) -> None:
        assert read(wav, reading=Reading(track=0))[1] == []
        with pytest.raises(TrackError, match="got track 1, expected 0"):
            read(wav, reading=Reading(track=1))

    @pytest.mark.parametrize(
        ("text", "width"), [("s16le,16000", 2), ("16000", 2), ("mulaw,8000", 1), ("f32le,8000", 4)]
    )
    def test_bare_samples(self, text: str, width: int) -> None:
        raw = parse_raw(text)
        samples, codes = read(bytes(raw.rate * width), reading=Reading(raw=raw))
        assert samples.shape[1] / RATE == 1.0
        assert codes == []

    @pytest.mark.parametrize("text", ["", "s16le", "s16le,", "mp3,8000", "s16le,0", "s16le,99999999999", "mulaw,8k"])
    def test_wrong_words_for_bare_samples(self, text: str) -> None:
        with pytest.raises(ValueError, match="expected an encoding"):
            parse_raw(text)

    def test_known_form_that_is_not_read(self) -> None:
        with pytest.raises(UndecodableError, match="got midi, a form of sound that is not read"):
            read(b"MThd" + bytes(100))

    def test_thousands_of_chunks(self) -> None:
        with pytest.raises(UndecodableError, match="more than 1000 chunks before the sound"):
            read(b"RIFF\xff\xff\xff\xffWAVE" + b"abcd\0\0\0\0" * 5000)

    def test_hundreds_of_channels(self, encode: Encode) -> None:
        with pytest.raises(UndecodableError, match="got 100 channels at 8000 Hz, expected at most 64"):
            read(encode(np.zeros((100, 10), np.float32), 8000))


@pytest.mark.parametrize("isolated", [False, True])
def test_channels_that_cancel(sound: Samples, encode: Encode, isolated: bool) -> None:
    data = encode(np.stack([sound, -sound]), RATE)
    reading = Reading(isolated=isolated)
    assert read(data, reading=reading)[1] == ["channels_cancel"]
    assert read(data, channels=0, reading=reading)[1] == []
    speakers = np.random.default_rng(1).standard_normal((2, RATE)).astype(np.float32) * 0.1
    assert read(encode(speakers, RATE), reading=reading)[1] == []


class TestChild:
    """Another process that decodes gives what this one gives, and ends in time."""

    @pytest.mark.parametrize(("kind", "subtype"), [("WAV", None), ("FLAC", None), ("MP3", None), ("OGG", "OPUS")])
    def test_same_samples(
        self, sound: Samples, encode: Encode, kind: str, subtype: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = encode(sound, RATE, kind=kind, subtype=subtype)
        there = read(data, reading=Reading(isolated=True))
        monkeypatch.setattr(decode, "is_possible", lambda: False)
        here = read(data)
        assert np.array_equal(here[0], there[0])

    def test_same_errors(self, wav: bytes) -> None:
        for data, reading in ((b"Dear diary", Reading()), (wav, Reading(track=3)), (b"MThd" + bytes(9), Reading())):
            with pytest.raises(AudioError) as here:
                read(data, reading=reading)
            with pytest.raises(AudioError) as there:
                read(data, reading=Reading(track=reading.track, isolated=True))
            assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))

    def test_position_of_an_open_file_stays(self, wav: bytes, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav)
        with path.open("rb") as file:
            assert read(file, reading=Reading(isolated=True))[0].shape == (1, RATE * 2)  # type: ignore[arg-type]
            assert file.tell() in (0, len(wav))

    def test_what_check_raises_ends_it(self, wav: bytes) -> None:
        class Gone(Exception):
            pass

        calls = []

        def check() -> None:
            calls.append(1)
            if len(calls) > 3:
                raise Gone

        with pytest.raises(Gone):
            read(wav, reading=Reading(isolated=True, check=check))

    def test_tables_that_promise_millions_of_samples(self) -> None:
        """A table of 24 bytes describes 50 million packets; without a limit they take 1.9 GB."""
        pytest.importorskip("av")
        with pytest.raises(UndecodableError, match=r"Cannot allocate memory|too much memory|takes more than"):
            read(MEDIA / "promises_50_million.m4a")
