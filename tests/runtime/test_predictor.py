from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import emovox
from emovox.audio.reader import AudioReader, load_audio
from emovox.audio.types import Samples
from emovox.runtime import predictor as module
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor, load, predict
from emovox.runtime.stream import BLOCK_SECONDS
from emovox.schema.card import ModelCard
from emovox.schema.errors import (
    ChannelError,
    ConfigError,
    EmptyAudioError,
    NonFiniteError,
    UndecodableError,
    UnknownModelError,
    UnreadableError,
)
from emovox.schema.events import SpeechEnded
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import Result
from emovox.testing import RATE, speech, write_toy
from studies.sounds import mixed

SCORE_TOLERANCE = 1e-5
RESAMPLED_TOLERANCE = 0.05
"""What resampling to 16 kHz may change in a score of the toy, which hears the highest frequencies."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predictor")


@pytest.fixture(scope="module")
def model(folder: Path) -> Predictor:
    return load(str(write_toy(folder)))


def call() -> Samples:
    """Nine seconds: a low voice, a pause, a high voice."""
    return np.concatenate([speech(120.0, seconds=4.0), speech(1, seconds=1.5, level=0), speech(300.0, seconds=3.5)])


def codes(result: Result) -> list[str]:
    return [notice.code for notice in result.warnings]


def test_result_holds_timeline_and_summary(model: Predictor) -> None:
    result = model.predict((call(), RATE))
    assert (result.file, result.duration, codes(result)) == ("<samples>", 9.0, [])
    assert result.scores is not None
    assert list(result.scores) == list(EMOTIONS)
    assert sum(result.scores.values()) == pytest.approx(1, abs=1e-5)
    assert len(result.segments) >= 2
    seconds = np.array([segment.end - segment.start for segment in result.segments])
    for label, score in result.scores.items():
        mean = np.average([segment.scores[label] for segment in result.segments], weights=seconds)
        assert score == pytest.approx(mean, abs=1e-9)
    assert result.label == max(result.scores, key=result.scores.__getitem__)
    assert result.confidence == max(result.scores.values())
    assert sum(result.shares.values()) == pytest.approx(1)


def test_different_voices_get_different_labels(model: Predictor) -> None:
    low, high = (model.predict((speech(f0, seconds=2.0), RATE)) for f0 in (80.0, 450.0))
    assert low.label is not None
    assert high.label is not None
    assert EMOTIONS.index(low.label) < EMOTIONS.index(high.label)


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file"])
def test_every_kind_of_source_gives_the_same(model: Predictor, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "录音 é.wav"
    soundfile.write(path, call(), RATE, subtype="FLOAT")
    expected = model.predict((call(), RATE))
    if kind == "path":
        result = model.predict(path)
        assert result.file == str(path)
    elif kind == "text":
        result = model.predict(str(path))
    elif kind == "bytes":
        result = model.predict(path.read_bytes())
    else:
        result = model.predict(io.BytesIO(path.read_bytes()))
    assert result.segments == expected.segments


def test_predict_is_a_stream_fed_from_the_file(model: Predictor) -> None:
    samples = np.tile(call(), 4)
    stream = model.stream()
    events = [event for start in range(0, len(samples), 777) for event in stream.feed(samples[start : start + 777])]
    live = [s for event in [*events, *stream.flush()] if isinstance(event, SpeechEnded) for s in event.segments]
    offline = model.predict((samples, RATE)).segments
    assert [(s.start, s.end, s.label) for s in live] == [(s.start, s.end, s.label) for s in offline]
    for mine, other in zip(live, offline, strict=True):
        assert mine.scores == pytest.approx(other.scores, abs=SCORE_TOLERANCE)


def test_split_keeps_channels_apart_and_a_number_takes_one(model: Predictor) -> None:
    stereo = np.stack([call(), np.roll(call(), 2 * RATE)])
    split = model.predict((stereo, RATE), channels="split")
    assert {segment.channel for segment in split.segments} == {0, 1}
    assert [s.start for s in split.segments] == sorted(s.start for s in split.segments)
    second = model.predict((stereo, RATE), channels=1)
    assert {segment.channel for segment in second.segments} == {1}
    ours, theirs = ([(s.start, s.end, s.label) for s in r.segments if s.channel == 1] for r in (split, second))
    assert ours == theirs
    alone = model.predict((stereo[1], RATE))
    assert [(s.start, s.end) for s in alone.segments] == [(s.start, s.end) for s in second.segments]


def test_mix_is_the_mean_of_the_channels(model: Predictor) -> None:
    mixed = model.predict((np.stack([call(), np.zeros_like(call())]), RATE))
    half = model.predict((call() / 2, RATE))
    assert mixed.segments == half.segments


def test_channel_that_is_not_there_is_refused(model: Predictor) -> None:
    with pytest.raises(ChannelError, match="got channel 2, expected 0 to 0"):
        model.predict((call(), RATE), channels=2)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (96000, 1), (44100, 2), (16000, 6)])
def test_any_rate_and_channel_count_is_plain_success(model: Predictor, rate: int, channels: int) -> None:
    import soxr

    samples = soxr.resample(call(), RATE, rate).astype(np.float32)
    result = model.predict((np.tile(samples, (channels, 1)), rate))
    reference = model.predict((soxr.resample(samples, rate, RATE).astype(np.float32), RATE))
    assert codes(result) == []
    assert result.duration == pytest.approx(9.0, abs=0.001)
    assert result.scores == pytest.approx(reference.scores, abs=RESAMPLED_TOLERANCE)


def test_silence_gives_a_warning_and_no_label(model: Predictor) -> None:
    result = model.predict((np.zeros(3 * RATE, np.float32), RATE))
    assert (result.label, result.scores, result.segments, codes(result)) == (None, None, (), ["no_speech"])


def drowned() -> Samples:
    """Speech in noise that is 6 dB louder."""
    audio, _ = load_audio(Path(__file__).parents[2] / "examples" / "demo.flac", sample_rate=RATE)
    made = mixed(audio[0, 6 * RATE : 9 * RATE], np.random.default_rng(1).standard_normal(RATE), snr_db=-6)
    return made / np.float32(2 * np.abs(made).max())


def test_speech_that_is_not_found_for_certain_is_scored_as_a_whole_with_a_warning(model: Predictor) -> None:
    result = model.predict((drowned(), RATE))
    assert result.scores
    assert (result.segments[0].start, result.segments[-1].end) == (0.0, 3.5)
    assert [(notice.code, notice.message) for notice in result.warnings if notice.code != "uncertain"] == [
        ("speech_uncertain", "no speech found for certain in 3.5 s; all of it was scored")
    ]


def test_only_the_channels_and_recordings_that_may_hold_speech_are_scored_as_a_whole(model: Predictor) -> None:
    hum = np.random.default_rng(0).normal(0, 0.05, drowned().size).astype(np.float32)
    result = model.predict((np.stack([hum, drowned()]), RATE), channels="split")
    assert {segment.channel for segment in result.segments} == {1}
    assert codes(model.predict((hum, RATE))) == ["no_speech"]
    long = np.resize(drowned(), 31 * RATE)
    assert codes(model.predict((long, RATE))) == ["no_speech"]


def test_ten_milliseconds_are_too_short(model: Predictor) -> None:
    result = model.predict((speech(150.0, seconds=0.01), RATE))
    assert (result.label, result.duration, codes(result)) == (None, 0.01, ["too_short"])


def test_full_scale_square_wave_is_clipped(model: Predictor) -> None:
    square = np.sign(np.sin(2 * np.pi * 150 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    assert "clipped" in codes(model.predict((square, RATE)))


def test_truncated_flac_is_used_as_far_as_it_goes(model: Predictor, tmp_path: Path) -> None:
    whole = io.BytesIO()
    soundfile.write(whole, np.tile(call(), 3), RATE, format="FLAC")
    data = whole.getvalue()
    result = model.predict(data[: len(data) // 2])
    assert "truncated" in codes(result)
    assert 1 < result.duration < 26
    assert result.segments


def test_unusable_recordings_are_errors(model: Predictor, tmp_path: Path) -> None:
    text, empty, headless = tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path / "none.wav"
    text.write_text("not audio, although it is named so")
    empty.touch()
    soundfile.write(headless, np.zeros(0), RATE)
    with pytest.raises(UndecodableError, match=r"text\.wav"):
        model.predict(text)
    for path in (empty, headless):
        with pytest.raises(EmptyAudioError, match=path.name):
            model.predict(path)
    with pytest.raises(UnreadableError, match="no such file"):
        model.predict(tmp_path / "gone.wav")
    for value in (np.nan, np.inf):
        broken = call()
        broken[RATE] = value
        with pytest.raises(NonFiniteError, match=r"got (nan|inf) at 1\.000 s"):
            model.predict((broken, RATE))


def test_threshold_comes_from_the_card_or_the_caller(model: Predictor, tmp_path: Path) -> None:
    strict = load(str(write_toy(tmp_path, threshold=1.0)))
    result = strict.predict((call(), RATE))
    assert (result.label, codes(result)) == (None, ["uncertain"])
    assert strict.predict((call(), RATE), threshold=0.0).label == model.predict((call(), RATE)).label
    with pytest.raises(ConfigError, match=r"threshold is -0\.1"):
        model.predict((call(), RATE), threshold=-0.1)


def test_observer_sees_every_block(model: Predictor) -> None:
    samples = np.tile(call(), 3)
    seen: list[tuple[int, float]] = []

    def observe(block: Samples, reader: AudioReader) -> None:
        seen.append((block.shape[1], reader.seconds))

    model.predict((samples, RATE), observer=observe)
    assert sum(n for n, _ in seen) == len(samples)
    assert len(seen) == np.ceil(len(samples) / RATE / BLOCK_SECONDS)
    assert seen[-1][1] == pytest.approx(27.0)


class Endless:
    """A reader of an hour of speech that never has more than one block in memory."""

    name, sample_rate, channels, duration, notices = "hour", RATE, 1, 3600.0, ()

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> Endless:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def blocks(self) -> Iterator[Samples]:
        block = speech(150.0, seconds=10.0)[None]
        for _ in range(360):
            self.seconds += 10.0
            yield block


def test_memory_is_bounded_by_the_block_not_the_file(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    scorer = model.model.run

    def run(batch: Samples) -> object:
        nonlocal largest
        largest = max(largest, batch.size)
        return scorer(batch)

    monkeypatch.setattr(module, "open_audio", lambda *_, **__: Endless())
    monkeypatch.setattr(model.model, "run", run)
    result = model.predict("hour")
    assert result.duration == 3600.0
    assert result.segments[-1].end == pytest.approx(3600.0, abs=0.1)
    assert sum(s.end - s.start for s in result.segments) == pytest.approx(3600.0, rel=0.01)
    # A block, and what was open before it: one tile.
    assert largest <= (BLOCK_SECONDS + 4.5) * RATE


def test_threads_may_share_a_predictor(model: Predictor) -> None:
    voices = [speech(f0, seconds=3.0) for f0 in (100.0, 200.0, 300.0, 400.0)]
    alone = [model.predict((voice, RATE)) for voice in voices]
    found: dict[int, list[Result]] = {}

    def work(index: int) -> None:
        found[index] = [model.predict((voices[index], RATE)) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(voices))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == alone[index] for index, results in found.items() for result in results)
    assert sum(map(len, found.values())) == 20


def test_repr_shows_inputs_labels_rate_and_size(model: Predictor) -> None:
    assert repr(model) == (
        "Predictor(toy 1.2.0: samples float32 [batch, n], 0.3 to 6.0 s at 16000 Hz -> "
        "neutral, happy, sad, angry, fear, disgust, surprise; 21 parameters, 0.0 MB)"
    )


def test_own_labels_go_through(tmp_path: Path) -> None:
    model = load(str(write_toy(tmp_path, labels=("bored", "amused", "tense"))))
    result = model.predict((call(), RATE))
    assert model.labels == ("bored", "amused", "tense")
    assert isinstance(model.card, ModelCard)
    assert result.scores is not None
    assert tuple(result.scores) == model.labels
    assert result.label in model.labels


def test_the_package_offers_load_and_predict(folder: Path, model: Predictor) -> None:
    path = str(folder / "toy.onnx")
    assert emovox.predict((call(), RATE), model=path) == predict((call(), RATE), model=path)
    assert emovox.load(path).card == model.card
    assert isinstance(emovox.load(path, threads=2).model, Model)
    with pytest.raises(UnknownModelError, match="no model 'none-such'"):
        emovox.load("none-such")
