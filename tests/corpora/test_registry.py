from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from emovox.corpora.registry import CORPORA, get_corpus, index, locate
from emovox.corpora.verify import verify
from emovox.schema.errors import CorpusError, UnknownCorpusError
from tests.corpora.trees import MakeTree, WriteClip


def test_unknown_corpus_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownCorpusError, match=r"no corpus is called 'ravdes', expected one of ravdess, casia, .*cafe"
    ):
        get_corpus("ravdes")
    with pytest.raises(UnknownCorpusError, match="use table or folders"):
        index("mine", tmp_path)


def test_locate(tmp_path: Path) -> None:
    (tmp_path / "casia").mkdir()
    environ = {"EMOVOX_CORPORA": str(tmp_path)}
    assert locate("casia", environ) == tmp_path / "casia"
    with pytest.raises(CorpusError, match=f"EMOVOX_CORPORA is .*, expected the folder {tmp_path}/tess"):
        locate("tess", environ)
    with pytest.raises(CorpusError, match="EMOVOX_CORPORA is not set; name the corpus folder"):
        locate("casia", {})
    with pytest.raises(UnknownCorpusError, match="no corpus is called 'nobody'"):
        locate("nobody", environ)


def test_map_changes_entries_of_the_published_one(make_tree: MakeTree) -> None:
    clips = index("iemocap", make_tree("iemocap"), partial=True, labels={"fru": "angry", "exc": None})
    assert [(clip.native, clip.label) for clip in clips] == [("neu", "neutral"), ("fru", "angry"), ("exc", None)]


def test_native_rate_and_channels(tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav", rate=48000, channels=2)
    (clip,) = index("ravdess", tmp_path, partial=True)
    assert clip.sample_rate == 48000


def test_unreadable_clip_of_a_published_corpus(make_tree: MakeTree) -> None:
    root = make_tree("nemo")
    (root / "samples" / "EB0_neutral_13.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"nemo: 1 of 2 recordings cannot be read .*EB0_neutral_13"):
        index("nemo", root)
    assert len(index("nemo", root, partial=True)) == 1


REAL = {"ravdess": 1.48, "casia": 0.64, "emodb": 0.41, "tess": 1.60, "nemo": 3.07}
HOURS_TOLERANCE = 0.01


@pytest.fixture
def corpora() -> dict[str, str]:
    if not os.environ.get("EMOVOX_CORPORA"):
        pytest.skip("EMOVOX_CORPORA is not set: the real corpora are not here")
    return dict(os.environ)


@pytest.mark.corpora
@pytest.mark.parametrize("name", sorted(REAL))
def test_real_corpus_has_the_published_counts(name: str, corpora: dict[str, str]) -> None:
    clips = index(name, locate(name, corpora))
    corpus = CORPORA[name]
    assert Counter(clip.native for clip in clips) == corpus.counts
    assert len({clip.speaker for clip in clips}) == corpus.speakers
    assert sum(clip.duration for clip in clips) / 3600 == pytest.approx(REAL[name], abs=HOURS_TOLERANCE)
    assert all(clip.sex and clip.language and clip.label and clip.sentence for clip in clips)


@pytest.mark.corpora
def test_real_duplicates_are_the_known_ones(corpora: dict[str, str]) -> None:
    report = verify("ravdess", locate("ravdess", corpora))
    assert report.ok
    assert [(one.ids, one.known) for one in report.duplicates] == [
        (("03-01-03-01-02-01-07", "03-01-03-01-02-02-07"), True)
    ]


def test_meld_clips_are_videos(make_tree: MakeTree) -> None:
    av = pytest.importorskip("av")
    root = make_tree("meld")
    for file in root.rglob("dia0_utt0.wav"):
        with av.open(str(file)) as source, av.open(str(file.with_suffix(".mp4")), "w") as target:
            stream = target.add_stream("aac", rate=16000)
            for frame in source.decode(audio=0):
                for resampled in av.AudioResampler("fltp", "mono", 16000).resample(frame):
                    target.mux(stream.encode(resampled))
            target.mux(stream.encode(None))
        file.unlink()
    clips = index("meld", root)
    assert [(clip.id, clip.sample_rate, Path(clip.path).suffix) for clip in clips] == [
        ("test_dia0_utt0", 16000, ".mp4"),
        ("train_dia0_utt0", 16000, ".mp4"),
    ]
    assert all(clip.duration > 0 for clip in clips)
