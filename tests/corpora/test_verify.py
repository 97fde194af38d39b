from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from emovox.corpora.probe import header, measure
from emovox.corpora.registry import index
from emovox.corpora.verify import verify, verify_clips
from emovox.schema.errors import UndecodableError
from tests.corpora.trees import RATE, SECONDS, MakeTree, WriteClip

FIRST, TWIN = "03-01-03-01-02-01-07", "03-01-03-01-02-02-07"


def test_known_twins_are_a_remark(tmp_path: Path, write_clip: WriteClip) -> None:
    for clip in (FIRST, TWIN):
        write_clip(tmp_path / "Actor_07" / f"{clip}.wav")
    report = verify("ravdess", tmp_path, partial=True)
    assert [(one.ids, one.known) for one in report.duplicates] == [((FIRST, TWIN), True)]
    assert report.ok


def test_other_twins_are_an_error(tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "Actor_07" / f"{FIRST}.wav")
    write_clip(tmp_path / "Actor_07" / "03-01-03-02-02-02-07.flac")
    report = verify("ravdess", tmp_path, partial=True)
    assert [one.known for one in report.duplicates] == [False]
    assert report.contradictions == ()
    assert not report.ok


def test_twins_of_two_labels_and_speakers(tmp_path: Path, write_clip: WriteClip) -> None:
    for file in ("Actor_07/03-01-03-01-02-01-07.wav", "Actor_08/03-01-04-01-02-01-08.wav"):
        write_clip(tmp_path / file)
    problems = [problem.problem for problem in verify("ravdess", tmp_path, partial=True).contradictions]
    assert problems == [
        "the same samples, with the labels happy and sad",
        "the same samples, with the speakers 07 and 08",
    ]


def test_second_file_of_the_same_name_must_be_the_same(make_tree: MakeTree, write_clip: WriteClip) -> None:
    root = make_tree("emodb")
    write_clip(root / "backup" / "wav" / "03a01Fa.wav", seed=77)
    report = verify("emodb", root, partial=True)
    assert report.copies == ()
    assert [(p.what, p.problem) for p in report.contradictions] == [
        ("backup/wav/03a01Fa.wav", "has the name of wav/03a01Fa.wav but other samples")
    ]


def test_silence_is_named_and_no_duplicate(tmp_path: Path, write_clip: WriteClip) -> None:
    for clip in ("1076_MTI_SAD_XX", "1001_DFA_ANG_XX"):
        write_clip(tmp_path / f"{clip}.wav", gain=0.0)
    report = verify("crema-d", tmp_path, partial=True)
    assert report.silent == ("1001_DFA_ANG_XX", "1076_MTI_SAD_XX")
    assert report.duplicates == ()
    assert report.ok


def test_header_is_not_enough(make_tree: MakeTree) -> None:
    root = make_tree("shemo")
    file = root / "female" / "F01A01.wav"
    soundfile.write(file, np.zeros(16000), 16000)
    file.write_bytes(file.read_bytes()[:300])
    report = verify("shemo", root, partial=True)
    assert [Path(problem.what) for problem in report.undecodable] == [file]
    assert not report.ok


def test_empty_and_false_files_are_named(make_tree: MakeTree) -> None:
    root = make_tree("emodb")
    (root / "wav" / "03a01Fa.wav").write_text("text named .wav")
    (root / "wav" / "16b10Lb.wav").write_bytes(b"")
    (root / "wav" / "08a01Na.wav").write_bytes((root / "wav" / "03a01Fa.wav").read_bytes())
    report = verify("emodb", root, partial=True)
    assert sorted(Path(problem.what).name for problem in report.undecodable) == [
        "03a01Fa.wav",
        "08a01Na.wav",
        "16b10Lb.wav",
    ]


def test_more_clips_than_published(tmp_path: Path, write_clip: WriteClip) -> None:
    for number in range(101):
        write_clip(tmp_path / "Sad" / f"SM1_F{number}_S{number}.wav", seed=number)
    report = verify("urdu", tmp_path, partial=True)
    assert [(p.what, p.problem) for p in report.contradictions] == [
        ("Sad", "101 clips have this label, 100 are published")
    ]


def test_manifest_against_itself(make_tree: MakeTree) -> None:
    clips = index("tess", make_tree("tess"), partial=True)
    first, second, third = clips
    changed = [
        first,
        msgspec.structs.replace(second, sex="male", native=first.native, label="calm"),
        third,
    ]
    report = verify_clips(changed)
    assert [(p.what, p.problem) for p in report.contradictions] == [
        (first.native, "is mapped to calm and neutral"),
        ("OAF", "is both female and male"),
    ]
    assert verify_clips(clips).ok


def test_label_without_clips_is_not_called_dropped(make_tree: MakeTree) -> None:
    report = verify("iemocap", make_tree("iemocap"), partial=True)
    found = {count.native: (count.label, count.found, count.published) for count in report.labels}
    assert found["ang"] == ("angry", 0, 1103)
    assert found["fru"] == (None, 1, 1849)


def test_report_of_several_corpora_has_no_published_numbers(make_tree: MakeTree) -> None:
    clips = [clip for name in ("tess", "urdu") for clip in index(name, make_tree(name), partial=True)]
    report = verify_clips([msgspec.structs.replace(clip, native="x", label="x") for clip in clips])
    assert (report.corpus, report.published_clips, report.published_speakers) == ("tess, urdu", None, None)
    assert [(count.native, count.found, count.published) for count in report.labels] == [("x", 5, None)]


def test_samples_count_not_containers(tmp_path: Path, write_clip: WriteClip) -> None:
    wav, flac = write_clip(tmp_path / "a.wav"), write_clip(tmp_path / "a.flac")
    other, faster = write_clip(tmp_path / "b.wav", seed=1), write_clip(tmp_path / "c.wav", rate=2 * RATE)
    assert measure(wav).sha256 == measure(flac).sha256
    assert len({measure(path).sha256 for path in (wav, other, faster)}) == 3


def test_level_of_a_full_scale_square_wave(tmp_path: Path) -> None:
    file = tmp_path / "square.wav"
    soundfile.write(file, np.tile([1.0, -1.0], 400), RATE, subtype="FLOAT")
    measured = measure(file)
    assert measured.level == pytest.approx(0.0, abs=1e-6)
    assert measured.duration == pytest.approx(800 / RATE)


def test_header_of_two_channels(tmp_path: Path, write_clip: WriteClip) -> None:
    seconds, rate = header(write_clip(tmp_path / "a.wav", rate=44100, channels=2))
    assert seconds == pytest.approx(SECONDS)
    assert rate == 44100
    (tmp_path / "b.wav").write_text("no")
    with pytest.raises(UndecodableError, match=r"b\.wav"):
        header(tmp_path / "b.wav")
