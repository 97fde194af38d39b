"""Sounds of the rejection tests: by formula, from folders, and from programs that may be missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.evaluation.trust import sounds as module
from emovox.evaluation.trust.sounds import FORMULAS, LONGEST, RATE, NoSoundsError, sounds
from emovox.testing import speech

PROGRAM = f"""#!{sys.executable}
import sys, soundfile, numpy
soundfile.write(sys.argv[sys.argv.index("{{option}}") + 1], 0.1 * numpy.ones(8000), 16000)
"""


@pytest.mark.parametrize("kind", FORMULAS)
def test_sounds_by_formula_follow_from_the_seed(kind: str) -> None:
    first, second = ([item.load()[0] for item in sounds(kind, most=3, seed=4, noise=None)] for _ in range(2))
    assert len(first) == (1 if kind == "silence" else 3)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.float32
        assert np.abs(one).max() <= 1
    assert kind == "silence" or np.abs(first[0] - first[1]).max() > 1e-4


def test_recordings_are_those_of_their_kind(tmp_path: Path) -> None:
    for name in ("nonspeech100/n20.wav", "nonspeech100/n60.wav", "esc10/001 - Dog bark/a.wav", "music/x/b.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, speech(200.0, seconds=12.0), RATE)
    assert [item.id for item in sounds("machine", most=4, seed=0, noise=tmp_path)] == ["n20"]
    (bark,) = sounds("dog", most=4, seed=0, noise=tmp_path)
    assert len(bark.load()[0]) == LONGEST * RATE
    assert [item.id for item in sounds("music", most=4, seed=0, noise=tmp_path)] == ["b"]
    with pytest.raises(NoSoundsError, match=r"no recordings of this kind in .*esc10"):
        sounds("rain", most=4, seed=0, noise=tmp_path)
    with pytest.raises(NoSoundsError, match="no folder of noises"):
        sounds("wind", most=4, seed=0, noise=None)


def test_recordings_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "nonspeech100"
    folder.mkdir()
    for number in range(18, 24):
        (folder / f"n{number}.wav").write_text("no sound", encoding="utf-8")
    with pytest.raises(NoSoundsError, match=r"none of 6 recordings can be read, the last: .*n\d\d\.wav: got bytes"):
        sounds("machine", most=2, seed=0, noise=tmp_path)
    for number in (18, 22):
        soundfile.write(folder / f"n{number}.wav", speech(200.0, seconds=1.0), RATE)
    assert {item.id for item in sounds("machine", most=2, seed=0, noise=tmp_path)} == {"n18", "n22"}


def test_programs_are_used_if_they_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind, message in (("music", "no fluidsynth with a soundfont"), ("espeak", "espeak-ng is not installed")):
        with pytest.raises(NoSoundsError, match=message):
            sounds(kind, most=2, seed=0, noise=None)
    for name, option in (("fluidsynth", "-F"), ("espeak-ng", "-w")):
        (tmp_path / name).write_text(PROGRAM.format(option=option), encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "font.sf2").touch()
    monkeypatch.setattr(module, "SOUNDFONTS", (str(tmp_path),))
    for kind in ("music", "espeak"):
        assert [len(item.load()[0]) for item in sounds(kind, most=1, seed=0, noise=None)] == [8000]
    pieces = sounds("music", most=3, seed=0, noise=None)  # instruments 0, 17 and 34: pianos, organs, basses
    assert [piece.kind for piece in pieces] == ["music-even", "music-even", "music-even"]
    assert sounds("music", most=6, seed=0, noise=None)[5].kind == "music-even"
    (tmp_path / "fluidsynth").write_text("#!/bin/false\n", encoding="utf-8")
    with pytest.raises(NoSoundsError, match="fluidsynth fails"):
        sounds("music", most=1, seed=0, noise=None)


def test_a_piece_is_a_midi_file_whose_notes_end() -> None:
    data = module._midi(np.random.default_rng(0), instrument=40)
    assert data[:4] == b"MThd"
    assert int.from_bytes(data[18:22], "big") == len(data) - 22
    assert data.endswith(bytes([0, 0xFF, 0x2F, 0]))
    assert data.count(bytes([0x90])) >= 16 * 4 <= data.count(bytes([0x80]))
