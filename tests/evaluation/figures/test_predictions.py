from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.evaluation.figures.files import read_predictions, write_predictions
from emovox.evaluation.figures.predictions import Predictions, Row, join, natural_key
from emovox.schema.errors import PredictionsError

HEADER = "corpus,utterance,speaker,fold,label,predicted,zen,meh\n"
GOOD = "own,u1,ada,1,zen,zen,0.75,0.25\n"
SIX_DIGITS = 5e-6  # relative; the CSV keeps six significant digits

# What a CSV may hold: no line ends (names of clips never have them), no NUL, no lone surrogates.
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)


def test_keeps_columns_and_indices(hand_made: Predictions) -> None:
    assert len(hand_made) == 8
    assert hand_made.label_index.tolist() == [0, 0, 0, 1, 0, 1, 2, 2]
    assert hand_made.predicted_index.tolist() == [0, 0, 0, 1, 1, 2, 2, -1]
    assert hand_made.answered.tolist() == [True] * 7 + [False]
    assert np.isnan(hand_made.scores[7]).all()
    assert hand_made.present == hand_made.classes


def test_integers_for_folds_become_text() -> None:
    text = np.array(["a"])
    made = Predictions(text, text, text, np.array([10]), text, text, np.array([[1.0, 0.0]]), ("a", "b"))
    assert made.fold.tolist() == ["10"]


def test_a_file_read_back_is_the_same(tmp_path: Path, hand_made: Predictions) -> None:
    path = tmp_path / "new" / "folder" / "pred.csv"
    write_predictions(hand_made, path)
    again = read_predictions(path)
    for name in ("corpus", "utterance", "speaker", "fold", "label", "predicted"):
        assert getattr(again, name).tolist() == getattr(hand_made, name).tolist()
    assert again.classes == hand_made.classes
    np.testing.assert_allclose(again.scores, hand_made.scores, rtol=SIX_DIGITS)
    assert [p.name for p in path.parent.iterdir()] == ["pred.csv"], "a temporary file was left behind"


def test_the_text_of_the_file_is_the_documented_one(tmp_path: Path, hand_made: Predictions) -> None:
    path = tmp_path / "pred.csv"
    write_predictions(hand_made.select(np.array([0, 7])), path)
    assert path.read_bytes().decode() == (
        "corpus,utterance,speaker,fold,label,predicted,zen,hangry,meh\n"
        "own,u1,ada,1,zen,zen,0.8,0.1,0.1\n"
        "own,u8,dan,2,meh,,,,\n"
    )


@settings(max_examples=40, deadline=None)
@given(names=st.lists(NAMES, min_size=2, max_size=6, unique=True), seed=st.integers(0, 1000))
def test_any_names_survive_the_file(tmp_path_factory: pytest.TempPathFactory, names: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        Row(name, f"{name}{i}", "", "0", name, names[0], rng.dirichlet(np.ones(len(names))).tolist())
        for i, name in enumerate(names)
    ]
    path = tmp_path_factory.mktemp("csv") / "ąć 情绪.csv"
    write_predictions(Predictions.from_rows(rows, names), path)
    again = read_predictions(path)
    assert again.utterance.tolist() == [row.utterance for row in rows]
    assert again.classes == tuple(names)
    np.testing.assert_allclose(again.scores, np.array([row.scores for row in rows]), rtol=SIX_DIGITS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1, column 1: got nothing, expected 'corpus'"),
        (
            "corpus,utterance,speaker,label\n",
            r"line 1, column 4: got 'label', expected 'fold'; the header is corpus,utt",
        ),
        ("corpus,utterance,speaker,fold,label,predicted,zen\n", r"line 1: got classes \['zen'\], expected two or more"),
        ("corpus,utterance,speaker,fold,label,predicted,a,a\n", r"line 1: got classes \['a', 'a'\]"),
        (HEADER, r"got a header without rows"),
        (HEADER + GOOD + "own,u2,ada,1,zen,zen,0.5\n", r"pred\.csv: line 3: got 7 columns, expected 8"),
        (HEADER + "own,u1,ada,1,hungry,zen,1,0\n", r"line 2, column 'label': got 'hungry', expected one of zen, meh"),
        (HEADER + "own,u1,ada,1,,zen,1,0\n", r"line 2, column 'label': got ''"),
        (HEADER + "own,u1,ada,1,zen,calm,1,0\n", r"line 2, column 'predicted': got 'calm', expected one of zen, meh"),
        (HEADER + GOOD + "own,u2,ada,1,zen,zen,0.5,high\n", r"line 3, column 'meh': got 'high', expected a number"),
        (HEADER + "own,u1,ada,1,zen,zen,,0.5\n", r"line 2, column 'zen': got '', expected a number"),
        (HEADER + "own,u1,ada,1,zen,zen,nan,0.5\n", r"line 2, column 'zen': got nan, expected a probability"),
        (
            HEADER + "own,u1,ada,1,zen,zen,1.5,0.5\n",
            r"line 2, column 'zen': got 1.5, expected a probability from 0 to 1",
        ),
        (HEADER + "own,u1,ada,1,zen,,1,0\n", r"line 2, column 'predicted': got nothing beside scores"),
        (HEADER + GOOD + "\n" + GOOD, r"line 4, column 'utterance': 'u1' of corpus 'own' is a duplicate of line 2"),
        (HEADER + 'own,"u1,ada,1,zen,zen,1,0\n', r"line \d+: not valid CSV"),
    ],
)
def test_a_malformed_file_is_named_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pred.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PredictionsError, match=message):
        read_predictions(path)


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match=r"none\.csv: cannot be read \(No such file"):
        read_predictions(tmp_path / "none.csv")
    with pytest.raises(PredictionsError, match=r"cannot be read \(Is a directory"):
        read_predictions(tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(PredictionsError, match=r"binary\.csv: not UTF-8 text"):
        read_predictions(tmp_path / "binary.csv")


def test_a_spreadsheets_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + (HEADER + GOOD).replace("\n", "\r\n").encode())
    assert read_predictions(tmp_path / "bom.csv").predicted.tolist() == ["zen"]


def test_the_same_clip_name_in_two_corpora_is_no_duplicate(tmp_path: Path) -> None:
    (tmp_path / "pred.csv").write_text(HEADER + GOOD + GOOD.replace("own,", "other,"))
    assert read_predictions(tmp_path / "pred.csv").corpora == ("own", "other")


def test_columns_of_different_length_are_refused() -> None:
    one, two = np.array(["a"]), np.array(["a", "a"])
    with pytest.raises(PredictionsError, match=r"columns have \[1, 2\] rows"):
        Predictions(one, two, one, one, one, one, np.array([[1.0, 0.0]]), ("a", "b"))


def test_a_corpus_keeps_only_its_own_classes(hand_made: Predictions) -> None:
    other = Predictions.from_rows([Row("b", "v1", "x", "1", "zen", "meh", (0.4, 0.0, 0.6))], hand_made.classes)
    both = join([hand_made, other])
    assert len(both) == 9
    assert both.of_corpus("b").classes == ("zen", "meh")
    assert both.of_corpus("b").scores.tolist() == [[0.4, 0.6]]
    assert both.of_corpus("own").classes == hand_made.classes


def test_joining_other_classes_is_refused(hand_made: Predictions, generated: Callable[..., Predictions]) -> None:
    with pytest.raises(PredictionsError, match=r"cannot join predictions over a,b \| zen,hangry,meh"):
        join([hand_made, generated(5, classes=("a", "b"))])


def test_folds_sort_as_people_count() -> None:
    assert sorted(["fold 10", "fold 2", "all"], key=natural_key) == ["all", "fold 2", "fold 10"]
