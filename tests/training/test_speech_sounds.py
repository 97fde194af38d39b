from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.augment.config import Augment, Gain
from emovox.corpora.manifest import Clip
from emovox.schema.errors import AudioError
from emovox.testing import RATE, speech
from emovox.training import music, speech_sounds
from emovox.training.music import piece
from emovox.training.speech_sounds import (
    FOLDS,
    NEVER,
    SYNTHETIC,
    Sound,
    heard_tiles,
    more_pieces,
    noise_sounds,
    pieces,
    rms,
)
from emovox.training.speech_sounds import (
    speech_sounds as clips_of,
)
from emovox.training.synthetic import synthetic_sound


@pytest.fixture
def noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of noises with the layout of the real one."""
    rng = np.random.default_rng(0)
    for name in ("esc10/001 - Dog bark/a", "esc10/004 - Baby cry/b", "nonspeech100/n20", "nonspeech100/n5",
                 "nonspeech100/n84", "speechbrain_noise/noise1"):  # fmt: skip
        path = tmp_path / "noise" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(12 * RATE), RATE)
    monkeypatch.setenv("EMOVOX_NOISE", str(tmp_path / "noise"))
    return tmp_path / "noise"


def test_noises_have_their_kind_and_voices_are_left_out(noise: Path) -> None:
    found = list(noise_sounds(noise))
    assert {(sound.kind, sound.fold) for sound in found} == {
        ("dog", "animals"),
        ("machine", "machines"),
        ("hum", "machines"),
    }
    assert {len(sound.samples) for sound in found} == {10 * RATE}
    assert not any(sound.is_speech for sound in found)


def test_speakers_are_whole_in_a_fold(tmp_path: Path) -> None:
    clips = []
    for number in range(18):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, speech(200.0, seconds=0.5), RATE)
        about = {"native": "sad", "duration": 0.5, "sample_rate": RATE}
        clips.append(Clip(corpus="own", id=str(number), path=str(path), speaker=f"s{number % 6}", **about))  # type: ignore[arg-type]
    found = list(clips_of(clips, per_corpus=12, seed=0))
    speakers = {clip.id: clip.speaker for clip in clips}
    folds = {(speakers[sound.name.removeprefix("own/")], sound.fold) for sound in found}
    assert len(folds) == 6
    assert {fold for _, fold in folds} == set(FOLDS)
    assert len(found) == 12


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes without rooms, whose simulation takes seconds."""
    monkeypatch.setattr(speech_sounds, "CHANGES", LOUDER)
    monkeypatch.setattr(speech_sounds, "MICROPHONES", LOUDER)


LOUDER = Augment(gain=Gain(probability=1.0))


@pytest.mark.usefixtures("quick")
def test_speech_gives_tiles_and_other_sounds_windows_too(noise: Path) -> None:
    voice = Sound("v", "own", "water", is_speech=True, samples=speech(200.0, seconds=2.0))
    hiss = next(noise_sounds(noise))
    first = list(pieces([voice, hiss], seed=0))
    assert [(note.kind, note.heard) for note, _ in first] == [("own", True), ("own", False), *[("dog", False)] * 3]
    assert {note.of for note, _ in first} == {2.0, 10.0}
    more = list(more_pieces(first, synthetic=2, seed=0))
    assert [(note.kind, note.fold) for note, _ in more] == [("dog", "animals")] * 3 + [(SYNTHETIC, NEVER)] * 4
    assert not any(note.heard or note.is_speech for note, _ in more)
    assert all(len(samples) % (RATE // 2) == 0 for _, samples in more)
    assert all(np.abs(samples).max() <= 1 for _, samples in first + more)
    again = list(pieces([voice, hiss], seed=0)) + list(more_pieces(first, synthetic=2, seed=0))
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(first + more, again, strict=True))


def test_what_is_heard_in_doubt_is_a_tile_too(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    assert heard_tiles(silence) == []
    monkeypatch.setattr(speech_sounds, "UNCERTAIN_PROBABILITY", -1.0)
    (tile,) = heard_tiles(silence)
    assert (tile.start, tile.end) == (0, 2 * RATE)


def test_synthetic_sounds_differ_and_are_in_range() -> None:
    made = [synthetic_sound(np.random.default_rng(seed), rate=RATE) for seed in (0, 0, 1, 2, 3)]
    np.testing.assert_array_equal(made[0], made[1])
    assert all(len(one) == 5 * RATE and np.abs(one).max() <= 1 and rms(one) > 1e-4 for one in made)
    assert len({round(rms(one), 6) for one in made}) == 4


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
def test_a_piece_of_music_is_played() -> None:
    try:
        made = piece(np.random.default_rng(0), family=3, rate=RATE)
    except AudioError as error:
        pytest.skip(str(error))
    assert len(made) <= 10 * RATE
    assert rms(made) > 1e-3


def test_music_without_fluidsynth_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(AudioError, match="got no fluidsynth with a soundfont, expected both; on Debian"):
        piece(np.random.default_rng(0), family=0, rate=RATE)


def test_drums_and_chords_give_a_midi_file_whose_notes_end(monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[bytes] = []

    def played(midi: bytes, rate: int) -> Samples:
        files.append(midi)
        return np.zeros(rate, np.float32)

    monkeypatch.setattr(music, "_played", played)
    for seed in range(12):
        piece(np.random.default_rng(seed), family=seed, rate=RATE)
    for midi in files:
        assert midi[:4] == b"MThd"
        assert int.from_bytes(midi[18:22]) == len(midi) - 22
        assert midi[-3:] == b"\xff\x2f\x00"
    assert any(b"\x99" in midi for midi in files)  # drums
