"""The identity of a figure survives its file name, whatever the corpus is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.schema.errors import PredictionsError
from emovox.schema.figure import CONDITIONS, PROTOCOLS, FigureKey

letters = st.text("abcxyz019-_.", min_size=1, max_size=100)
names = letters.filter(lambda name: not name.startswith("_") and not name.endswith("_"))
labels = st.sampled_from(["own", "seven", "ravdess-7", "ravdess-8"])
conditions = st.sampled_from([*CONDITIONS, "noise-20", "speaker-40"])


@given(names, labels, st.sampled_from(list(PROTOCOLS)), conditions)
def test_a_key_is_read_back_from_its_stem(corpus: str, labels: str, protocol: str, condition: str) -> None:
    key = FigureKey("mobile", corpus, labels, protocol, condition)
    assert FigureKey.parse("mobile", key.stem) == key


def test_words_name_protocol_labels_and_condition() -> None:
    assert FigureKey("svm", "casia", "own", "si").words == "speaker-independent"
    assert FigureKey("svm", "casia", "seven", "joint", "whole").words == (
        "speaker-independent, joint folds, seven-class view, whole clips"
    )
    assert FigureKey("svm", "casia", "own", "si", "rain-20").words == "speaker-independent, rain-20"


@pytest.mark.parametrize("stem", ["casia-si", "casia_own_si", "_own_si_tile", "casia_own_si_"])
def test_another_name_is_refused(stem: str) -> None:
    with pytest.raises(PredictionsError, match="expected <corpus>_<labels>_<protocol>_<condition>"):
        FigureKey.parse("svm", stem)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(PredictionsError, match="protocol is 'mine', expected one of si,"):
        FigureKey.parse("svm", "casia_own_mine_tile")


def test_a_corpus_is_no_path() -> None:
    with pytest.raises(PredictionsError, match=r"corpus is '\.\./x', expected a name of one line, without /"):
        FigureKey("svm", "../x", "own", "si")


@pytest.mark.parametrize(("labels", "condition"), [("a_b", "tile"), ("own", "Noise"), ("own", "a_b")])
def test_parts_that_would_not_be_read_back_are_refused(labels: str, condition: str) -> None:
    with pytest.raises(PredictionsError, match="expected lower-case letters"):
        FigureKey("svm", "casia", labels, "si", condition)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (FigureKey("m", "ravdess", "ravdess-8", "si"), "speaker-independent"),
        (FigureKey("m", "casia", "own", "joint"), "speaker-independent, joint folds"),
        (FigureKey("m", "ravdess", "ravdess-8", "si-fusion"), "speaker-independent, 5 fusion folds"),
        (FigureKey("m", "emodb", "own", "sd"), "speaker-dependent (inflated)"),
        (FigureKey("m", "tess", "own", "unheard"), "corpus not in training"),
        (FigureKey("m", "nemo", "seven", "joint"), "speaker-independent, joint folds, seven-class view"),
        (FigureKey("m", "nemo", "own", "joint", "whole"), "speaker-independent, joint folds, whole clips"),
    ],
)
def test_the_words_of_tables(key: FigureKey, words: str) -> None:
    assert key.words == words
    assert key.headline is (key.labels != "seven" and key.condition == "tile")
