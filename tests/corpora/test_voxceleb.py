from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emovox.cli.data import app
from emovox.corpora.folds import PROTOCOLS, make_folds
from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA, SPEAKER_CORPORA, index, locate
from emovox.corpora.verify import verify
from emovox.corpora.views import classes_of
from emovox.corpora.voxceleb import VOXCELEB, hold_out_videos
from emovox.schema.errors import CorpusError, ProtocolError, UnknownCorpusError
from tests.corpora.trees import WriteClip

FILES = (
    "wav/id10001/1zcIwhmdeo4/00001.wav",
    "wav/id10001/1zcIwhmdeo4/00002.wav",
    "wav/id10001/-_vId1eoKsc/00001.wav",
    "dev/aac/id00012/21Uxsk56VDQ/00001.wav",
)


@pytest.fixture
def tree(tmp_path: Path, write_clip: WriteClip) -> Path:
    for seed, file in enumerate(FILES):
        write_clip(tmp_path / "voxceleb" / file, seed=seed)
    return tmp_path / "voxceleb"


def some_clips(*videos: Sequence[int]) -> list[Clip]:
    """One speaker for each argument, which holds the number of clips of each of its videos."""
    return [
        Clip(
            corpus="voxceleb",
            id=f"id{speaker}/v{video}/{number}",
            path="/x.wav",
            speaker=f"id{speaker}",
            native=f"id{speaker}",
            label=f"id{speaker}",
            duration=4.0,
            sample_rate=16000,
        )
        for speaker, counts in enumerate(videos)
        for video, count in enumerate(counts)
        for number in range(count)
    ]


def videos_of(clips: Sequence[Clip], numbers: Sequence[int]) -> set[str]:
    return {clips[n].id.rpartition("/")[0] for n in numbers}


def test_the_speaker_is_the_label(tree: Path) -> None:
    clips = index("voxceleb", tree)
    assert [(c.id, c.speaker, c.native, c.label) for c in clips] == [
        ("id00012/21Uxsk56VDQ/00001", *["id00012"] * 3),
        ("id10001/-_vId1eoKsc/00001", *["id10001"] * 3),
        ("id10001/1zcIwhmdeo4/00001", *["id10001"] * 3),
        ("id10001/1zcIwhmdeo4/00002", *["id10001"] * 3),
    ]
    assert all((c.corpus, c.sex, c.language) == ("voxceleb", None, None) for c in clips)
    assert classes_of(clips) == ("id00012", "id10001")


def test_any_part_of_it_is_a_whole(tree: Path) -> None:
    report = verify("voxceleb", tree)
    assert report.ok
    assert (report.clips, report.speakers, report.missing) == (4, 2, ())


def test_a_recipe_names_it_as_any_corpus(tree: Path) -> None:
    assert locate("voxceleb", {"EMOVOX_CORPORA": str(tree.parent)}) == tree
    assert len(load_clips(["voxceleb"], {"EMOVOX_CORPORA": str(tree.parent)})) == 4


def test_a_speaker_can_be_dropped_by_a_map(tree: Path) -> None:
    clips = index("voxceleb", tree, labels={"id00012": None})
    assert [clip.label for clip in clips] == [None, "id10001", "id10001", "id10001"]


def test_strangers_are_listed_and_alone_an_error(tree: Path, tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tree / "music" / "guitar.wav", seed=9)
    assert [problem.what for problem in verify("voxceleb", tree).strangers] == ["music/guitar.wav"]
    write_clip(tmp_path / "other" / "happy" / "ana" / "1.wav")
    with pytest.raises(CorpusError, match=r"none of its 1 audio files is named as in voxceleb .*data info voxceleb"):
        index("voxceleb", tmp_path / "other")


def test_a_folder_of_that_name_does_not_pass_for_it(tree: Path, tmp_path: Path, write_clip: WriteClip) -> None:
    write_clip(tmp_path / "own" / "voxceleb" / "happy" / "1.wav")
    (clip,) = index("folders", tmp_path / "own" / "voxceleb")
    assert clip.corpus == "voxceleb-own"


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_protocols_of_emotion_refuse_it(protocol: str) -> None:
    target = "emodb" if protocol == "zero-shot" else None
    with pytest.raises(ProtocolError, match="got voxceleb, expected a corpus of emotion; its labels are its speakers"):
        make_folds(protocol, some_clips([2, 2], [2, 2]), target=target)


def test_it_stands_apart_from_the_corpora_of_emotion() -> None:
    assert list(SPEAKER_CORPORA) == ["voxceleb"]
    assert not set(SPEAKER_CORPORA) & set(CORPORA)
    assert (VOXCELEB.clips, VOXCELEB.speakers) == (1_281_762, 7363)
    with pytest.raises(UnknownCorpusError, match=r"expected one of ravdess, .*, voxceleb; for your own"):
        locate("vox", {})


def test_info_and_statistics_on_the_command_line(tree: Path) -> None:
    run = CliRunner()
    text = run.invoke(app, ["info", "voxceleb"]).stdout
    for wanted in (VOXCELEB.where, VOXCELEB.licence, VOXCELEB.licence_risk, VOXCELEB.citation, "7363 speakers"):
        assert wanted in text
    assert "voxceleb" in run.invoke(app, ["info"]).stdout
    facts = json.loads(run.invoke(app, ["info", "voxceleb", "--format", "json"]).stdout)
    assert (facts["clips"], facts["speakers"], facts["labels"]) == (1_281_762, 7363, [])
    figures = run.invoke(app, ["stats", "voxceleb", str(tree)]).stdout
    assert "4 clips, 2 speakers" in figures
    # one line a speaker, not a table of speakers by speakers
    assert figures.count("id10001") == 1


def test_the_docs_have_its_row() -> None:
    cells = ["voxceleb", "1281762", "7363", f"`{FILES[0]}`", VOXCELEB.licence, VOXCELEB.licence_risk.partition(":")[0]]
    docs = Path(__file__).parents[2] / "docs" / "corpora.md"
    assert f"| {' | '.join(cells)} |" in docs.read_text(encoding="utf-8")


def test_whole_videos_are_held_out_and_every_speaker_trains() -> None:
    clips = some_clips(*[[3, 1, 2, 5, 1, 1, 1, 1, 1, 4] for _ in range(6)])
    train, held = hold_out_videos(clips, share=0.3)
    assert sorted(train + held) == list(range(len(clips)))
    assert not videos_of(clips, train) & videos_of(clips, held)
    assert {clips[n].native for n in train} == {f"id{n}" for n in range(6)}
    assert len(videos_of(clips, held)) == 6 * 3


def test_a_single_video_gives_clips_and_a_single_clip_none() -> None:
    clips = some_clips([10], [1], [2, 2])
    train, held = hold_out_videos(clips, share=0.2)
    assert [sum(clips[n].native == f"id{speaker}" for n in held) for speaker in range(3)] == [2, 0, 2]
    assert sum(clips[n].native == "id1" for n in train) == 1


def test_the_seed_chooses_and_the_order_of_the_clips_does_not() -> None:
    clips = some_clips(*[[1] * 8 for _ in range(5)])
    held = videos_of(clips, hold_out_videos(clips)[1])
    turned = clips[::-1]
    assert videos_of(turned, hold_out_videos(turned)[1]) == held
    assert videos_of(clips, hold_out_videos(clips, seed=1)[1]) != held


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(ProtocolError, match=f"validation share is {share}, expected more than 0 and less than 1"):
        hold_out_videos(some_clips([2, 2]), share=share)


def test_nothing_to_hold_out() -> None:
    with pytest.raises(ProtocolError, match="none of 2 speakers has two clips"):
        hold_out_videos(some_clips([1], [1]))
