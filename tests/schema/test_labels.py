from __future__ import annotations

import numpy as np
import pytest

from emovox.schema.labels import EMOTIONS, SEVEN_MAP, TRAINING_CLASSES, merge_matrix


def test_the_seven_in_their_order() -> None:
    assert EMOTIONS == ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
    assert (*EMOTIONS, "calm", "boredom") == TRAINING_CLASSES
    assert set(SEVEN_MAP) == set(TRAINING_CLASSES)


def test_merge_folds_calm_into_neutral_and_drops_boredom() -> None:
    probabilities = np.arange(1.0, 10.0)
    merged = probabilities @ np.array(merge_matrix(TRAINING_CLASSES, EMOTIONS))
    assert merged.tolist() == [1.0 + 8.0, 2, 3, 4, 5, 6, 7]


def test_own_labels_go_through_unchanged() -> None:
    assert merge_matrix(["calm", "shout"], ["calm", "shout"], {}) == [[1.0, 0.0], [0.0, 1.0]]


def test_a_class_without_a_label_is_named() -> None:
    with pytest.raises(ValueError, match="class 'calm' maps to 'neutral', expected one of happy, sad"):
        merge_matrix(["calm"], ["happy", "sad"])
