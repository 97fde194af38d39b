from __future__ import annotations

import pytest

from emovox.corpora.registry import CORPORA
from emovox.corpora.views import VIEWS, classes_of, view
from emovox.schema.errors import ProtocolError
from emovox.schema.labels import EMOTIONS
from tests.corpora.trees import clip

VIEW_OF = {"ravdess": "ravdess-8", "casia": "casia", "emodb": "emodb", "nemo": "nemo", "tess": "tess"}


@pytest.mark.parametrize("name", sorted(VIEW_OF))
def test_a_corpus_fills_its_own_view(name: str) -> None:
    labels = list(CORPORA[name].labels.values())
    classes, translated = view([clip(name, n, "a", label) for n, label in enumerate(labels)], VIEW_OF[name])
    assert list(translated) == labels
    assert set(labels) == set(classes)
    assert len(set(classes)) == len(classes)


def test_order_of_the_classes() -> None:
    assert VIEWS["ravdess-8"] == (*EMOTIONS, "calm")
    assert VIEWS["emodb"] == ("neutral", "happy", "sad", "angry", "fear", "disgust", "boredom")
    assert VIEWS["casia"] == VIEWS["nemo"] == ("neutral", "happy", "sad", "angry", "fear", "surprise")
    assert VIEWS["ravdess-7"] == VIEWS["tess"] == VIEWS["seven"] == EMOTIONS


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("ravdess-8", "calm", "calm"),
        ("ravdess-7", "calm", "neutral"),
        ("seven", "calm", "neutral"),
        ("seven", "boredom", None),
        ("emodb", "boredom", "boredom"),
        ("emodb", "surprise", None),
        ("casia", "disgust", None),
        ("casia", None, None),
    ],
)
def test_labels_outside_the_seven(name: str, label: str | None, expected: str | None) -> None:
    assert view([clip("x", 0, "a", label)], name)[1] == (expected,)


def test_labels_of_your_own() -> None:
    clips = [clip("mine", n, "a", label) for n, label in enumerate(["wow", "calm", "awe", "sad", None])]
    assert classes_of(clips) == ("sad", "calm", "awe", "wow")
    assert view(clips, "own") == (("sad", "calm", "awe", "wow"), ("wow", "calm", "awe", "sad", None))
    with pytest.raises(
        ProtocolError, match=r"mine 0: has the label 'wow', expected one of neutral, .* use the view own"
    ):
        view(clips, "seven")


def test_unknown_view() -> None:
    with pytest.raises(ProtocolError, match=r"no label view is called 'eight', expected one of ravdess-8, .*own"):
        view([], "eight")
