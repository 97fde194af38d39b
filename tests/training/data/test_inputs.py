"""Inputs on disk: named by all that they follow from, found again, and never half there."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from emovox.audio.reader import load_audio
from emovox.augment.conditions import NARROW
from emovox.augment.config import Augment, Gain, Speed
from emovox.corpora.manifest import Clip
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.functionals import FunctionalsConfig
from emovox.models.network import Encoder
from emovox.schema.errors import AudioError, ConfigError, CorpusError, WeightsError
from emovox.testing import RATE
from emovox.training.data import inputs, views
from emovox.training.data.inputs import FRAMES, INDEX, Inputs, make_inputs
from emovox.training.data.task import Indices
from emovox.training.data.views import LONGEST, TILE, WHOLE, Part, copy_view
from emovox.training.data.views import clip_views as views_of
from emovox.training.recipe import without_defaults
from tests.models.small import MOBILE, whisper, write_whisper
from tests.sounds import utterance
from tests.training import made

AUGMENT = Augment(gain=Gain(probability=1.0), speed=Speed(probability=0.5))
# values of size 3 in half precision
HALF = 2e-3


def record(folder: Path, name: str = "one", *, take: int = 0, seconds: float = 1.6, corpus: str = "own") -> Clip:
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"{name}.wav", utterance("cross", "bob", take, seconds=seconds), RATE)
    return clip_of(folder / f"{name}.wav", corpus)


def clip_of(path: Path, corpus: str = "own") -> Clip:
    return Clip(corpus=corpus, id=path.stem, path=str(path), native="x", label="x", duration=1.6, sample_rate=RATE)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return [record(tmp_path / "voices", name, take=take) for take, name in enumerate(("one", "two"))]


def make(clips: Sequence[Clip], cache: Path, encoder: EncoderConfig = MOBILE, **changes: Any) -> Inputs:
    settings: dict[str, Any] = {"copies": {}, "augment": AUGMENT, "seed": 0, "workers": 1, **changes}
    return make_inputs(clips, encoder, folder=cache, **settings)


def parts(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "inputs").iterdir())


def worked(clips: Sequence[Clip], cache: Path, encoder: EncoderConfig = MOBILE, **changes: Any) -> int:
    """For how many clips of how many parts something was computed."""
    seen: list[int] = []
    make(clips, cache, encoder, progress=lambda done, _: seen.append(done), **changes)
    return len(seen)


def test_rows_hold_what_the_encoder_gives(clips: list[Clip], tmp_path: Path) -> None:
    found = make(clips, tmp_path / "cache", copies={"own": 2})
    assert found.view.tolist() == 2 * [WHOLE, TILE, NARROW] + 2 * [copy_view(1)] + 2 * [copy_view(2)]
    assert found.owner.tolist() == [0, 0, 0, 1, 1, 1, 0, 1, 0, 1]
    assert [len(store) > 0 for store in found.stores] == [True] * 3
    whole = torch.from_numpy(load_audio(clips[1].path)[0][:1])
    (row,) = found.select([1], (WHOLE,))
    with torch.no_grad():
        expected = build_encoder(MOBILE).eval().inputs(whole)[0]
    np.testing.assert_allclose(found.values(int(row)), expected, atol=HALF)
    assert not np.array_equal(found.values(6), found.values(8))  # two copies of one tile
    padded, mask = found.padded(np.array([0, 6]))
    assert mask.sum(1).tolist() == found.length[[0, 6]].tolist()
    assert padded.shape == (2, int(found.length.max()), build_encoder(MOBILE).n_inputs) or mask.shape[1] <= 200


def spoil(path: Path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    spoilt = {"empty": b"", "cut": data[:middle], "changed": data[:middle] + b"\xff\x00\xff" + data[middle + 3 :]}
    path.write_bytes(spoilt[how])


@pytest.mark.parametrize("suffix", [FRAMES, INDEX])
@pytest.mark.parametrize("how", ["empty", "cut", "changed"])
def test_a_damaged_part_is_computed_again(clips: list[Clip], tmp_path: Path, suffix: str, how: str) -> None:
    right = make(clips[:1], tmp_path / "cache").values(0)
    (path,) = (tmp_path / "cache" / "inputs").glob(f"*{suffix}")
    spoil(path, how)
    np.testing.assert_array_equal(make(clips[:1], tmp_path / "cache").values(0), right)
    assert worked(clips[:1], tmp_path / "cache") == 0


def test_a_corpus_is_no_path_in_the_cache(tmp_path: Path) -> None:
    clip = record(tmp_path / "voices", corpus="../../outside")
    make([clip], tmp_path / "cache" / "deep")
    assert not [path for path in tmp_path.rglob("*outside*") if "inputs" not in path.parts]


def test_functionals_keep_single_precision(clips: list[Clip], tmp_path: Path) -> None:
    for _ in range(2):  # computed, then found
        found = make(clips, tmp_path / "cache", FunctionalsConfig())
        whole = torch.from_numpy(load_audio(clips[1].path)[0][:1])
        (row,) = found.select([1], (WHOLE,))
        with torch.no_grad():
            expected = build_encoder(FunctionalsConfig())(whole)
        np.testing.assert_array_equal(found.values(int(row)), expected)
    assert make(clips, tmp_path / "cache").stores[0].dtype == np.float16


def test_rows_that_are_learnt_from(clips: list[Clip], tmp_path: Path) -> None:
    found = make(clips, tmp_path, copies={"own": 1})
    both, one, none = np.array([0, 1]), np.array([1]), np.array([], np.int64)

    def views(whole: Indices, narrow: Indices) -> list[str]:
        rows = found.learnt(both, whole=whole, narrow=narrow)
        assert rows.tolist() == sorted(rows)
        return sorted(found.view[rows])

    assert views(none, none) == 2 * [copy_view(1)] + 2 * [TILE]
    assert views(both, one) == 2 * [copy_view(1)] + [NARROW] + 2 * [TILE] + 2 * [WHOLE]


def test_a_change_that_is_off_leaves_earlier_caches_valid() -> None:
    """The name of a part holds these bytes: whatever changes are added to [augment], they stay."""
    part = msgspec.json.encode(without_defaults(Part(copy=1, augment=AUGMENT)))
    assert part == b'{"copy":1,"augment":{"speed":{"probability":0.5},"gain":{"probability":1.0}}}'


def test_rounds_of_copies_take_tables_in_turn(clips: list[Clip], tmp_path: Path) -> None:
    slow, fast = (Augment(speed=Speed(probability=1.0, lowest=f, highest=f)) for f in (0.8, 1.25))
    found = make(clips, tmp_path, copies={"own": 3}, augment=(slow, fast))
    (tile,), *copies = (found.length[found.select([0], (view,))] for view in (TILE, *map(copy_view, (1, 2, 3))))
    assert [float(copy[0] / tile) for copy in copies] == pytest.approx([1.25, 0.8, 1.25], abs=0.02)
    assert worked(clips, tmp_path, copies={"own": 1}, augment=slow) == 0


def test_means_weigh_by_seconds_and_miss_clips_without_rows(clips: list[Clip], tmp_path: Path) -> None:
    found = replace(make(clips, tmp_path), owner=np.array([0, 0, 0, 2, 2, 2]), seconds=np.array([3.0, 1, 9, 2, 9, 2]))
    values = np.array([[1.0, 0], [5, 4], [7, 7]])
    means = found.clip_means(values, np.array([0, 1, 3]), np.array([2, 1, 0, 3]))
    np.testing.assert_array_equal(means, [[7, 7], [np.nan, np.nan], [2, 1], [np.nan, np.nan]])


def test_what_is_there_is_found_and_the_same(clips: list[Clip], tmp_path: Path) -> None:
    first = make(clips, tmp_path, copies={"own": 1})
    before = {name: (tmp_path / "inputs" / name).stat().st_mtime_ns for name in parts(tmp_path)}
    assert worked(clips, tmp_path, copies={"own": 1}) == 0
    again = make(clips, tmp_path, copies={"own": 1})
    assert before == {name: (tmp_path / "inputs" / name).stat().st_mtime_ns for name in parts(tmp_path)}
    assert all(np.array_equal(first.values(row), again.values(row)) for row in range(len(first.owner)))
    shutil.move(tmp_path / "voices", tmp_path / "moved")  # neither does the folder matter
    moved = [clip_of(tmp_path / "moved" / Path(clip.path).name) for clip in clips]
    assert worked(moved, tmp_path, copies={"own": 1}) == 0


def test_whatever_it_follows_from_makes_another_part(clips: list[Clip], tmp_path: Path) -> None:
    first, second = (write_whisper(tmp_path / f"w{seed}", seed=seed) for seed in (0, 1))
    assert worked(clips, tmp_path, copies={"own": 1}) == 4
    assert worked(clips, tmp_path, copies={"own": 2}) == 2  # one more round
    assert worked(clips, tmp_path, copies={"own": 1}, seed=1) == 2  # what all clips have is not drawn
    assert worked(clips, tmp_path, copies={"own": 1}, augment=Augment(gain=Gain(probability=0.5))) == 2
    assert worked(clips, tmp_path, seed=5, augment=Augment()) == 0
    assert worked(clips, tmp_path, whisper(first)) == 2
    assert worked(clips, tmp_path, whisper(second)) == 2
    assert worked(clips, tmp_path, whisper(first, hidden=True)) == 0  # all views are kept
    assert worked(clips, tmp_path, whisper(first, learning=True)) == 2
    assert worked(clips[:1], tmp_path) == 1
    record(tmp_path / "voices", "two", take=7)
    assert worked(clips, tmp_path, copies={"own": 1}) == 4


def test_other_weights_in_the_same_place_are_seen(clips: list[Clip], tmp_path: Path) -> None:
    encoder = whisper(write_whisper(tmp_path / "weights"))
    old = make(clips, tmp_path, encoder)
    write_whisper(tmp_path / "weights", seed=1)
    new = make(clips, tmp_path, encoder)
    fresh = make(clips, tmp_path / "fresh", encoder)
    assert np.array_equal(new.values(0), fresh.values(0))
    assert not np.array_equal(new.values(0), old.values(0))


def test_names_of_corpora_may_have_dots(tmp_path: Path) -> None:
    one, two = (record(tmp_path / corpus, take=take, corpus=corpus) for take, corpus in enumerate(("v1.0", "v1.5")))
    found = make([one, two], tmp_path, copies={"v1.5": 1})
    assert [name.rpartition("-")[0] for name in parts(tmp_path) if name.endswith(INDEX)] == [
        "v1.0-0",
        "v1.5-0",
        "v1.5-1",
    ]
    assert found.owner.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert not np.array_equal(found.values(0), found.values(3))


def test_a_further_condition_is_a_part_of_its_own_and_changes_the_clip_before_the_cut(
    clips: list[Clip], tmp_path: Path
) -> None:
    assert worked(clips, tmp_path) == 2
    found = make(clips, tmp_path, conditions=["phone", NARROW])
    assert worked(clips, tmp_path, conditions=["phone"]) == 0
    assert [name for name in parts(tmp_path) if name.startswith("own-phone-") and name.endswith(INDEX)]
    (plain,), (phone,) = found.select([1]), found.select([1], ("phone",))
    assert found.length[plain] == found.length[phone]
    assert not np.array_equal(found.values(plain), found.values(phone))


def test_a_part_of_which_half_is_lost_is_made_again(clips: list[Clip], tmp_path: Path) -> None:
    make(clips, tmp_path, copies={"own": 1})
    for suffix in (FRAMES, INDEX):
        (name,) = [name for name in parts(tmp_path) if name.startswith("own-1") and name.endswith(suffix)]
        (tmp_path / "inputs" / name).unlink()
        assert worked(clips, tmp_path, copies={"own": 1}) == 2


def test_progress_counts_the_clips_of_all_parts_that_are_missing(clips: list[Clip], tmp_path: Path) -> None:
    make(clips, tmp_path)
    seen: list[tuple[int, int]] = []
    make(clips, tmp_path, copies={"own": 2}, progress=lambda *counts: seen.append(counts))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_clips_that_cannot_be_decoded_are_named_and_nothing_is_left(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "voices" / "bad.wav").write_text("no audio")
    spoilt = [*clips, clip_of(tmp_path / "voices" / "bad.wav")]
    with pytest.raises(CorpusError, match=r"1 of 3 clips cannot be used: .*bad\.wav: .*; repair them, or leave them"):
        make(spoilt, tmp_path)
    assert parts(tmp_path) == []


def test_a_clip_that_is_gone_is_named(clips: list[Clip], tmp_path: Path) -> None:
    Path(clips[1].path).unlink()
    with pytest.raises(CorpusError, match=r"two\.wav: cannot be read \(No such file or directory\); index the corpus"):
        make(clips, tmp_path)


def test_clips_without_speech_are_there_in_one_piece_only(clips: list[Clip], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(RATE), RATE)
    found = make([clips[0], clip_of(tmp_path / "quiet.wav")], tmp_path, copies={"own": 1})
    assert found.view[found.owner == 1].tolist() == [WHOLE]
    assert found.view[found.owner == 0].tolist() == [WHOLE, TILE, NARROW, copy_view(1)]
    alone = make([clip_of(tmp_path / "quiet.wav")], tmp_path, copies={"own": 2})
    assert alone.view.tolist() == [WHOLE]


@pytest.mark.parametrize("seconds", [0.02, 0.29, 31.0])
def test_very_short_and_very_long_clips(seconds: float, tmp_path: Path) -> None:
    found = make([record(tmp_path, seconds=seconds)], tmp_path / "cache", whisper(write_whisper(tmp_path / "w")))
    assert WHOLE in found.view
    assert all(np.isfinite(found.values(row)).all() for row in range(len(found.owner)))
    longest = make([record(tmp_path, seconds=seconds)], tmp_path / "cache")
    assert longest.length.max() <= LONGEST * 100 + 1


def test_a_full_disk_is_one_line_and_leaves_nothing(clips: list[Clip], tmp_path: Path) -> None:
    class Full:
        def __init__(self, file: BinaryIO) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            if self.file.tell() > 1000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data)

    def full(*arguments: Any, **named: Any) -> Any:
        return WithFull(inputs_replacing(*arguments, **named))

    class WithFull:
        def __init__(self, manager: Any) -> None:
            self.manager = manager

        def __enter__(self) -> Full:
            return Full(self.manager.__enter__())

        def __exit__(self, *error: object) -> Any:
            return self.manager.__exit__(*error)

    inputs_replacing = inputs.replacing  # type: ignore[attr-defined]
    with (
        mock.patch.object(inputs, "replacing", full),
        pytest.raises(ConfigError, match=r"own-0-\w+\.frames: cannot be written \(No space left on device\)"),
    ):
        make(clips, tmp_path)
    assert parts(tmp_path) == []


def started(folder: Path, cache: Path, *, die: str = "") -> subprocess.Popen[bytes]:
    root = Path(made.__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(root), str(root / "src")))}
    command = [sys.executable, "-m", "tests.training.made", str(folder), str(cache), die]
    return subprocess.Popen(command, cwd=root, env=environment)


def test_killed_in_the_middle_the_finished_parts_are_found(clips: list[Clip], tmp_path: Path) -> None:
    assert started(tmp_path / "voices", tmp_path / "cache", die="copy 2").wait() == -signal.SIGKILL
    whole = [name for name in parts(tmp_path / "cache") if not name.startswith(".")]
    assert {name.rpartition("-")[0] for name in whole} == {"own-0", "own-1"}
    settings: dict[str, Any] = {"copies": {"own": 2}, "augment": made.AUGMENT}
    assert worked(clips, tmp_path / "cache", **settings) == 2
    resumed, fresh = (make(clips, tmp_path / name, **settings) for name in ("cache", "fresh"))
    assert all(np.array_equal(resumed.values(row), fresh.values(row)) for row in range(len(fresh.owner)))


def test_two_processes_at_once_do_no_harm(clips: list[Clip], tmp_path: Path) -> None:
    processes = [started(tmp_path / "voices", tmp_path / "cache") for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    settings: dict[str, Any] = {"copies": {"own": 2}, "augment": made.AUGMENT}
    assert worked(clips, tmp_path / "cache", **settings) == 0
    both, alone = (make(clips, tmp_path / name, **settings) for name in ("cache", "alone"))
    assert all(np.array_equal(both.values(row), alone.values(row)) for row in range(len(alone.owner)))
    assert not [name for name in parts(tmp_path / "cache") if name.startswith(".")]


@pytest.fixture
def encoder() -> Encoder:
    return build_encoder(MOBILE).eval()


def test_copies_are_drawn_by_name_round_and_seed(tmp_path: Path, encoder: Encoder) -> None:
    clip = record(tmp_path)

    def drawn(path: str = clip.path, **part: Any) -> np.ndarray[Any, Any]:
        made_part = Part(augment=AUGMENT, **{"copy": 1, **part})
        (found,) = views_of(path, encoder, made_part)
        assert found.name == copy_view(made_part.copy)
        return found.values

    assert np.array_equal(drawn(), drawn())
    other = shutil.copy(clip.path, tmp_path / "other.wav")
    for changed in (drawn(copy=2), drawn(seed=1), drawn(str(other))):
        assert changed.shape != drawn().shape or not np.array_equal(changed, drawn())


def test_seconds_are_those_of_the_speech_in_a_tile(tmp_path: Path, encoder: Encoder) -> None:
    found = views_of(record(tmp_path, seconds=8.0).path, encoder, Part())
    tiles = [view for view in found if view.name == TILE]
    assert len(tiles) >= 2
    assert sum(view.seconds for view in tiles) <= 8.0
    assert [view.seconds for view in found if view.name == NARROW] == [view.seconds for view in tiles]
    assert found[0].seconds == 1


def test_a_problem_is_told_and_not_raised_where_it_is_the_clip_s(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no audio")
    told = views.views_or_problem(str(tmp_path / "bad.wav"), encoder=MOBILE, part=Part())
    assert isinstance(told, str)
    assert told.startswith(f"{tmp_path / 'bad.wav'}: ")
    with pytest.raises(AudioError):
        views_of(str(tmp_path / "bad.wav"), build_encoder(MOBILE), Part())


def test_weights_that_are_not_there_are_no_fault_of_the_clips(clips: list[Clip], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json in"):
        make(clips, tmp_path, whisper(tmp_path / "none"))
