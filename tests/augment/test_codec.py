"""G.711 against its tables and against libsndfile; bands and files keep time and take away what they should."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from emovox.audio.g711 import Law, Pcm, decode, encode
from emovox.augment.codec import random_codec, through_band, through_file, through_g711
from emovox.augment.config import Codec, CodecKind
from emovox.testing import RATE, tone
from tests.sounds import breathy, decibels, hiss, level_between, rms

LAWS: tuple[Law, ...] = ("mu", "a")
EVERY: Pcm = np.arange(-32768, 32768).astype(np.int16)
CODES = np.arange(256, dtype=np.uint8)

G711_SNR_DB = 30.0
"""At -20 dB of full scale; measured 37 with both laws."""

STOP_DB = -60.0
"""Energy above the cut relative to the input, in dB; measured -80 and less."""


def by_libsndfile(pcm: Pcm, law: Law) -> Pcm:
    file = io.BytesIO()
    soundfile.write(file, pcm, 8000, format="WAV", subtype={"mu": "ULAW", "a": "ALAW"}[law])
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="int16")[0], np.int16)


def test_decoded_values_are_those_of_the_tables() -> None:
    """G.711 tables 2a and 1a: the ends of the segments, as 14 and 13 bits, here shifted to 16."""
    mu = np.array([8031, 4191, 3999, 2079, 1983, 1023, 975, 495, 471, 231, 219, 99, 93, 33, 30, 0]) * 4
    codes = [0x80 | segment << 4 | mantissa for segment in range(8) for mantissa in (0, 15)]
    assert decode(np.array(codes, np.uint8), "mu").tolist() == mu.tolist()
    a = np.array([1, 31, 33, 63, 66, 126, 132, 252, 264, 504, 528, 1008, 1056, 2016, 2112, 4032]) * 8
    codes = [(0x80 | segment << 4 | mantissa) ^ 0x55 for segment in range(8) for mantissa in (0, 15)]
    assert decode(np.array(codes, np.uint8), "a").tolist() == a.tolist()


@pytest.mark.parametrize("law", LAWS)
def test_negative_values_mirror_positive_ones(law: Law) -> None:
    assert decode(CODES[:128], law).tolist() == (-decode(CODES[128:], law)).tolist()
    np.testing.assert_array_equal(encode(EVERY[:32768], law), encode(EVERY[::-1][:32768], law) & 0x7F)


@pytest.mark.parametrize("law", LAWS)
def test_every_code_survives_a_round_trip(law: Law) -> None:
    again = encode(decode(CODES, law), law)
    same = np.ones(256, bool)
    same[0x7F] = law == "a"  # the negative zero of the mu-law comes back as the positive one
    np.testing.assert_array_equal(again[same], CODES[same])


@pytest.mark.parametrize("law", LAWS)
def test_libsndfile_decodes_alike(law: Law) -> None:
    """Positive samples exactly; libsndfile has the borders of the negative codes one nearer to 0."""
    ours, theirs = decode(encode(EVERY, law), law), by_libsndfile(EVERY, law)
    np.testing.assert_array_equal(ours[EVERY >= 0], theirs[EVERY >= 0])
    differ = EVERY[ours != theirs]
    assert len(differ) == 127  # borders between the 128 negative codes
    np.testing.assert_array_equal(ours[differ.astype(int) - 1 + 32768], theirs[differ.astype(int) + 32768])


@pytest.mark.parametrize("law", LAWS)
def test_codes_are_monotonous_and_near(law: Law) -> None:
    decoded = decode(encode(EVERY, law), law).astype(int)
    assert (np.diff(decoded) >= 0).all()
    error = np.abs(decoded - EVERY)
    assert (error <= np.maximum(np.abs(EVERY.astype(int)) / 16, 16) + 132).all()


@pytest.mark.parametrize("law", LAWS)
def test_the_telephone_keeps_time_and_level_and_nothing_above_4_khz(law: Law) -> None:
    low = tone(1000, 2.0, level=0.14)
    made = through_g711(low, law=law)
    assert made.shape == low.shape
    inner = slice(800, -800)
    assert decibels(rms(low[inner]) / rms((made - low)[inner])) > G711_SNR_DB
    noise = hiss(2.0)
    left = level_between(through_g711(noise, law=law), 4100, 8000) / level_between(noise, 4100, 8000)
    assert decibels(left) < STOP_DB


def test_the_telephone_takes_other_rates() -> None:
    at_8000 = tone(500)[:4801]
    np.testing.assert_array_equal(
        through_g711(at_8000, 8000, "a"),
        decode(encode(np.rint(at_8000 * 32768).astype(np.int16), "a"), "a").astype(np.float32) / 32768,
    )
    assert through_g711(np.zeros(13230, np.float32), 44100).shape == (13230,)


@pytest.mark.parametrize("highest", [3400.0, 5231.0, 7000.0])
def test_a_band_keeps_what_is_below_and_removes_what_is_above(highest: float) -> None:
    noise = hiss(2.0)
    made = through_band(noise, highest)
    assert made.shape == noise.shape
    assert decibels(level_between(made, 100, 0.8 * highest) / level_between(noise, 100, 0.8 * highest)) == (
        pytest.approx(0, abs=0.2)
    )
    assert decibels(level_between(made, highest + 100, 8000) / level_between(noise, highest + 100, 8000)) < STOP_DB
    assert np.correlate(made, noise[100:-100]).argmax() == 100


def test_a_band_of_8_khz_changes_nothing() -> None:
    np.testing.assert_allclose(through_band(breathy(), 8000), breathy(), atol=1e-6)


@pytest.mark.parametrize("kind", ["mp3", "opus"])
@pytest.mark.parametrize("seconds", [0.3, 1.97])
def test_files_keep_time_and_length(kind: str, seconds: float) -> None:
    samples = breathy(seconds)
    made = through_file(samples, kind, 0.95)
    assert made.shape == samples.shape
    assert rms(made - samples) > 0.01 * rms(samples)
    middle = samples[1000:-1000]
    assert np.correlate(made, middle).argmax() == pytest.approx(1000, abs=1)


def test_every_kind_is_drawn() -> None:
    kinds: tuple[CodecKind, ...] = ("mu-law", "a-law", "band", "mp3", "opus")
    noise = hiss(0.5)
    made = [random_codec(noise, Codec(kinds=kinds), np.random.default_rng(seed)) for seed in range(25)]
    for law in LAWS:
        assert any(np.array_equal(one, through_g711(noise, RATE, law)) for one in made)
    assert {one.shape for one in made} == {noise.shape}
    assert len({one.tobytes() for one in made}) > 10
    only = random_codec(noise, Codec(kinds=("a-law",)), np.random.default_rng(0))
    np.testing.assert_array_equal(only, through_g711(noise, law="a"))
