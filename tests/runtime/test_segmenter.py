"""Streams to regions and tiles: the same for any chunking, complete, bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.audio.types import Samples
from emovox.runtime.segmenter import (
    Preview,
    RegionEnded,
    RegionStarted,
    Segmenter,
    SegmenterConfig,
    SegmenterEvent,
    cut_tiles,
)
from emovox.runtime.tiles import Tile, split_region
from emovox.runtime.vad import VadConfig
from emovox.schema.config import convert
from emovox.schema.errors import ConfigError
from emovox.testing import RATE
from tests.sounds import clicks, noise, pause, scene, talk

LAST_BIT = 1 / 32768  # audio is kept as 16-bit samples
BOUND_BYTES = 300_000
ODD = SegmenterConfig(
    window=1.1, rounding=0.7, shortest=0.4, vad=VadConfig(lookahead=0.02, hangover=0.1, padding=0.05, onset_window=0.16)
)  # tiles whose audio has not come when their region ends


def run(
    samples: Samples,
    *,
    sizes: list[int] | None = None,
    config: SegmenterConfig | None = None,
    hop: float | None = None,
    speech_only: bool = True,
    cuts: Sequence[int] = (),
) -> list[SegmenterEvent]:
    segmenter = Segmenter(config, hop=hop, speech_only=speech_only, cuts=cuts)
    events: list[SegmenterEvent] = []
    for chunk in np.split(samples, np.cumsum(sizes or []).clip(max=samples.size)):
        events += segmenter.feed(chunk)
    return events + segmenter.flush()


def plain(events: list[SegmenterEvent]) -> list[tuple[object, ...]]:
    return [
        (type(event), event.region, event.start, event.end, event.samples.tobytes())
        if isinstance(event, Tile | Preview)
        else (event,)
        for event in events
    ]


def tiles_of(events: list[SegmenterEvent]) -> list[Tile]:
    return [event for event in events if isinstance(event, Tile)]


@st.composite
def recordings(draw: st.DrawFn) -> Samples:
    seed = draw(st.integers(0, 50))
    parts: dict[str, Callable[[float], Samples]] = {
        "talk": lambda seconds: talk(seconds, seed=seed, f0=90 + 5 * seed),
        "pause": pause,
        "clicks": clicks,
        "noise": lambda seconds: noise(seconds, dbfs=-40, seed=seed),
    }
    plan = draw(st.lists(st.tuples(st.sampled_from(sorted(parts)), st.floats(0.1, 2.5)), min_size=1, max_size=4))
    return scene(*(parts[kind](seconds) for kind, seconds in plan), seed=seed)


CHUNKS = st.lists(st.one_of(st.integers(1, 5), st.integers(100, 700), st.integers(5000, 40000)), max_size=30)


class TestChunking:
    @settings(max_examples=60, deadline=None)
    @given(
        samples=recordings(),
        sizes=CHUNKS,
        config=st.sampled_from([SegmenterConfig(), ODD]),
        hop=st.sampled_from([None, 0.06, 0.5]),
        speech_only=st.booleans(),
    )
    def test_any_chunking_gives_the_same_events(
        self, samples: Samples, sizes: list[int], config: SegmenterConfig, hop: float | None, speech_only: bool
    ) -> None:
        parts = run(samples, sizes=sizes, config=config, hop=hop, speech_only=speech_only)
        assert plain(parts) == plain(run(samples, config=config, hop=hop, speech_only=speech_only))

    @settings(max_examples=40, deadline=None)
    @given(samples=recordings(), sizes=CHUNKS, cuts=st.lists(st.integers(0, 160000), max_size=5).map(sorted))
    def test_any_chunking_gives_the_same_events_with_cuts(
        self, samples: Samples, sizes: list[int], cuts: list[int]
    ) -> None:
        assert plain(run(samples, sizes=sizes, cuts=cuts)) == plain(run(samples, cuts=cuts))

    @pytest.mark.parametrize("hop", [None, 0.1])
    @pytest.mark.parametrize("config", [SegmenterConfig(), ODD])
    def test_one_sample_at_a_time(self, config: SegmenterConfig, hop: float | None) -> None:
        samples = scene(pause(0.2), talk(0.7), pause(0.5))
        events = run(samples, sizes=[1] * samples.size, config=config, hop=hop)
        assert tiles_of(events)
        assert plain(events) == plain(run(samples, config=config, hop=hop))

    def test_interleaved_streams_do_not_touch_each_other(self) -> None:
        one, two = scene(talk(2), pause(1)), scene(pause(1), talk(2, f0=220))
        segmenters = [Segmenter(), Segmenter()]
        events: list[list[SegmenterEvent]] = [[], []]
        for chunks in zip(np.split(one, 30), np.split(two, 30), strict=True):
            for segmenter, chunk, own in zip(segmenters, chunks, events, strict=True):
                own += segmenter.feed(chunk)
        assert plain(events[0] + segmenters[0].flush()) == plain(run(one))
        assert plain(events[1] + segmenters[1].flush()) == plain(run(two))

    def test_after_flush_and_after_reset_it_is_as_new(self) -> None:
        samples = scene(pause(0.5), talk(1.5), pause(0.7))
        segmenter = Segmenter()
        first = segmenter.feed(samples) + segmenter.flush()
        second = segmenter.feed(samples)
        segmenter.reset()
        third = segmenter.feed(samples) + segmenter.flush()
        assert plain(first) == plain(third)
        assert plain(second) == plain(first[: len(second)])


class TestCuts:
    @settings(max_examples=40, deadline=None)
    @given(samples=recordings(), cuts=st.lists(st.integers(0, 160000), max_size=5, unique=True).map(sorted))
    def test_tiles_end_at_the_cuts_of_their_region_and_regions_stay(self, samples: Samples, cuts: list[int]) -> None:
        events = run(samples, cuts=cuts)
        regions = [event for event in events if isinstance(event, RegionEnded)]
        assert regions == [event for event in run(samples) if isinstance(event, RegionEnded)]
        for region in regions:
            own = [tile for tile in tiles_of(events) if tile.region == region.region]
            inside = {cut for cut in cuts if region.start < cut < region.end}
            assert inside <= {tile.end for tile in own}
            assert [tile.start for tile in own] == [region.start, *(tile.end for tile in own[:-1])]
            assert own[-1].end == region.end

    def test_windows_start_anew_at_a_cut(self) -> None:
        samples = scene(talk(8))
        (region,) = [event for event in run(samples) if isinstance(event, RegionEnded)]
        cut = region.start + round(3.7 * RATE)
        bounds = [(tile.start, tile.end) for tile in tiles_of(run(samples, cuts=[cut]))]
        assert bounds == [
            *split_region(region.start, cut, window=3 * RATE),
            *split_region(cut, region.end, window=3 * RATE),
        ]

    def test_cuts_hold_for_the_next_stream_too(self) -> None:
        samples = scene(talk(4))
        segmenter = Segmenter(cuts=[2 * RATE])
        first = segmenter.feed(samples) + segmenter.flush()
        assert 2 * RATE in {tile.end for tile in tiles_of(first)}
        assert plain(segmenter.feed(samples) + segmenter.flush()) == plain(first)


class TestEvents:
    @settings(max_examples=40, deadline=None)
    @given(samples=recordings(), config=st.sampled_from([SegmenterConfig(), ODD]))
    def test_order_cover_and_content(self, samples: Samples, config: SegmenterConfig) -> None:
        step = round(config.rounding * RATE)
        started: RegionStarted | None = None
        at = last_end = 0
        for event in run(samples, config=config):
            if isinstance(event, RegionStarted):
                assert started is None
                assert event.start >= last_end
                started, at = event, event.start
            elif isinstance(event, Tile):
                assert started is not None
                assert (event.region, event.start) == (started.region, at)
                assert event.samples.dtype == np.float32
                assert event.samples.size in (samples.size, -(-(event.end - event.start) // step) * step)
                at = event.end
            else:
                assert started is not None
                assert event == RegionEnded(started.region, started.start, at)
                last_end, started = event.end, None
        assert started is None
        assert last_end <= samples.size

    def test_regions_are_numbered_and_lie_around_the_talk(self) -> None:
        samples = scene(pause(1), talk(1), pause(1), talk(2), pause(1))
        ended = [event for event in run(samples) if isinstance(event, RegionEnded)]
        assert [event.region for event in ended] == [0, 1]
        for event, (start, end) in zip(ended, [(1, 2), (3, 5)], strict=True):
            assert (
                start - 0.3 <= event.start / RATE <= start + 0.1
            )  # padding 0.2 s, a frame of 20 ms, a soft first syllable
            assert end - 0.2 <= event.end / RATE <= end + 0.3

    def test_a_tile_holds_the_audio_around_it(self) -> None:
        samples = scene(pause(1), talk(1.3), pause(1))
        (tile,) = cut_tiles([samples])
        before = (tile.samples.size - (tile.end - tile.start)) // 2
        heard = samples[tile.start - before :][: tile.samples.size]
        np.testing.assert_allclose(tile.samples, heard, atol=LAST_BIT)

    def test_windows_of_a_long_region(self) -> None:
        lengths = [(tile.end - tile.start) / RATE for tile in cut_tiles([scene(talk(10))])]
        assert lengths[:-1] == [3.0] * (len(lengths) - 1)
        assert sum(lengths) == pytest.approx(10, abs=0.1)

    def test_few_distinct_lengths(self) -> None:
        for seconds in np.arange(0.5, 5, 0.23):
            for tile in cut_tiles([scene(pause(1), talk(seconds), pause(1))]):
                assert tile.samples.size % (RATE // 2) == 0
                assert tile.samples.size <= 4.5 * RATE

    def test_a_tile_comes_while_the_region_goes_on(self) -> None:
        segmenter = Segmenter()
        assert not tiles_of(segmenter.feed(scene(talk(4.3))))  # it could still be one tile of 4.3 s
        assert len(tiles_of(segmenter.feed(scene(talk(0.7))))) == 1


class TestPreviews:
    def test_they_lie_in_open_regions_and_change_nothing_else(self) -> None:
        samples = scene(pause(0.7), talk(4.2), pause(1.3), talk(1.1), pause(0.6))
        events = run(samples, hop=0.5)
        rest: list[SegmenterEvent] = [event for event in events if not isinstance(event, Preview)]
        assert plain(rest) == plain(run(samples))
        open_region = None
        for event in events:
            if isinstance(event, RegionStarted):
                open_region = event.region
            elif isinstance(event, RegionEnded):
                open_region = None
            else:
                assert event.region == open_region

    def test_what_they_hear(self) -> None:
        samples = scene(pause(0.7), talk(4.2))
        found = [event for event in run(samples, hop=0.5) if isinstance(event, Preview)]
        assert [event.end for event in found] == [round(hop * RATE / 2) for hop in range(2, 10)]
        lengths = [(event.end - event.start) / RATE for event in found]
        assert lengths == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.0]
        for event in found:
            np.testing.assert_allclose(event.samples, samples[event.start : event.end], atol=LAST_BIT)

    def test_under_the_shortest_there_is_none(self) -> None:
        found = [event for event in run(scene(talk(1.0)), hop=0.02) if isinstance(event, Preview)]
        assert (found[0].end - found[0].start) / RATE >= 0.3

    @pytest.mark.parametrize("hop", [0.0, -0.5, 0.01, 0.03, float("nan"), float("inf")])
    def test_a_hop_is_whole_frames(self, hop: float) -> None:
        with pytest.raises(ConfigError, match=rf"hop is {hop} s, expected a multiple of 0\.02 s, such as 0\.5"):
            Segmenter(hop=hop)


class TestEverythingIsSpeech:
    @pytest.mark.parametrize("seconds", [0.3, 0.51, 2.0, 4.4999, 4.5, 13.337])
    def test_the_tiles_cover_all_of_it(self, seconds: float) -> None:
        samples = noise(seconds)
        events = run(samples, speech_only=False)
        assert events[0] == RegionStarted(0, 0)
        assert events[-1] == RegionEnded(0, 0, samples.size)
        tiles = tiles_of(events)
        assert len(events) == len(tiles) + 2
        assert tiles[0].start == 0
        assert tiles[-1].end == samples.size
        assert all(one.end == two.start for one, two in pairwise(tiles))

    def test_the_shortest_holds_here_too(self) -> None:
        assert run(noise(0.29), speech_only=False) == []


class TestSpeechFound:
    @pytest.mark.parametrize("dbfs", [-20, -49, -75])
    def test_the_quiet_is_found_as_well(self, dbfs: float) -> None:
        samples = scene(pause(0.5), talk(1.5, dbfs=dbfs), pause(0.5), floor_dbfs=dbfs - 40)
        (tile,) = cut_tiles([samples])
        assert (tile.end - tile.start) / RATE == pytest.approx(1.9, abs=0.2)

    @pytest.mark.parametrize("gain_db", [-30, 10])
    def test_the_same_regions_at_another_level(self, gain_db: float) -> None:
        samples = scene(pause(0.5), talk(1), pause(1), talk(2, dbfs=-40), pause(0.5))
        changed = run(samples * np.float32(10 ** (gain_db / 20)))
        bounds = [[(tile.start, tile.end) for tile in tiles_of(events)] for events in (run(samples), changed)]
        np.testing.assert_allclose(bounds[0], bounds[1], atol=0.02 * RATE)  # one frame

    def test_a_recording_that_is_nothing_but_speech(self) -> None:
        samples = scene(talk(1.2))
        (tile,) = cut_tiles([samples])
        assert tile.start == 0
        assert tile.samples.size == samples.size

    @pytest.mark.parametrize("silent", [pause(2), noise(2, dbfs=-30), clicks(2), pause(0)])
    def test_no_speech_no_events(self, silent: Samples) -> None:
        assert run(silent) == []


class TestShortRecordings:
    def test_under_the_shortest_nothing_at_all(self) -> None:
        assert run(talk(0.29)) == []

    def test_over_it_the_whole_recording(self) -> None:
        samples = talk(0.35)
        (tile,) = cut_tiles([samples])
        assert tile.samples.size == samples.size

    def test_the_shortest_is_a_setting(self) -> None:
        assert cut_tiles([talk(0.35)], SegmenterConfig(shortest=0.4)) == []


class TestMemory:
    @pytest.mark.parametrize("hop", [None, 0.5])
    def test_a_region_that_never_ends(self, hop: float | None) -> None:
        segmenter, piece, kept, given = Segmenter(hop=hop), scene(talk(2)), 0, 0
        for second in range(2, 62, 2):
            given += len(tiles_of(segmenter.feed(piece)))
            kept = max(kept, segmenter.nbytes)
            assert given >= (second - 4.6) / 3  # tiles all the time
        assert kept <= BOUND_BYTES
        assert given == 19

    @pytest.mark.parametrize("size", [7, 320, 160000])
    def test_long_silence_and_any_call_size(self, size: int) -> None:
        segmenter, kept = Segmenter(), []
        for chunk in np.split(noise(30), range(size, 30 * RATE, size)):
            segmenter.feed(chunk)
            kept.append(segmenter.nbytes)
        assert max(kept) <= BOUND_BYTES / 2

    def test_pauses_between_talk_at_every_phase(self) -> None:
        segmenter, kept = Segmenter(), 0
        for index in range(12):
            segmenter.feed(scene(talk(3.8 + 0.1 * index), pause(0.45 + 0.02 * index), seed=index))
            kept = max(kept, segmenter.nbytes)
        assert kept <= BOUND_BYTES

    def test_the_input_is_left_alone(self) -> None:
        samples = scene(talk(1))
        copy = samples.copy()
        tiles = cut_tiles([samples])
        tiles[0].samples[:] = 0
        np.testing.assert_array_equal(samples, copy)


@pytest.mark.parametrize(("name", "value"), [("window", 0.0), ("shortest", -1.0), ("rounding", 0.0)])
def test_config_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value}, out of range; see SegmenterConfig"):
        convert({name: value}, SegmenterConfig, where="test")


def test_padding_is_consistent_after_regions_touch() -> None:
    samples = scene(*[part for _ in range(6) for part in (talk(0.6), pause(0.42))])
    ended = [event for event in run(samples) if isinstance(event, RegionEnded)]
    assert all(one.end <= two.start for one, two in pairwise(ended))
