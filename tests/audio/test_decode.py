"""Choice of the decoder by content, and arrays as sources."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.audio.arrays import MAX_CHANNELS, ArrayDecoder
from emovox.audio.decode import open_decoder
from emovox.audio.types import Samples
from emovox.schema.errors import AudioError, EmptyAudioError, UndecodableError


def decoded(samples: Any, rate: Any = 8000) -> Samples:
    return np.concatenate(list(ArrayDecoder((samples, rate), name="x").blocks(7)), axis=1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([0, -32768, 16384], np.int16), [0, -1, 0.5]),
        (np.array([0, -(2**31), 2**30], np.int32), [0, -1, 0.5]),
        (np.array([0, -32768, 16384], ">i2"), [0, -1, 0.5]),
        (np.array([0, -1, 0.5], ">f4"), [0, -1, 0.5]),
        (np.array([0, -128, 64], np.int8), [0, -1, 0.5]),
        (np.array([128, 0, 192], np.uint8), [0, -1, 0.5]),
        (np.array([0, -1, 0.5], np.float64), [0, -1, 0.5]),
        (np.array([0, -1, 0.5], np.float16), [0, -1, 0.5]),
    ],
)
def test_every_type_is_scaled_to_its_full_scale(given: Any, expected: list[float]) -> None:
    samples = decoded(given)
    assert samples.dtype == np.float32
    assert samples.tolist() == [expected]


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.bool_, np.complex64])
def test_types_without_a_full_scale_are_refused(kind: type[np.generic]) -> None:
    with pytest.raises(AudioError, match=rf"type {np.dtype(kind)}, expected float in \[-1, 1\], int16"):
        decoded(np.zeros(10, kind))


def test_blocks_of_an_array_join_to_the_array() -> None:
    samples = np.random.default_rng(1).standard_normal((3, 40)).astype(np.float32)
    assert np.array_equal(decoded(samples), samples)


def test_array_is_not_modified() -> None:
    samples = np.arange(20, dtype=np.int16)
    before = samples.copy()
    decoded(samples)
    assert np.array_equal(samples, before)


def test_time_first_is_accepted_when_it_is_beyond_doubt() -> None:
    samples = np.random.default_rng(1).standard_normal((MAX_CHANNELS + 1, 2)).astype(np.float32)
    assert np.array_equal(decoded(samples), samples.T)


@pytest.mark.parametrize("shape", [(10, 2), (MAX_CHANNELS, 6), (100, 90), (2, 3, 100), ()])
def test_shapes_that_nobody_can_tell_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"expected \[n\] or \[channels, n\]; transpose"):
        decoded(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 2)])
def test_zero_samples(shape: tuple[int, ...]) -> None:
    with pytest.raises(EmptyAudioError, match="got 0 samples"):
        decoded(np.zeros(shape, np.float32))


@pytest.mark.parametrize("rate", [0, -8000, 8000.5, float("nan"), float("inf"), 2**31, "8000", None])
def test_rate_must_be_a_whole_number(rate: Any) -> None:
    with pytest.raises(AudioError, match=r"got sample rate .* expected a whole number of Hz"):
        decoded(np.zeros(4, np.float32), rate)


@pytest.mark.parametrize("source", [(np.zeros(4),), (np.zeros(4), 8000, 1), ([[1.0, 2.0], [3.0]], 8000)])
def test_tuples_that_hold_no_recording(source: Any) -> None:
    with pytest.raises(AudioError, match=r"x: got .*expected"):
        ArrayDecoder(source, name="x")


def test_whole_rate_given_as_float_or_numpy_integer() -> None:
    for rate in (8000.0, np.int32(8000)):
        assert ArrayDecoder((np.zeros(4), rate), name="x").rate == 8000  # type: ignore[arg-type]


def test_suffix_does_not_matter(tmp_path: Path, encode: Callable[..., bytes], tone: Callable[..., Samples]) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(encode(tone(0.1, 16000), 16000, kind="FLAC"))
    decoder = open_decoder(path, name="x")
    assert (decoder.rate, decoder.channels, decoder.frames) == (16000, 1, 1600)
    decoder.close()


@pytest.mark.parametrize("content", [b"Dear diary,\n" * 50, b"\x00" * 500, b"\xff\xfb", b"RIFF"])
def test_what_is_not_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.wav"
    path.write_bytes(content)
    with pytest.raises(UndecodableError, match=r"text\.wav: got .*expected"):
        open_decoder(path, name="text.wav")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_name_that_is_not_utf8(tmp_path: Path, encode: Callable[..., bytes], tone: Callable[..., Samples]) -> None:
    path = tmp_path / os.fsdecode(b"t\xe9l\xff.wav")
    path.write_bytes(encode(tone(0.1, 16000), 16000))
    decoder = open_decoder(path, name="x")
    assert decoder.frames == 1600
    decoder.close()


def test_headerless_file_by_suffix(tmp_path: Path) -> None:
    path = tmp_path / "samples.raw"
    path.write_bytes(bytes(1000))
    with pytest.raises(UndecodableError, match="not audio"):
        open_decoder(path, name="samples.raw")
