"""Pictures of a model's embedding: who is drawn, who is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from emovox.corpora.manifest import Clip
from emovox.evaluation.report.embedding import FEWEST_CLIPS, embedding_pictures
from emovox.runtime.predictor import Predictor, load
from emovox.testing import speech, write_toy

N_CLIPS = 12


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    return load(str(write_toy(tmp_path)))


def make_clips(folder: Path, *, corpora: tuple[str, ...] = ("one",)) -> list[Clip]:
    clips = []
    for number in range(N_CLIPS):
        path = folder / f"{number}.wav"
        soundfile.write(path, speech(100 + 20 * number, seconds=0.5 + 0.05 * number), 16000)
        clips.append(
            Clip(
                corpus=corpora[number % len(corpora)],
                id=str(number),
                path=str(path),
                speaker=f"s{number % 3}",
                native="joy",
                label="happy" if number % 2 else "sad",
                duration=0.5,
                sample_rate=16000,
            )
        )
    return clips


def test_one_corpus_is_drawn_by_emotion_and_speaker(predictor: Predictor, tmp_path: Path) -> None:
    pictures = embedding_pictures(predictor, make_clips(tmp_path))
    assert [picture.file for picture in pictures] == ["tsne-emotion.png", "tsne-speaker.png"]
    assert all(picture.png.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0].png != pictures[1].png


def test_several_corpora_are_drawn_by_corpus_too(predictor: Predictor, tmp_path: Path) -> None:
    pictures = embedding_pictures(predictor, make_clips(tmp_path, corpora=("one", "two")))
    assert [picture.file for picture in pictures][-1] == "tsne-corpus.png"


def test_unusable_and_dropped_clips_are_left_out(predictor: Predictor, tmp_path: Path) -> None:
    clips = make_clips(tmp_path)
    for clip in clips[FEWEST_CLIPS - 1 :]:
        Path(clip.path).write_text("not audio")
    assert embedding_pictures(predictor, clips) == ()


def test_no_clips_make_no_picture(predictor: Predictor) -> None:
    assert embedding_pictures(predictor, []) == ()
