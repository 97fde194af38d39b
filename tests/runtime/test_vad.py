"""Noise floor, periodicity, decisions on frames, and regions made of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime.noise_floor import NoiseFloor, Power
from emovox.runtime.periodicity import VOICE_RATE, WINDOW, periodicity
from emovox.runtime.vad import (
    CLEAR,
    FRAME,
    LOUD,
    SILENT,
    VOICED,
    Closed,
    Levels,
    Opened,
    RegionFinder,
    Vad,
    VadConfig,
    frames_of,
)
from emovox.schema.errors import ConfigError
from emovox.testing import RATE
from tests.sounds import at_level, clicks, noise, pause, scene, talk


def decide(samples: Samples, config: VadConfig | None = None) -> Levels:
    vad = Vad(config or VadConfig())
    return np.concatenate([vad.feed(samples), vad.flush()])


def levels(*runs: tuple[int, int]) -> Levels:
    return np.concatenate([np.full(count, level, np.uint8) for level, count in runs])


def tone(hz: float) -> Samples:
    return np.sin(2 * np.pi * hz * np.arange(WINDOW) / VOICE_RATE + 1).astype(np.float32)


class TestNoiseFloor:
    def test_is_the_minimum_of_past_and_ahead(self) -> None:
        power = np.random.default_rng(0).random(60).astype(np.float32)
        floor = NoiseFloor(past=7, ahead=3)
        first, last = floor.feed(power), floor.flush()
        expected = [power[max(0, t - 7) : t + 4].min() for t in range(60)]
        np.testing.assert_array_equal(np.concatenate([first[1], last[1]]), expected)
        np.testing.assert_array_equal(np.concatenate([first[0], last[0]]), power)

    def test_waits_for_the_look_ahead(self) -> None:
        floor = NoiseFloor(past=2, ahead=3)
        assert floor.feed(np.ones(3, np.float32))[0].size == 0
        assert floor.feed(np.ones(1, np.float32))[0].size == 1
        assert floor.flush()[0].size == 3

    @given(cuts=st.lists(st.integers(0, 40), max_size=8))
    def test_any_cutting_gives_the_same(self, cuts: list[int]) -> None:
        power: Power = np.random.default_rng(1).random(40).astype(np.float32)
        floor = NoiseFloor(past=5, ahead=2)
        pieces = [floor.feed(piece)[1] for piece in np.split(power, sorted(cuts))] + [floor.flush()[1]]
        whole = NoiseFloor(past=5, ahead=2)
        np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate([whole.feed(power)[1], whole.flush()[1]]))


class TestPeriodicity:
    @pytest.mark.parametrize("hz", [80, 120, 200, 330, 480, 700])
    def test_of_a_tone_is_nearly_one(self, hz: float) -> None:
        assert periodicity(tone(hz)[None])[0] > 0.9  # a lag is up to half a sample off at 4 kHz

    def test_of_noise_is_mostly_below_the_threshold(self) -> None:
        frames = np.random.default_rng(0).standard_normal((2000, WINDOW)).astype(np.float32)
        assert (periodicity(frames) > VadConfig().clear_periodicity).mean() < 0.01

    def test_of_a_slow_decay_is_nothing(self) -> None:
        ramp = np.linspace(-1, 1, WINDOW, dtype=np.float32)
        assert periodicity(ramp[None])[0] < 0.2  # high at short lags, but no peak

    def test_of_silence_is_nothing(self) -> None:
        assert periodicity(np.zeros((1, WINDOW), np.float32))[0] == 0

    def test_does_not_depend_on_level_or_neighbours(self) -> None:
        frames = np.stack([tone(100), tone(150) * np.float32(1e-4), np.zeros(WINDOW, np.float32)])
        alone = [periodicity(frame[None])[0] for frame in frames]
        np.testing.assert_array_equal(periodicity(frames), alone)
        assert periodicity(frames[:1] * np.float32(1e-4))[0] == pytest.approx(alone[0], rel=1e-4)  # float32


class TestVad:
    @pytest.mark.parametrize("f0", [80, 120, 220, 350])
    def test_finds_a_voice_and_not_the_pauses(self, f0: float) -> None:
        found = decide(scene(pause(1), talk(1, f0=f0), pause(1)))
        assert (found[50:100] > SILENT).mean() > 0.7  # the dips between syllables are no voice
        assert (found[:48] > SILENT).sum() + (found[102:] > SILENT).sum() == 0

    @pytest.mark.parametrize("gain_db", [0, -15, -30, 12])
    def test_the_level_does_not_matter(self, gain_db: float) -> None:
        samples = scene(pause(0.5), talk(1), pause(0.5))
        louder = samples * np.float32(10 ** (gain_db / 20))
        differ = (decide(samples) != decide(louder)).mean()
        assert differ <= 0.01  # float32 rounding at a threshold

    def test_the_floor_is_relative(self) -> None:
        voice = talk(1, dbfs=-35)
        assert decide(scene(pause(1), voice, floor_dbfs=-60)).max() == CLEAR
        assert decide(scene(pause(1), voice, floor_dbfs=-20)).max() < VOICED  # drowned: 15 dB below the noise

    def test_audio_that_begins_with_speech_is_found_from_its_start(self) -> None:
        found = decide(scene(talk(1)))
        assert np.flatnonzero(found == CLEAR)[0] < frames_of(0.2)

    @pytest.mark.parametrize("dbfs", [-20, -40, -60, -80])
    def test_steady_noise_is_no_voice(self, dbfs: float) -> None:
        assert (decide(noise(5, dbfs=dbfs)) == CLEAR).sum() == 0

    @pytest.mark.parametrize("silent", [pause(3), pause(3) + np.float32(0.3), clicks(3), noise(3, dbfs=-101)])
    def test_silence_offset_clicks_and_the_last_bit_are_no_voice(self, silent: Samples) -> None:
        assert (decide(silent) == CLEAR).sum() == 0

    def test_a_steady_hum_is_no_voice(self) -> None:
        clock = np.arange(5 * RATE) / RATE
        hum = at_level(sum((np.sin(2 * np.pi * 50 * k * clock) / k for k in range(1, 8)), np.zeros(clock.size)), -30)
        assert (decide(hum) == CLEAR).sum() == 0

    def test_other_rates(self) -> None:
        narrow = scene(pause(1), talk(1), pause(1))[::2].copy()
        vad = Vad(VadConfig(), sample_rate=8000)
        found = np.concatenate([vad.feed(narrow), vad.flush()])
        assert found.size == 150
        assert (found[50:100] > SILENT).mean() > 0.7

    def test_decisions_lag_by_the_look_ahead(self) -> None:
        vad = Vad(VadConfig(lookahead=0.2))
        assert vad.feed(noise(1)).size == round((1 - 0.2) / FRAME)
        assert vad.flush().size == round(0.2 / FRAME)

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 99), sizes=st.lists(st.integers(0, 6000), min_size=1, max_size=12))
    def test_any_cutting_gives_the_same(self, seed: int, sizes: list[int]) -> None:
        samples = scene(pause(0.3), talk(1.1, seed=seed), clicks(0.4), seed=seed)
        vad = Vad(VadConfig())
        pieces = [vad.feed(piece) for piece in np.split(samples, np.cumsum(sizes).clip(max=samples.size))]
        np.testing.assert_array_equal(np.concatenate([*pieces, vad.flush()]), decide(samples))

    def test_reset_forgets(self) -> None:
        vad = Vad(VadConfig())
        vad.feed(talk(1))
        vad.reset()
        samples = scene(pause(0.5), talk(0.5))
        np.testing.assert_array_equal(np.concatenate([vad.feed(samples), vad.flush()]), decide(samples))

    def test_refuses_rates_it_cannot_divide(self) -> None:
        with pytest.raises(ConfigError, match="sample_rate is 22050, expected a multiple of 4000"):
            Vad(VadConfig(), sample_rate=22050)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("above_floor_db", 0.0),
        ("loud_above_floor_db", 9.0),
        ("network_threshold", 1.5),
        ("silence_dbfs", 3.0),
        ("floor_window", 0.0),
        ("lookahead", 0.0),
        ("held_periodicity", 0.9),
        ("onset", 0.5),
        ("padding", 0.3),
    ],
)
def test_config_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value}, out of range"):
        VadConfig(**{name: value})


class TestRegionFinder:
    config = VadConfig(onset=0.06, onset_window=0.2, hangover=0.2, padding=0.1)

    def test_opens_at_the_first_voiced_frame_of_the_window(self) -> None:
        finder = RegionFinder(self.config)
        marks = finder.feed(levels((SILENT, 20), (VOICED, 2), (SILENT, 1), (CLEAR, 3)))
        assert marks == [Opened(20)]
        assert finder.is_open
        assert finder.reach == 26

    def test_too_few_clear_frames_open_nothing(self) -> None:
        finder = RegionFinder(self.config)
        assert finder.feed(levels((CLEAR, 2), (SILENT, 9), (CLEAR, 2), (VOICED, 50))) == []

    def test_a_pause_shorter_than_the_hangover_does_not_close(self) -> None:
        finder = RegionFinder(self.config)
        marks = finder.feed(levels((CLEAR, 5), (SILENT, 9), (VOICED, 1), (SILENT, 10), (CLEAR, 3)))
        assert marks == [Opened(0), Closed(15), Opened(25)]

    def test_the_network_opens_a_region_at_the_first_loud_frame_and_keeps_it_open(self) -> None:
        asked: list[int] = []

        def holds_speech(unit: int) -> bool:
            asked.append(unit)
            return unit in (2, 3)

        finder = RegionFinder(self.config, holds_speech=holds_speech)
        marks = finder.feed(levels((SILENT, 7), (LOUD, 2), (SILENT, 9), (LOUD, 30), (SILENT, 12)))
        assert marks == [Opened(18), Closed(32)]
        assert asked == [2, 3, 4, 5]  # two loud frames of unit 0 and 1 are too few

    def test_the_network_is_not_asked_about_voices(self) -> None:
        def refuse(unit: int) -> bool:
            raise AssertionError(unit)

        finder = RegionFinder(self.config, holds_speech=refuse)
        assert finder.feed(levels((SILENT, 5), (CLEAR, 3), (LOUD, 3), (VOICED, 7))) == [Opened(5)]

    def test_the_end_closes_and_asks_about_the_last_piece(self) -> None:
        finder = RegionFinder(self.config, holds_speech=lambda unit: unit == 1)
        assert finder.feed(levels((SILENT, 9), (LOUD, 3))) == []
        assert finder.flush() == [Opened(9), Closed(12)]

    def test_earliest_bounds_every_later_start(self) -> None:
        finder = RegionFinder(self.config)
        rng = np.random.default_rng(0)
        for level in rng.choice([SILENT, VOICED, CLEAR], 2000, p=[0.8, 0.1, 0.1]).astype(np.uint8):
            before = finder.earliest
            marks = finder.feed(np.array([level]))
            assert all(mark.frame >= before for mark in marks if isinstance(mark, Opened))


@pytest.mark.corpora
@pytest.mark.skipif("EMOVOX_CORPORA" not in os.environ, reason="EMOVOX_CORPORA is unset: the real corpora are needed")
def test_misses_at_most_one_percent_of_ravdess() -> None:
    import soundfile

    files = sorted(Path(os.environ["EMOVOX_CORPORA"], "ravdess").rglob("03-01-0[246]-*.flac"))[::3]
    if len(files) < 100:
        pytest.skip("EMOVOX_CORPORA holds no RAVDESS as 16 kHz .flac")
    missed = []
    for file in files:  # calm, sad and fearful: the quiet ones, every third
        samples, _ = soundfile.read(file, dtype="float32")
        if not RegionFinder(VadConfig()).feed(decide(samples)):
            missed.append(file.name)
    assert len(missed) <= 0.01 * len(files), missed
