"""The decoding of frames, compared with the definition of G.711."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.audio.encodings import WIDTHS, decode, law_table
from emovox.audio.types import Encoding
from emovox.serving.errors import FrameError
from emovox.serving.live.audio_in import AudioIn
from emovox.serving.live.messages import SessionStart

RESAMPLING_TOLERANCE = 1e-6
"""Greatest difference between soxr's resampler for variable rates (30 ms delay) and the usual one (115 ms)."""


def test_mulaw_by_its_definition() -> None:
    table = law_table("mu") * 32768
    assert (table[0xFF], table[0x7F], table[0x80], table[0x00]) == (0, 0, 32124, -32124)
    assert (table[0xFE], table[0xEF], table[0xF0]) == (8, 132, 120)
    assert len(set(table.tolist())) == 255  # +0 and -0
    assert np.array_equal(table[:128], -table[128:])


def test_alaw_by_its_definition() -> None:
    table = law_table("a") * 32768
    assert (table[0xD5], table[0x55], table[0xAA], table[0x2A]) == (8, -8, 32256, -32256)
    assert len(set(table.tolist())) == 256
    assert np.array_equal(table[:128], -table[128:])


def test_floats_and_integers() -> None:
    assert decode(np.array([0.5, -1, np.nan], "<f4").tobytes(), encoding="f32le", channels=1)[0, :2].tolist() == [
        0.5,
        -1,
    ]
    assert decode(b"\x00\x80", encoding="s16le", channels=1).tolist() == [[-1.0]]


@pytest.mark.parametrize("encoding", list(WIDTHS))
def test_half_samples_are_refused(encoding: Encoding) -> None:
    audio = AudioIn(SessionStart(8000, encoding, 2), sample_rate=16000, hop=0.5)
    with pytest.raises(FrameError, match=rf"got a frame of 3 bytes, expected a multiple of {2 * WIDTHS[encoding]}"):
        list(audio.feed(b"abc"))


@given(sizes=st.lists(st.integers(1, 3000), max_size=40), hop=st.sampled_from([0.1, 0.3, 0.5, 0.62, 2.0]))
def test_any_cutting_gives_the_same_samples_and_no_step_waits(sizes: list[int], hop: float) -> None:
    samples = np.arange(sum(sizes), dtype="<i2")
    audio = AudioIn(SessionStart(16000, "s16le"), sample_rate=16000, hop=hop)
    taken, pieces = 0, []
    for size in sizes:
        pieces += [piece for piece in audio.feed(samples[taken : taken + size].tobytes()) if piece.size]
        taken += size
        given_on = sum(piece.shape[1] for piece in pieces)
        assert given_on >= int(taken / (hop * 16000) + 1e-9) * hop * 16000 - 1  # a hop that is full has been given on
        assert taken - given_on <= 0.32 * 16000
    pieces += list(audio.flush())
    whole = np.concatenate([np.empty((1, 0)), *pieces], axis=1)
    assert np.array_equal(whole[0] * 32768, samples)
    assert audio.seconds == taken / 16000


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 22050, 48000])
def test_a_stream_is_resampled_as_a_file_is(rate: int) -> None:
    import soxr

    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * rate).astype("<f4")  # up to the highest frequencies
    audio = AudioIn(SessionStart(rate, "f32le"), sample_rate=16000, hop=0.5)
    data = samples.tobytes()
    pieces = [piece for first in range(0, len(data), 1000) for piece in audio.feed(data[first : first + 1000])]
    ours = np.concatenate([*pieces, *audio.flush()], axis=1)[0]
    theirs = soxr.resample(samples, rate, 16000)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=RESAMPLING_TOLERANCE)
