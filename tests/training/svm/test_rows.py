"""Functionals of clips: which rows there are, and a cache that gives back what was put in."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from emovox.augment.conditions import NARROW
from emovox.corpora.manifest import Clip
from emovox.corpora.registry import index
from emovox.features.functionals import functional_names, functionals
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import CorpusError
from emovox.testing import RATE
from emovox.training.cache import cache_folder, load_arrays, save_arrays
from emovox.training.data.views import TILE, WHOLE
from emovox.training.svm.rows import Rows, clip_rows, corpus_rows, speed_view
from tests.sounds import utterance, write_sounds


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Clip, ...]:
    return index("table", write_sounds(tmp_path / "voices", takes=1))[:3]


def same(first: Rows, second: Rows) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in Rows.__dataclass_fields__)


def cached(folder: Path) -> list[Path]:
    return sorted((folder / "functionals").glob("*"))


def test_rows_of_a_clip_are_those_of_its_tiles_and_of_the_whole(tmp_path: Path) -> None:
    samples = np.concatenate([utterance("cross", "bob", take, seconds=2.5) for take in range(2)])
    path = tmp_path / "long.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    rows = clip_rows(str(path), [speed_view(1.25)])
    tiles = cut_tiles([samples], SegmenterConfig())
    assert len(tiles) == 2
    assert rows.view.tolist() == [WHOLE, TILE, TILE, NARROW, NARROW, "speed 1.25", "speed 1.25"]
    assert rows.seconds.tolist() == pytest.approx([1.0, *[(tile.end - tile.start) / RATE for tile in tiles] * 3])
    np.testing.assert_array_equal(rows.values[0], functionals(samples))
    np.testing.assert_array_equal(rows.values[2], functionals(tiles[1].samples))


def test_a_clip_played_faster_is_higher(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, utterance("cross", "bob", 0), RATE)
    rows = clip_rows(str(path), [speed_view(1.25)])
    pitch = rows.values[:, functional_names().index("pitch_p50")]
    assert pitch[3] - pitch[1] == pytest.approx(12 * np.log2(1.25), abs=0.2)


def test_a_clip_through_the_telephone_has_nothing_above_4_khz(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    noise = np.random.default_rng(0).normal(scale=0.02, size=RATE)
    soundfile.write(path, utterance("cross", "bob", 0)[:RATE] + noise, RATE)
    rows = clip_rows(str(path))
    rolloff = rows.values[:, functional_names().index("rolloff_p95")]
    assert rows.view.tolist() == [WHOLE, TILE, NARROW]
    assert rolloff[2] < 4.0 < rolloff[1]


def test_a_clip_without_speech_has_only_its_whole(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    assert clip_rows(str(path), [speed_view(0.9)]).view.tolist() == [WHOLE]


def test_rows_are_read_back_equal(clips: tuple[Clip, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = corpus_rows(clips, cache=tmp_path / "cache", workers=1)
    assert set(first.owner) == {0, 1, 2}
    assert len(cached(tmp_path / "cache")) == 1

    def never(path: str, extra: object) -> Rows:
        raise AssertionError(f"{path} is computed again")

    monkeypatch.setattr("emovox.training.svm.rows.clip_rows", never)
    assert same(first, corpus_rows(clips, cache=tmp_path / "cache", workers=1))


def test_a_changed_recording_is_computed_again(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    first = corpus_rows(clips, cache=tmp_path / "cache", workers=1)
    soundfile.write(clips[1].path, utterance("keen", "dee", 7), RATE)
    os.utime(clips[1].path, ns=(10**18, 10**18))
    second = corpus_rows(clips, cache=tmp_path / "cache", workers=1)
    assert len(cached(tmp_path / "cache")) == 2
    np.testing.assert_array_equal(first.values[first.owner != 1], second.values[second.owner != 1])
    assert not np.array_equal(first.values[first.owner == 1][:1], second.values[second.owner == 1][:1])


def test_other_speeds_are_computed_again(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    corpus_rows(clips[:1], cache=tmp_path, workers=1)
    rows = corpus_rows(clips[:1], cache=tmp_path, extra=[speed_view(0.9)], workers=1)
    assert set(rows.view) == {WHOLE, TILE, NARROW, "speed 0.9"}
    assert len(cached(tmp_path)) == 2


def test_owners_follow_the_order_of_the_clips(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    renamed = [msgspec.structs.replace(clip, corpus=name) for clip, name in zip(clips, ("b", "a", "b"), strict=True)]
    rows = corpus_rows(renamed, cache=tmp_path, workers=1)
    for number, clip in enumerate(renamed):
        (whole,) = rows.select([number], (WHOLE,))
        np.testing.assert_array_equal(rows.values[whole], clip_rows(clip.path).values[0])


def test_bad_clips_are_named_together_and_nothing_is_cached(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    for clip in clips[:2]:
        Path(clip.path).write_text("no audio")
    with pytest.raises(CorpusError, match=r"2 of 3 clips cannot be used: .*ada-bored-0\.wav.*ada-cross-0\.wav"):
        corpus_rows(clips, cache=tmp_path / "cache", workers=1)
    assert not cached(tmp_path / "cache")


def test_progress_counts_every_clip(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    corpus_rows(clips, cache=tmp_path, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_means_weigh_by_seconds_and_miss_clips_without_rows() -> None:
    rows = Rows(np.zeros((4, 1), np.float32), np.array([0, 0, 2, 2]), np.array([3.0, 1, 2, 2]), np.full(4, TILE))
    values = np.array([[1.0, 0], [5, 4], [7, 7]])
    means = rows.clip_means(values, np.array([0, 1, 3]), 3)
    np.testing.assert_array_equal(means, [[2, 1], [np.nan, np.nan], [7, 7]])


def test_arrays_leave_no_temporary_file(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a" / "x.npz", one=np.arange(3), two=np.array(2.5))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.npz"]
    found = load_arrays(tmp_path / "a" / "x.npz")
    assert found["one"].tolist() == [0, 1, 2]
    assert found["two"] == 2.5


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", one=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_arrays(tmp_path / "bad.npz")


def test_the_cache_folder_can_be_named() -> None:
    assert cache_folder({"EMOVOX_CACHE": "/x"}) == Path("/x")
    assert cache_folder({}) == Path.home() / ".cache" / "emovox"
