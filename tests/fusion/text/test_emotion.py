from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from emovox.fusion.text.emotion import TextEmotion, TextHead, read_head, write_head
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.fusion.text.modality import words_of
from emovox.fusion.text.ngrams import NgramRows, plain
from emovox.fusion.transcript import Line
from emovox.schema.errors import TrainingError, WeightsError
from emovox.schema.result import Segment
from emovox.training.text import BOTH, ENCODER_ALONE, NGRAMS_ALONE, LabelledLines, learn_text, text_figures
from tests.sentence_encoder import make_sentence_encoder

LABELS = ("happy", "sad")
GLAD, SAD = ("I am so glad !", "so glad you are here", "glad"), ("so sad", "why are you sad ?", "no ! I am sad")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    return SentenceEncoder.load(make_sentence_encoder(tmp_path_factory.mktemp("encoder")))


def part(times: int) -> LabelledLines:
    """Return lines of as many conversations, each with all of them."""
    conversations = [str(number) for number in range(times) for _ in (*GLAD, *SAD)]
    return LabelledLines([*GLAD, *SAD] * times, [*["happy"] * 3, *["sad"] * 3] * times, conversations)


@pytest.fixture(scope="module")
def head(encoder: SentenceEncoder) -> TextHead:
    return learn_text(part(20), encoder=encoder, labels=LABELS).heads[BOTH]


def test_a_head_learns_words_and_keeps_them_in_a_file(encoder: SentenceEncoder, head: TextHead, tmp_path: Path) -> None:
    assert text_figures({"all": head}, part(1), encoder=encoder) == {"all": (1.0, 1.0)}
    write_head(tmp_path / "text.safetensors", head, {"learnt_from": "six lines"})
    kept = read_head(tmp_path / "text.safetensors")
    assert (kept.labels, kept.share) == (LABELS, head.share)
    emotion = TextEmotion(encoder, kept)
    happy, sad, nothing = emotion.scores(["you are glad", "sad no", "…"])
    assert happy["happy"] > 0.5 > happy["sad"]
    assert sad["sad"] > 0.5
    assert nothing == {"happy": 0.5, "sad": 0.5}
    assert sum(happy.values()) == pytest.approx(1.0, abs=1e-6)
    assert emotion.scores([]) == []


def test_parts_are_compared_out_of_fold(encoder: SentenceEncoder) -> None:
    learnt = learn_text(part(20), encoder=encoder, labels=LABELS)
    assert (learnt.heads[ENCODER_ALONE].share, learnt.heads[NGRAMS_ALONE].share) == (0.0, 1.0)
    assert learnt.figures[NGRAMS_ALONE] == (1.0, 1.0)
    assert sum(learnt.figures[BOTH]) >= sum(learnt.figures[ENCODER_ALONE])
    labels = np.random.default_rng(0).permutation(["happy", "sad"] * 30).tolist()
    noise = LabelledLines([f"w{number}" for number in range(60)], labels, [f"{number // 2}" for number in range(60)])
    assert learn_text(noise, encoder=encoder, labels=LABELS).figures[BOTH].weighted_f1 < 0.8


def test_lines_to_learn_from_need_all_labels_and_five_conversations(encoder: SentenceEncoder) -> None:
    with pytest.raises(TrainingError, match="the lines have the labels happy, sad, expected all of happy, sad, fear"):
        learn_text(part(5), encoder=encoder, labels=(*LABELS, "fear"))
    with pytest.raises(TrainingError, match="got lines of 4 conversations, expected at least 5"):
        learn_text(part(4), encoder=encoder, labels=LABELS)


def test_the_prior_shifts_all_lines(encoder: SentenceEncoder, head: TextHead) -> None:
    features, rows = encoder.features(["you are here"]), NgramRows(["you are here"], len(head.rarity))
    before = head.scores(features, rows)
    shifted = replace(head, offset=np.array([2, 0], np.float32))
    after = shifted.scores(features, rows)
    assert np.log(after[0, 0] / after[0, 1]) == pytest.approx(np.log(before[0, 0] / before[0, 1]) + 2, abs=1e-4)


def test_rows_have_norm_1_and_equal_a_dense_product() -> None:
    rows = NgramRows(["Oh no, no!", "yes"], 64)
    rarity = np.linspace(1, 2, 64, dtype=np.float32)
    matrix = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    dense = np.zeros((2, 64), np.float32)
    for row, (columns, values) in enumerate(zip(rows.columns, rows.values, strict=True)):
        dense[row, columns] = values
    dense *= rarity
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    assert rows.weighted(rarity).times(matrix) == pytest.approx(dense @ matrix, abs=1e-5)


def test_typographic_quotes_and_those_of_windows_are_straight() -> None:
    assert plain("it\u2019s \x91so\x92") == "it's 'so'"
    assert NgramRows(["it\u2019s"], 2**14).columns[0].tolist() == NgramRows(["it's"], 2**14).columns[0].tolist()


def test_a_segment_has_the_words_of_its_time(encoder: SentenceEncoder, head: TextHead) -> None:
    emotion = TextEmotion(encoder, head)
    lines = (Line(0.0, 2.0, "I am so glad !"), Line(2.0, 3.0, "so sad"))
    words = words_of(lines, emotion, weight=0.25)
    assert (words.name, words.weight) == ("text", 0.25)
    glad, sad = emotion.scores([line.text for line in lines])
    early = words.scores(Segment(0.5, 1.5, 0, "happy", 1.0, {}))
    both = words.scores(Segment(1.0, 3.0, 0, "happy", 1.0, {}))
    assert early == pytest.approx(glad)
    assert both == pytest.approx({label: (glad[label] + sad[label]) / 2 for label in LABELS})
    assert words.scores(Segment(3.0, 4.0, 0, "happy", 1.0, {})) is None


def test_a_file_that_is_no_head_and_a_head_of_another_encoder(
    encoder: SentenceEncoder, head: TextHead, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="emovox models fetch text"):
        read_head(tmp_path / "text.safetensors")
    (tmp_path / "text.safetensors").write_bytes(b"no head")
    with pytest.raises(WeightsError, match="not the head of a text model"):
        read_head(tmp_path / "text.safetensors")
    other = replace(head, mean=head.mean[1:])
    with pytest.raises(WeightsError, match="the head takes 23 features, the encoder gives 24"):
        TextEmotion(encoder, other)
