"""The network finds what has no period: whispered and breathy speech, at any level, rate and chunking."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emovox
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.runtime import speech_network as module
from emovox.runtime.pcm_buffer import PcmBuffer
from emovox.runtime.segmenter import Segmenter, SegmenterConfig, SegmenterEvent, cut_tiles
from emovox.runtime.speech_network import NETWORK, SHA256, SpeechNetwork, may_hold_speech, speech_probabilities
from emovox.runtime.vad import VadConfig
from emovox.schema.errors import ModelError
from emovox.testing import RATE
from studies.sounds import quiet, whispered
from tests.runtime.test_segmenter import plain
from tests.sounds import clicks, noise, pause, scene, talk

FOLDER = Path(emovox.__file__).parent / "runtime" / "silero"
NO_NETWORK = SegmenterConfig(vad=VadConfig(network_threshold=1.0))


@cache
def whisper() -> Samples:
    """Six seconds of the demo, whispered."""
    audio, _ = load_audio(Path(__file__).parents[2] / "examples" / "demo.flac", sample_rate=RATE)
    return whispered(audio[0, : 6 * RATE], np.random.default_rng(0))


def events_of(samples: Samples, sizes: list[int], *, hop: float | None = None) -> list[SegmenterEvent]:
    segmenter = Segmenter(hop=hop)
    pieces = np.split(samples, np.cumsum(sizes).clip(max=samples.size))
    return [event for piece in pieces for event in segmenter.feed(piece)] + segmenter.flush()


def network_over(samples: Samples, *, sample_rate: int = RATE) -> SpeechNetwork:
    audio = PcmBuffer()
    audio.append(samples)
    return SpeechNetwork(audio, sample_rate=sample_rate, threshold=0.5)


class TestRegions:
    def test_a_whisper_is_found_by_the_network_alone(self) -> None:
        found = cut_tiles([whisper()])
        assert sum(tile.end - tile.start for tile in found) > 3 * RATE
        assert cut_tiles([whisper()], NO_NETWORK) == []

    def test_30_decibels_less_change_little(self) -> None:
        bounds = [[(tile.start, tile.end) for tile in cut_tiles([sound])] for sound in (whisper(), quiet(whisper()))]
        np.testing.assert_allclose(bounds[0], bounds[1], atol=0.32 * RATE)  # two units

    @pytest.mark.parametrize("rate", [8000, 48000])
    def test_other_rates(self, rate: int) -> None:
        places = np.arange(0, whisper().size, RATE / rate)
        sound = np.interp(places, np.arange(whisper().size), whisper()).astype(np.float32)
        assert sum(tile.end - tile.start for tile in cut_tiles([sound], SegmenterConfig(sample_rate=rate))) > 3 * rate

    @settings(max_examples=12, deadline=None)
    @given(sizes=st.lists(st.integers(1, 30000), max_size=20), hop=st.sampled_from([None, 0.1]))
    def test_any_chunking_gives_the_same_events(self, sizes: list[int], hop: float | None) -> None:
        samples = scene(clicks(0.4), whisper()[: 2 * RATE], pause(0.7), talk(0.5), whisper()[3 * RATE : 5 * RATE])
        assert plain(events_of(samples, sizes, hop=hop)) == plain(events_of(samples, [], hop=hop))

    def test_interleaved_streams_do_not_touch_each_other(self) -> None:
        sounds = whisper(), whisper()[::-1].copy()
        segmenters = Segmenter(), Segmenter()
        events: tuple[list[SegmenterEvent], ...] = [], []
        for at in range(0, whisper().size, RATE // 4):
            for segmenter, sound, found in zip(segmenters, sounds, events, strict=True):
                found += segmenter.feed(sound[at : at + RATE // 4])
        for segmenter, sound, found in zip(segmenters, sounds, events, strict=True):
            assert plain(found + segmenter.flush()) == plain(events_of(sound, []))


class TestUnits:
    def test_noise_and_silence_hold_no_speech(self) -> None:
        for sound in (noise(2, dbfs=-30), pause(2), clicks(2)):
            network = network_over(sound)
            assert not any(network.holds_speech(unit) for unit in range(12))

    def test_the_first_unit_and_one_without_its_end_have_answers(self) -> None:
        assert not network_over(pause(0.05)).holds_speech(0)
        assert network_over(whisper()[RATE : RATE + 2000]).holds_speech(0) in (True, False)

    def test_after_a_gap_it_starts_anew(self) -> None:
        network, other = network_over(whisper()), network_over(whisper())
        first = [network.holds_speech(unit) for unit in (2, 3, 20, 21)]
        assert [other.holds_speech(unit) for unit in (20, 21)] == first[2:]

    def test_what_may_hold_speech(self) -> None:
        assert may_hold_speech(whisper(), sample_rate=RATE, threshold=0.5)
        assert not may_hold_speech(noise(2, dbfs=-30), sample_rate=RATE, threshold=0.2)
        assert not may_hold_speech(whisper()[:100], sample_rate=RATE, threshold=0.0)  # less than two chunks
        assert speech_probabilities(pause(0), sample_rate=RATE).shape == (0,)
        assert speech_probabilities(pause(1), sample_rate=8000).shape == (63,)


class TestFile:
    def test_it_is_loaded_when_it_is_needed(self) -> None:
        module._session.cache_clear()
        cut_tiles([pause(3)])
        cut_tiles([noise(3)])
        assert module._session.cache_info().currsize == 0
        cut_tiles([whisper()[:RATE]])
        cut_tiles([whisper()[:RATE]])
        assert module._session.cache_info().misses == 1

    def test_a_changed_or_missing_file_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module._session.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(module, "SHA256", "0" * 64)
            with pytest.raises(
                ModelError, match=r"sha256 is 9ccdacc4719d…, expected 000000000000…; install emovox again"
            ):
                cut_tiles([whisper()[:RATE]])
            patch.setattr(module, "NETWORK", "none.onnx")
            with pytest.raises(ModelError, match=r"none\.onnx: cannot be read \(No such file or directory\)"):
                cut_tiles([whisper()[:RATE]])
        assert cut_tiles([whisper()])

    def test_it_comes_with_its_licence_source_and_hash(self) -> None:
        assert hashlib.sha256((FOLDER / NETWORK).read_bytes()).hexdigest() == SHA256
        assert "MIT License" in (FOLDER / "LICENSE").read_text()
        assert SHA256 in (FOLDER / "README.md").read_text()

    def test_it_is_one_file_without_loops_and_branches(self) -> None:
        graph = onnx.load(FOLDER / NETWORK, load_external_data=False).graph
        assert not {"If", "Loop", "Scan"} & {node.op_type for node in graph.node}
        assert not any(tensor.external_data for tensor in graph.initializer)
