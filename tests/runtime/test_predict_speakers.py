"""Predictions with speakers: who speaks in each segment, and what stays as it is without them."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from emovox.audio.reader import AudioReader
from emovox.audio.types import Samples
from emovox.runtime import voice_encoder
from emovox.runtime.predictor import Predictor, load
from emovox.schema.errors import ConfigError
from emovox.schema.result import Result
from emovox.testing import RATE, write_toy
from tests.sounds import pause, said, scene


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(str(write_toy(tmp_path_factory.mktemp("speakers"))))


@cache
def call() -> Samples:
    """A low voice, a high one right after it, and the low one again after a pause."""
    return scene(pause(0.3), said(0, 4.3), said(1, 4.0), pause(1.0), said(0, 3.0, seed=1), pause(0.5))


def who(result: Result) -> list[int | None]:
    return [segment.speaker for segment in result.segments]


@pytest.mark.parametrize("speakers", ["auto", 2, "2"])
def test_each_segment_has_its_speaker(model: Predictor, speakers: int | str) -> None:
    result = model.predict((call(), RATE), speakers=speakers)  # type: ignore[arg-type]  # text, as from a form
    assert who(result)[0] == 0
    assert {segment.speaker for segment in result.segments if segment.end < 4.4} == {0}
    assert {segment.speaker for segment in result.segments if 4.2 < segment.start < 8.0} == {1}
    assert {segment.speaker for segment in result.segments if segment.start > 9.0} == {0}
    assert any(abs(segment.end - 4.6) < 0.5 for segment in result.segments)  # cut at the turn


def test_without_speakers_nothing_changes(model: Predictor) -> None:
    plain, named = model.predict((call(), RATE)), model.predict((call(), RATE), speakers=1)
    assert who(plain) == [None] * len(plain.segments)
    assert b"speaker" not in msgspec.json.encode(plain)
    assert who(named) == [0] * len(plain.segments)
    unnamed = [msgspec.structs.replace(segment, speaker=None) for segment in named.segments]
    assert msgspec.structs.replace(named, segments=tuple(unnamed)) == plain


def test_one_speaker_needs_no_encoder(model: Predictor) -> None:
    voice_encoder._session.cache_clear()
    model.predict((call(), RATE), speakers=1)
    model.predict((call(), RATE))
    assert voice_encoder._session.cache_info().currsize == 0


def test_channels_share_the_numbers(model: Predictor) -> None:
    low, high = said(0, 4.0), said(1, 4.0)
    result = model.predict((np.stack([low, high]), RATE), channels="split", speakers=2)
    assert {(segment.channel, segment.speaker) for segment in result.segments} == {(0, 0), (1, 1)}
    alone = model.predict((np.stack([low, high]), RATE), channels=1, speakers="auto")
    assert {(segment.channel, segment.speaker) for segment in alone.segments} == {(1, 0)}


def test_a_pipe_is_read_twice(model: Predictor, tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    soundfile.write(tmp_path / "a.wav", call(), RATE, subtype="FLOAT")
    pipe = Pipe((tmp_path / "a.wav").read_bytes())
    assert who(model.predict(pipe, speakers=2)) == who(model.predict((call(), RATE), speakers=2))


def test_the_observer_gets_empty_blocks_first(model: Predictor) -> None:
    sizes: list[int] = []

    def observe(block: Samples, reader: AudioReader) -> None:
        sizes.append(block.size)
        assert 0 < reader.progress <= 1

    model.predict((call(), RATE), speakers=2, observer=observe)
    assert sizes[: len(sizes) // 2] == [0] * (len(sizes) // 2)
    assert sum(sizes) == call().size


@pytest.mark.parametrize("speakers", [2, "auto"])
def test_silence_has_no_speaker_and_one_word_has_one(model: Predictor, speakers: int | str) -> None:
    silent = model.predict((pause(2.0), RATE), speakers=speakers)  # type: ignore[arg-type]
    assert [notice.code for notice in silent.warnings] == ["no_speech"]
    word = model.predict((said(1, 0.5), RATE), speakers=speakers)  # type: ignore[arg-type]
    assert who(word) == [0]


def test_what_is_scored_in_doubt_has_one_speaker(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.runtime.first_pass.UNCERTAIN_PROBABILITY", -1.0)
    result = model.predict((pause(4.0), RATE), speakers=2)
    assert result.warnings[0].code == "speech_uncertain"
    assert set(who(result)) == {0}


def test_without_voice_activity_detection(model: Predictor) -> None:
    result = model.predict((call(), RATE), speakers=2, vad=False)
    assert set(who(result)) == {0, 1}
    assert result.segments[0].start == 0


@pytest.mark.parametrize("speakers", [0, 50, "many", 2.5, True])
def test_a_bad_number_is_an_error(model: Predictor, speakers: object) -> None:
    with pytest.raises(ConfigError, match=r"^speakers is .*, expected 1 to 20, or auto$"):
        model.predict((call(), RATE), speakers=speakers)  # type: ignore[arg-type]


def test_each_speaker_is_adapted_to(model: Predictor) -> None:
    result = model.predict((call(), RATE), speakers=2, adapt="speaker")
    assert set(who(result)) == {0, 1}
    assert result.adapted is not None
    assert (result.adapted.source, result.adapted.clips) == ("speaker", len(result.segments))
    assert result.plain_scores is not None
    with pytest.raises(ConfigError, match="adapt is 'speaker' without speakers, expected their number or auto"):
        model.predict((call(), RATE), adapt="speaker")
