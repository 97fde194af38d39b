"""Folders of noises and responses: any layout, bad files named, empty folders refused; simulated rooms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.augment import recordings
from emovox.augment.config import Augment, Noise, Room
from emovox.augment.recordings import read_noises, read_responses
from emovox.augment.room import simulate_rooms
from emovox.augment.sources import load_sources
from emovox.schema.errors import MissingExtraError, RecipeError
from emovox.testing import RATE, tone
from tests.sounds import hiss, write_tree

CLICK = np.zeros(8000, np.float32)
CLICK[3000] = 0.9
MUSAN: dict[str, Samples | bytes] = {
    "noise/free-sound/noise-free-sound-0000.wav": hiss(0.4),
    "music/fma/music-fma-0000.wav": tone(440, 0.5),
    "speech/librivox/speech-librivox-0000.wav": tone(200, 0.6),
    "rirs/room/response.wav": CLICK,
    "simulated_rirs/small/response.wav": CLICK,
    "README.txt": b"words",
}
NOISE_AND_ROOMS = Augment(noise=Noise(probability=0.5), room=Room(probability=0.5, measured=0.5, rooms=2))


def test_musan_layout_without_the_responses(tmp_path: Path) -> None:
    found = read_noises(write_tree(tmp_path, MUSAN))
    assert [len(samples) for samples in found.samples] == [8000, 6400, 9600]  # by name: music, noise, speech
    assert {samples.dtype for samples in found.samples} == {np.dtype(np.float32)}
    assert found.skipped == ()


def test_a_folder_of_classes_and_a_flat_one(tmp_path: Path) -> None:
    write_tree(tmp_path / "classes", {"001 - Dog/1.wav": hiss(0.1), "002 - Rain/1.flac": hiss(0.2)})
    assert len(read_noises(tmp_path / "classes").samples) == 2
    assert len(read_noises(write_tree(tmp_path / "flat", {"a.wav": hiss(0.1)})).samples) == 1


def test_a_folder_of_responses_below_rirs_can_be_named_itself(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "rirs", {"a.wav": hiss(0.2)})
    assert len(read_noises(root).samples) == 1


def test_long_noises_are_cut_and_silence_in_them_is_left_out(tmp_path: Path) -> None:
    padded = np.concatenate([np.zeros(RATE, np.float32), hiss(0.5), np.zeros(RATE, np.float32)])
    first, second = read_noises(write_tree(tmp_path, {"a.wav": hiss(7.0), "b.wav": padded})).samples
    assert len(first) == 5 * RATE
    assert len(second) < RATE
    assert second.any()


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recordings.MOST_NOISES * recordings.NOISE_SECONDS * RATE * 4 <= 180e6
    write_tree(tmp_path, {f"{number:02}.wav": tone(100 + number, 0.1) for number in range(10)})
    monkeypatch.setattr(recordings, "MOST_NOISES", 4)
    assert len(read_noises(tmp_path).samples) == 4  # every third


def test_bad_files_are_counted_and_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.wav": hiss(0.1), "broken.wav": b"RIFF nothing", "empty.flac": b"", "z.wav": 0 * hiss(0.1)})
    with pytest.warns(UserWarning, match=r"3 of 4 noises cannot be used: .*broken\.wav.*empty\.flac.*z\.wav: silent"):
        found = read_noises(tmp_path)
    assert len(found.samples) == 1
    assert len(found.skipped) == 3


def test_many_bad_files_do_not_flood_the_message(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.wav": hiss(0.1), **{f"b{number}.wav": b"x" for number in range(9)}})
    with pytest.warns(UserWarning, match="9 of 10 noises cannot be used: .*; and 6 more$") as caught:
        read_noises(tmp_path)
    assert len(str(caught[0].message)) < 1500


def test_a_folder_without_anything_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match=r"empty: got no noises .*without audio"):
        read_noises(tmp_path / "empty")
    with pytest.raises(RecipeError, match=r"missing: got no folder, expected one with impulse responses"):
        read_responses(tmp_path / "missing")
    with pytest.raises(RecipeError, match=r"bad: got no noises that can be used, expected at least one \(.*x\.wav"):
        read_noises(write_tree(tmp_path / "bad", {"x.wav": b"no audio"}))
    with pytest.raises(RecipeError, match="all are in folders of impulse responses"):
        read_noises(write_tree(tmp_path / "only", {"rirs/x.wav": hiss(0.1)}))
    with pytest.raises(RecipeError, match=r"got no folder"):
        read_noises(write_tree(tmp_path, {"file.wav": hiss(0.1)}) / "file.wav")


def test_responses_begin_just_before_their_direct_sound(tmp_path: Path) -> None:
    two = np.stack([np.roll(CLICK, 20), np.zeros(8000)], axis=1).astype(np.float32)
    late = np.concatenate([CLICK, np.zeros(2 * RATE, np.float32)])
    found = read_responses(write_tree(tmp_path, {"late.wav": late, "two-channels.wav": two})).samples
    assert [int(np.abs(samples).argmax()) for samples in found] == [80, 80]
    assert len(found[0]) == 80 + 0.75 * RATE
    assert np.abs(found[1]).max() == pytest.approx(0.9, abs=1e-3)  # not the mean with the silent channel


def test_the_fingerprint_tells_contents_and_not_places(tmp_path: Path) -> None:
    files = {"a/1.wav": hiss(0.1), "b/2.wav": hiss(0.2)}
    first = read_noises(write_tree(tmp_path / "here", files)).fingerprint
    assert first == read_noises(write_tree(tmp_path / "there", dict(reversed(files.items())))).fingerprint
    others = (files | {"c/3.wav": hiss(0.1)}, files | {"a/1.wav": hiss(0.15)}, {"a/1.wav": hiss(0.1)})
    for number, other in enumerate(others):
        assert read_noises(write_tree(tmp_path / str(number), other)).fingerprint != first


def test_sources_come_from_the_environment_or_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVOX_NOISE", str(write_tree(tmp_path / "all", MUSAN)))
    whole = load_sources(NOISE_AND_ROOMS)
    assert [len(whole.noises), len(whole.measured), len(whole.simulated)] == [3, 1, 2]
    part = Augment(noise=Noise(probability=1, source="$EMOVOX_NOISE/music"))
    assert len(load_sources(part).noises) == 1
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_sources(Augment(noise=Noise(probability=1, source="~/all/noise"))).noises) == 1


def test_only_what_is_asked_for_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOVOX_NOISE", raising=False)
    nothing = load_sources(Augment(noise=Noise(source="/nowhere"), room=Room(source="/nowhere")))
    assert (nothing.noises, nothing.measured, nothing.simulated, nothing.fingerprint) == ((), (), (), "")
    assert len(load_sources(Augment(room=Room(probability=1, rooms=1))).simulated) == 1
    with pytest.raises(RecipeError, match=r"'\$EMOVOX_NOISE/' with a variable that is not set.*set EMOVOX_NOISE"):
        load_sources(Augment(noise=Noise(probability=0.1)))
    monkeypatch.delenv("MY_NOISES", raising=False)
    with pytest.raises(RecipeError, match=r"'\$\{MY_NOISES\}/cafe' with a variable that is not set.*set MY_NOISES,"):
        load_sources(Augment(noise=Noise(probability=0.1, source="${MY_NOISES}/cafe")))


def test_the_fingerprint_covers_rooms_and_noises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVOX_NOISE", str(write_tree(tmp_path, MUSAN)))
    tables = [
        NOISE_AND_ROOMS,
        Augment(noise=Noise(probability=0.5)),
        Augment(room=Room(probability=0.5, rooms=2)),
        Augment(room=Room(probability=0.5, rooms=3)),
        Augment(room=Room(probability=0.5, rooms=3, longest=0.5)),
        Augment(room=Room(probability=0.5, measured=1)),
    ]
    assert len({load_sources(table).fingerprint for table in tables}) == len(tables)
    again = Augment(noise=Noise(probability=0.9, snr_low=0), room=NOISE_AND_ROOMS.room)
    assert load_sources(again).fingerprint == load_sources(NOISE_AND_ROOMS).fingerprint


def test_simulated_rooms_are_always_the_same_and_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = simulate_rooms(4, shortest=0.2, longest=0.6)
    again = simulate_rooms(2, shortest=0.2, longest=0.6)
    for first, second in zip(rooms, again, strict=False):
        np.testing.assert_allclose(first, second, atol=1e-6)
    for samples in rooms:
        energy = np.cumsum(samples[::-1].astype(np.float64) ** 2)[::-1]
        reached = np.flatnonzero(energy < 1e-3 * energy[0])[0] / RATE  # 30 dB: half of the decay
        assert 0.02 < reached < 0.45
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
    assert len({int(np.abs(samples).argmax()) for samples in rooms}) == 4


def test_simulated_rooms_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, *rest: Any) -> None:
        return None

    monkeypatch.setattr("emovox.schema.extras.find_spec", absent)
    monkeypatch.delitem(sys.modules, "pyroomacoustics", raising=False)
    with pytest.raises(MissingExtraError, match=r"simulating rooms .*emovox\[train\]"):
        load_sources(Augment(room=Room(probability=0.1)))
