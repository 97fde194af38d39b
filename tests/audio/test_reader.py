"""Any source at any rate, channel by channel, in blocks; notices and errors."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.reader import load_audio, open_audio
from emovox.audio.types import AudioInput, ChannelChoice, Samples
from emovox.schema.errors import (
    AudioError,
    ChannelError,
    EmptyAudioError,
    NonFiniteError,
    ScaleError,
    UndecodableError,
)
from emovox.schema.result import Notice

TOLERANCE = 1e-6
"""The resampler carries its state in float32; in practice the blocks agree bit by bit."""

Encode = Callable[..., bytes]
Tone = Callable[..., Samples]


def read(source: AudioInput, **settings: Any) -> tuple[Samples, tuple[Notice, ...]]:
    with open_audio(source, **settings) as reader:
        blocks = list(reader.blocks())
        return np.concatenate([np.empty((reader.channels, 0), np.float32), *blocks], axis=1), reader.notices


def noise(n: int, *, channels: int = 1, seed: int = 0) -> Samples:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, n))).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000]),
    target=st.sampled_from([8000, 16000, 22050]),
    n=st.integers(1, 20000),
    block_seconds=st.floats(1e-4, 0.5),
    channels=st.sampled_from(["mix", "split", 1]),
)
def test_any_block_size_gives_the_same_samples(
    rate: int, target: int, n: int, block_seconds: float, channels: ChannelChoice
) -> None:
    source = (noise(max(n, 2), channels=2), rate)
    whole, _ = load_audio(source, sample_rate=target, channels=channels)
    parts, _ = read(source, sample_rate=target, channels=channels, block_seconds=max(block_seconds, n / rate / 300))
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).max(initial=0) <= TOLERANCE


@pytest.mark.parametrize("rate", [1, 999, 768_001])
def test_rates_that_no_audio_has(rate: int) -> None:
    with pytest.raises(UndecodableError, match=rf"got a sample rate of {rate} Hz, expected 1000 to 768000"):
        open_audio((noise(100, channels=2), rate))


def test_blocks_are_bounded_after_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.audio.reader._BLOCK_VALUES", 64_000)
    with open_audio((noise(8000, channels=16), 1000), channels="split", block_seconds=8.0) as reader:
        assert max(block.size for block in reader.blocks()) <= 4 * 64_000  # the resampler holds some back at first


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_resampling_is_soxrs(rate: int) -> None:
    samples = noise(rate)
    expected = soxr.resample(samples[0], rate, 16000)
    result, _ = load_audio((samples, rate))
    assert result.shape == (1, 16000)
    assert np.abs(result[0] - expected).max() <= TOLERANCE


def test_no_resampling_when_the_rates_agree() -> None:
    samples = noise(5000)
    assert np.array_equal(load_audio((samples, 16000))[0], samples)


def test_native_rate_on_demand() -> None:
    samples, rate = load_audio((noise(5000), 11025), sample_rate=None)
    assert (samples.shape, rate) == ((1, 5000), 11025)


@pytest.mark.parametrize(("channels", "rows"), [("mix", 1), ("split", 6), (4, 1)])
def test_channels_of_a_six_channel_file(channels: ChannelChoice, rows: int, encode: Encode) -> None:
    samples = noise(16000, channels=6)
    data = encode(samples, 16000, subtype="FLOAT")
    with open_audio(data, channels=channels) as reader:
        assert (reader.native_channels, reader.channels) == (6, rows)
        result = np.concatenate(list(reader.blocks()), axis=1)
    expected = {"mix": samples.mean(axis=0, keepdims=True), "split": samples, 4: samples[4:5]}[channels]
    assert result.flags.c_contiguous
    assert np.abs(result - expected).max() <= TOLERANCE


@pytest.mark.parametrize("channel", [2, -1, 1.5, "left"])
def test_channel_that_does_not_exist(channel: Any, encode: Encode) -> None:
    data = encode(noise(100, channels=2), 16000)
    with pytest.raises(ChannelError, match=rf"got channel {channel!r}, expected 0 to 1 .*'mix' or 'split'"):
        open_audio(data, channels=channel)


@pytest.mark.parametrize("kind", ["path", "string", "bytes", "file", "disk file", "samples"])
def test_every_source_gives_the_same(kind: str, tmp_path: Path, encode: Encode) -> None:
    samples = noise(8000, channels=2)
    data = encode(samples, 8000, subtype="FLOAT")
    path = tmp_path / "录音 é.wav"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(99)
        sources: dict[str, AudioInput] = {
            "path": path,
            "string": str(path),
            "bytes": data,
            "file": io.BytesIO(data),
            "disk file": file,
            "samples": (samples, 8000),
        }
        result, _ = load_audio(sources[kind])
    assert np.array_equal(result, load_audio((samples, 8000))[0])


def test_what_the_reader_tells(tmp_path: Path, encode: Encode) -> None:
    path = tmp_path / "call.flac"
    path.write_bytes(encode(noise(4000, channels=2), 8000, kind="FLAC"))
    with open_audio(path) as reader:
        assert (reader.name, reader.native_rate, reader.sample_rate, reader.duration) == (str(path), 8000, 16000, 0.5)
        assert reader.seconds == 0
        assert sum(block.shape[1] for block in reader.blocks()) == 8000
        assert (reader.seconds, reader.notices) == (0.5, ())


def test_every_call_of_blocks_starts_anew(encode: Encode) -> None:
    with open_audio(encode(noise(20000), 22050, kind="OGG", subtype="VORBIS"), block_seconds=0.1) as reader:
        next(reader.blocks())
        first = np.concatenate(list(reader.blocks()), axis=1)
        second = np.concatenate(list(reader.blocks()), axis=1)
        assert reader.seconds == pytest.approx(20000 / 22050)
    assert np.array_equal(first, second)


def test_pipe_is_read_in_full(encode: Encode) -> None:
    data = encode(noise(16000), 16000)
    with subprocess.Popen([sys.executable, "-c", f"import os; os.write(1, {data!r})"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert np.array_equal(load_audio(cast(BinaryIO, child.stdout))[0], load_audio(data)[0])


def test_one_sample_at_a_much_lower_rate_is_nothing() -> None:
    assert load_audio((noise(1), 44100), sample_rate=8000)[0].shape == (1, 0)


@pytest.mark.parametrize("n", [1, 160])
def test_very_short_recordings_are_read(n: int, encode: Encode) -> None:
    assert load_audio(encode(noise(n), 16000))[0].shape == (1, n)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", ["mix", "split", 1])
def test_not_finite_says_where(value: float, channels: ChannelChoice, encode: Encode) -> None:
    samples = noise(16000, channels=2)
    samples[1, 12000] = value
    data = encode(samples, 16000, subtype="FLOAT")
    with pytest.raises(NonFiniteError, match=rf"<bytes>: got {value} at 0\.750 s in channel 1, expected finite"):
        read(data, channels=channels, block_seconds=0.1)


@pytest.mark.parametrize("value", [1e300, 1e30])
def test_samples_beyond_any_scale_count_as_not_finite(value: float) -> None:
    samples = noise(1000).astype(np.float64)
    samples[0, 100] = value
    with pytest.raises(NonFiniteError, match=r"at 0\.100 s in channel 0"):
        read((samples, 1000))


@pytest.mark.parametrize(("peak", "divisor"), [(9.0, 128), (20_000.0, 32768), (4e6, 8388608), (2.0**31, 2**31)])
def test_samples_in_another_scale(peak: float, divisor: int) -> None:
    samples = noise(1000)
    samples[0, 100] = peak
    with pytest.raises(ScaleError, match=rf"at 0\.100 s in channel 0 .* divide them by {divisor}$"):
        read((samples, 1000))


def test_channel_that_is_not_asked_for_may_hold_anything() -> None:
    samples = noise(1000, channels=2)
    samples[1, 10] = np.nan
    assert np.isfinite(load_audio((samples, 16000), channels=0)[0]).all()


def test_no_samples(encode: Encode) -> None:
    with pytest.raises(EmptyAudioError, match="<bytes>: got 0 samples, expected at least one"):
        load_audio(encode(np.empty((1, 0), np.float32), 16000))


def test_nothing_decodable(encode: Encode) -> None:
    data = encode(noise(16000), 16000, kind="FLAC")
    with pytest.raises(UndecodableError, match=r"nothing can be decoded \(decoding stopped"):
        load_audio(data[:1000])


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", None), ("FLAC", None), ("OGG", "OPUS"), ("MP3", None)])
def test_truncated_file_is_a_notice(kind: str, subtype: str | None, tone: Tone, encode: Encode) -> None:
    data = encode(tone(5.0, 16000), 16000, kind=kind, subtype=subtype)
    result, notices = read(data[: len(data) * 7 // 10])
    assert 2.0 < result.shape[1] / 16000 < 4.0
    assert [notice.code for notice in notices] == ["truncated"]
    assert "could be decoded:" in notices[0].message


def test_full_scale_square_wave_is_a_notice(encode: Encode) -> None:
    square = np.sign(np.sin(np.arange(16000) / 20 + 0.01)).astype(np.float32)
    _, notices = read(encode(square, 16000))
    assert notices == (Notice("clipped", "100.0 % of the samples are at full scale: record at a lower level"),)


@pytest.mark.parametrize(("channels", "share"), [("mix", "1.0"), ("split", "1.0"), (0, None), (1, "2.0")])
def test_clipping_is_looked_for_in_the_chosen_channels(channels: ChannelChoice, share: str | None) -> None:
    samples = noise(10000, channels=2)
    samples[1, ::50] = 1.0
    _, notices = read((samples, 8000), channels=channels)
    assert [notice.message.split(" %")[0] for notice in notices] == ([] if share is None else [share])


def test_normalised_recording_is_not_clipped(tone: Tone) -> None:
    peak = tone(1.0, 16000)
    peak[[100, 5000]] = 1.0
    assert read((peak, 16000))[1] == ()


@pytest.mark.parametrize("settings", [{"sample_rate": 0}, {"block_seconds": 0.0}, {"block_seconds": float("nan")}])
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(AudioError, match="expected a rate >= 1 and a time > 0"):
        open_audio(b"RIFF", **settings)


def test_many_channels_make_short_blocks() -> None:
    samples = np.zeros((32, 300_000), np.float32)
    with open_audio((samples, 16000), channels="split", block_seconds=60) as reader:
        assert max(block.size for block in reader.blocks()) <= 2**22


def test_decoding_wav_loads_nothing_else(tmp_path: Path, encode: Encode) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encode(noise(1600), 16000))
    program = (
        "import sys; from emovox.audio.reader import load_audio; from emovox.audio.preprocess import preprocess; "
        f"load_audio({str(path)!r}); preprocess({str(path)!r}, sample_rate=16000); "
        "print(sorted({'av', 'soxr', 'scipy', 'librosa', 'numba', 'sklearn', 'torch', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
