"""Checks that every published corpus must pass, on small trees with the real names."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emovox.corpora.corpus import Corpus
from emovox.corpora.manifest import read_manifest, write_manifest
from emovox.corpora.registry import CORPORA, index
from emovox.corpora.scan import scan
from emovox.corpora.verify import verify
from emovox.schema.errors import CorpusError, NoAudioFilesError
from emovox.schema.labels import TRAINING_CLASSES
from tests.corpora.trees import NAMED, RATE, SECONDS, TREES, MakeTree, WriteClip, path_of
from tests.faces import scene, write_video

# id, speaker, sex, language, native, label, sentence
Fields = tuple[str, str | None, str | None, str | None, str, str | None, str | None]

EXPECTED: dict[str, tuple[Fields, ...]] = {
    "ravdess": (
        ("03-01-01-01-01-01-01", "01", "male", "en", "neutral", "neutral", "01"),
        ("03-01-08-02-02-01-02", "02", "female", "en", "surprised", "surprise", "02"),
    ),
    "ravdess-video": (
        ("01-01-01-01-01-01-01", "01", "male", "en", "neutral", "neutral", "01"),
        ("01-01-08-02-02-01-02", "02", "female", "en", "surprised", "surprise", "02"),
    ),
    "casia": (
        ("ZhaoZuoxiang_surprise_250", "ZhaoZuoxiang", "male", "zh", "surprise", "surprise", "250"),
        ("liuchanhg_angry_201", "liuchanhg", "female", "zh", "angry", "angry", "201"),
    ),
    "emodb": (
        ("03a01Fa", "03", "male", "de", "happiness", "happy", "a01"),
        ("16b10Lb", "16", "female", "de", "boredom", "boredom", "b10"),
    ),
    "tess": (
        ("OAF_bite_neutral", "OAF", "female", "en", "neutral", "neutral", "bite"),
        ("OAF_dog_fear", "OAF", "female", "en", "fear", "fear", "dog"),
        ("YAF_back_ps", "YAF", "female", "en", "ps", "surprise", "back"),
    ),
    "nemo": (
        ("EB0_neutral_13", "EB0", "female", "pl", "neutral", "neutral", "13"),
        ("WR0_surprised_64", "WR0", "male", "pl", "surprised", "surprise", "64"),
    ),
    "crema-d": (
        ("1001_DFA_ANG_XX", "1001", "male", "en", "ANG", "angry", "DFA"),
        ("1002_IEO_HAP_HI", "1002", "female", "en", "HAP", "happy", "IEO"),
        ("1040_ITH_SAD_X", "1040", "male", "en", "SAD", "sad", "ITH"),
    ),
    "savee": (
        ("DC_a01", "DC", "male", "en", "anger", "angry", "a01"),
        ("JE_n30", "JE", "male", "en", "neutral", "neutral", "n30"),
        ("KL_su15", "KL", "male", "en", "surprise", "surprise", "su15"),
    ),
    "emovo": (
        ("dis-f1-b1", "f1", "female", "it", "disgusto", "disgust", "b1"),
        ("gio-m3-n5", "m3", "male", "it", "gioia", "happy", "n5"),
    ),
    "esd": (
        ("0001_000351", "0001", "female", "zh", "Angry", "angry", "zh-001"),
        ("0020_001750", "0020", "male", "en", "Surprise", "surprise", "en-350"),
    ),
    "shemo": (
        ("F01A01", "F01", "female", "fa", "anger", "angry", None),
        ("M56W12", "M56", "male", "fa", "surprise", "surprise", None),
    ),
    "urdu": (
        ("SF2_F10_S010", "SF2", "female", "ur", "Sad", "sad", None),
        ("SM1_F1_A01", "SM1", "male", "ur", "Angry", "angry", None),
    ),
    "iemocap": (
        ("Ses01F_impro01_F000", "Ses01F", "female", "en", "neu", "neutral", "Excuse me."),
        ("Ses01F_impro01_M001", "Ses01M", "male", "en", "fru", None, "Next!"),
        ("Ses01F_impro01_M002", "Ses01M", "male", "en", "exc", "happy", None),
    ),
    "meld": (
        ("test_dia0_utt0", "The Interviewer", None, "en", "anger", "angry", "Why?"),
        ("train_dia0_utt0", "Chandler", "male", "en", "joy", "happy", "Oh, hi!"),
    ),
    "cafe": (
        ("01-C-1-1", "01", "male", "fr", "colère", "angry", "1"),
        ("12-N-1-6", "12", "female", "fr", "neutre", "neutral", "6"),
    ),
}

every_corpus = pytest.mark.parametrize("name", sorted(CORPORA))


def test_no_corpus_escapes_these_checks() -> None:
    assert set(EXPECTED) == set(CORPORA)


@every_corpus
def test_names_say_what_they_mean(name: str, make_tree: MakeTree) -> None:
    clips = index(name, make_tree(name), partial=True)
    found = tuple((c.id, c.speaker, c.sex, c.language, c.native, c.label, c.sentence) for c in clips)
    assert found == EXPECTED[name]
    assert all(clip.corpus == name and Path(clip.path).is_file() for clip in clips)
    assert all(clip.duration == pytest.approx(SECONDS) and clip.sample_rate == RATE for clip in clips)


@every_corpus
def test_suffix_and_depth_do_not_matter(name: str, make_tree: MakeTree) -> None:
    clips = index(name, make_tree(name, suffix=".FLAC", below="download/of the corpus"), partial=True)
    assert [clip.id for clip in clips] == [fields[0] for fields in EXPECTED[name]]


@every_corpus
def test_manifest_returns_what_was_indexed(name: str, make_tree: MakeTree, tmp_path: Path) -> None:
    clips = index(name, make_tree(name), partial=True)
    write_manifest(clips, tmp_path / "manifest.jsonl")
    assert read_manifest(tmp_path / "manifest.jsonl") == clips


@every_corpus
def test_missing_files_are_an_error(name: str, make_tree: MakeTree) -> None:
    root = make_tree(name)
    if name in ("nemo", "iemocap", "meld"):  # their label files tell what is missing, and nothing is yet
        next(root.rglob("*.wav")).unlink()
    with pytest.raises(CorpusError, match=rf"got \d+ clips of {name}, expected {CORPORA[name].clips}; missing: "):
        index(name, root)
    assert not verify(name, root).ok


@every_corpus
def test_small_tree_is_clean(name: str, make_tree: MakeTree) -> None:
    report = verify(name, make_tree(name), partial=True)
    assert report.ok
    assert (report.clips, report.published_clips) == (len(TREES[name]), CORPORA[name].clips)
    assert report.duplicates == ()
    assert report.strangers == ()


@every_corpus
def test_litter_is_not_data(name: str, make_tree: MakeTree, write_clip: WriteClip) -> None:
    root = make_tree(name)
    first = Path(TREES[name][0])
    (root / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "__MACOSX" / first.parent).mkdir(parents=True)
    (root / "__MACOSX" / first.parent / f"._{first.name}").write_bytes(b"\0\5\x16\7")
    (root / first.parent / f"._{first.name}").write_bytes(b"\0\5\x16\7")
    write_clip(root / "holiday.wav", seed=99)
    report = verify(name, root, partial=True)
    assert report.ok
    assert [problem.what for problem in report.strangers] == ["holiday.wav"]


@every_corpus
def test_tree_inside_itself_counts_once(name: str, make_tree: MakeTree) -> None:
    make_tree(name, below="again")
    root = make_tree(name)
    report = verify(name, root, partial=True)
    assert report.clips == len(TREES[name])
    assert len(report.copies) == len(TREES[name])
    assert all(copy.startswith("again/") for copy in report.copies)
    assert report.ok


@every_corpus
def test_folder_without_audio(name: str, tmp_path: Path) -> None:
    with pytest.raises(NoAudioFilesError, match="expected files such as"):
        index(name, tmp_path)
    with pytest.raises(CorpusError, match="no such folder"):
        index(name, tmp_path / "nothing")


@pytest.mark.parametrize("name", sorted(set(CORPORA) - {"iemocap", "meld"}))
def test_folder_of_something_else(name: str, tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "holiday.wav")
    with pytest.raises(CorpusError, match=f"none of its 1 audio files is named as in {name}"):
        index(name, tmp_path, partial=True)


@pytest.mark.parametrize(("name", "file"), [("iemocap", "EmoEvaluation"), ("meld", "train_sent_emo.csv")])
def test_label_files_cannot_be_done_without(name: str, file: str, make_tree: MakeTree) -> None:
    root = make_tree(name)
    for table in [*root.rglob("*.txt"), *root.rglob("*.csv")]:
        table.unlink()
    with pytest.raises(CorpusError, match=file):
        index(name, root, partial=True)


@every_corpus
def test_description_is_complete(name: str) -> None:
    corpus = CORPORA[name]
    assert set(corpus.counts) == set(corpus.labels)
    assert {label for label in corpus.labels.values() if label} <= set(TRAINING_CLASSES)
    assert set(corpus.layout.emotions.values()) in (set(), set(corpus.labels))
    assert re.match(r"(low|medium|high): \w", corpus.licence_risk)
    assert re.match(r"@\w+\{\w+,.*year = \{\d{4}\}.*\n\}$", corpus.citation, re.DOTALL)
    assert corpus.citation.count("{") == corpus.citation.count("}")
    assert all(re.fullmatch("[a-z]{2}", language) for language in corpus.languages)
    assert corpus.licence
    assert corpus.where
    if corpus.layout.speakers:
        assert len(corpus.layout.speakers) == corpus.speakers


def test_which_corpora_list_their_names() -> None:
    assert NAMED == ["cafe", "casia", "emodb", "emovo", "esd", "ravdess", "ravdess-video", "savee", "tess"]


@pytest.mark.parametrize("name", NAMED)
def test_published_names_give_the_published_counts(name: str) -> None:
    corpus: Corpus = CORPORA[name]
    assert corpus.names
    ids = list(corpus.names())
    rows = [corpus.parse(path_of(name, clip)) for clip in ids]
    assert [row.id for row in rows if row] == ids
    assert len(set(ids)) == corpus.clips
    assert Counter(row.native for row in rows if row) == corpus.counts
    assert len({row.speaker for row in rows if row}) == corpus.speakers
    assert not any(row.conflicts for row in rows if row)


def test_missing_clips_are_named(make_tree: MakeTree) -> None:
    missing = scan(CORPORA["ravdess"], make_tree("ravdess")).missing
    assert len(missing) == 1438
    assert "03-01-05-02-01-02-24" in missing
    assert "03-01-08-02-02-01-02" not in missing


def test_missing_clips_are_counted_where_names_cannot_be_told(make_tree: MakeTree) -> None:
    assert scan(CORPORA["urdu"], make_tree("urdu")).missing == (
        "99 of 100 clips labelled Angry",
        "100 of 100 clips labelled Happy",
        "100 of 100 clips labelled Neutral",
        "99 of 100 clips labelled Sad",
    )


def test_label_file_tells_what_is_missing(make_tree: MakeTree) -> None:
    root = make_tree("nemo")
    (root / "samples" / "EB0_neutral_13.wav").unlink()
    assert scan(CORPORA["nemo"], root).missing == ("EB0_neutral_13",)


def test_ravdess_songs_and_videos_are_left_aside(make_tree: MakeTree, write_clip: WriteClip) -> None:
    root = make_tree("ravdess")
    write_clip(root / "Actor_01" / "03-02-01-01-01-01-01.wav", seed=8)
    write_clip(root / "Actor_01" / "01-01-01-01-01-01-01.wav", seed=9)
    strangers = [str(file) for file, _ in scan(CORPORA["ravdess"], root).strangers]
    assert strangers == ["Actor_01/01-01-01-01-01-01-01.wav", "Actor_01/03-02-01-01-01-01-01.wav"]


def test_videos_of_ravdess_are_read_and_those_without_sound_are_left_aside(tmp_path: Path) -> None:
    folder = tmp_path / "Video_Speech_Actor_02" / "Actor_02"
    folder.mkdir(parents=True)
    sound = 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    write_video(folder / "01-01-05-01-01-01-02.mp4", [scene()] * 5, sound=sound)
    write_video(folder / "02-01-05-01-01-01-02.mp4", [scene()] * 5)
    (clip,) = index("ravdess-video", tmp_path, partial=True)
    assert (clip.id, clip.label, clip.speaker, clip.sample_rate) == ("01-01-05-01-01-01-02", "angry", "02", 16000)
    assert clip.duration == pytest.approx(0.5, abs=0.1)


def test_accents_unpacked_on_a_mac(tmp_path: Path, write_clip: WriteClip) -> None:
    folder = unicodedata.normalize("NFD", "Dégoût")
    write_clip(tmp_path / folder / "Fort" / "02-C-2-3.wav")
    report = verify("cafe", tmp_path, partial=True)
    assert [p.problem for p in report.contradictions] == [
        "the folder 'Dégoût' says native dégoût, the file name says colère"
    ]


def test_savee_by_either_name(tmp_path: Path, write_clip: WriteClip) -> None:
    for seed, file in enumerate(("ALL/DC_sa03.wav", "AudioData/JK/sa03.wav")):
        write_clip(tmp_path / file, seed=seed)
    assert [(c.id, c.native) for c in index("savee", tmp_path, partial=True)] == [
        ("DC_sa03", "sadness"),
        ("JK_sa03", "sadness"),
    ]


@pytest.mark.parametrize(
    ("name", "file", "problem"),
    [
        (
            "ravdess",
            "Actor_02/03-01-02-01-01-01-01.wav",
            "the folder 'Actor_02' says speaker 02, the file name says 01",
        ),
        ("tess", "OAF_Sad/OAF_dog_angry.wav", "the folder 'OAF_Sad' says native sad, the file name says angry"),
        ("tess", "YAF_sad/OAF_dog_sad.wav", "the folder 'YAF_sad' says speaker YAF, the file name says OAF"),
        ("emovo", "f2/dis-f1-b1.wav", "the folder 'f2' says speaker f2, the file name says f1"),
        ("shemo", "male/F01A01.wav", "the folder 'male' says sex male, the file name says female"),
        ("urdu", "Happy/SM1_F1_A01.wav", "the folder 'Happy' says native Happy, the file name says Angry"),
        ("savee", "JE/DC_a01.wav", "the folder 'JE' says speaker JE, the file name says DC"),
        ("esd", "0002/Angry/0001_000351.wav", "the folder '0002' says speaker 0002, the file name says 0001"),
        ("esd", "0001/Sad/0001_000351.wav", "says native Sad, the number in the file name says Angry"),
    ],
)
def test_contradictions_of_folder_and_name(
    name: str, file: str, problem: str, tmp_path: Path, write_clip: WriteClip
) -> None:
    write_clip(tmp_path / file)
    report = verify(name, tmp_path, partial=True)
    assert not report.ok
    assert [found.what for found in report.contradictions] == [file]
    assert report.contradictions[0].problem.endswith(problem)


def test_label_file_against_name(make_tree: MakeTree) -> None:
    root = make_tree("nemo")
    table = (root / "data.tsv").read_text(encoding="utf-8")
    (root / "data.tsv").write_text(table.replace("\tneutral\t", "\tanger\t"), encoding="utf-8")
    assert [p.problem for p in verify("nemo", root).contradictions] == [
        "the file name says native neutral, the label file says anger"
    ]


def test_meld_clip_without_a_label(make_tree: MakeTree, write_clip: WriteClip) -> None:
    root = make_tree("meld")
    write_clip(root / "train/train_splits/dia9_utt9.wav", seed=9)
    strangers = scan(CORPORA["meld"], root).strangers
    assert [(str(file), why) for file, why in strangers] == [
        ("train/train_splits/dia9_utt9.wav", "not in the label files")
    ]
