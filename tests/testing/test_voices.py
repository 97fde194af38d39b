"""Generated voices that act emotions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emovox.corpora.load import load_clips
from emovox.features.frames import frame_features
from emovox.schema.errors import ConfigError
from emovox.schema.labels import EMOTIONS
from emovox.testing import MANNERS, acted, write_voices


def pitch(label: str, speaker: int) -> float:
    features = frame_features(acted(label, speaker))
    return float(np.median(features.f0[features.voiced]))


def test_the_seven_emotions_have_manners() -> None:
    assert set(MANNERS) == set(EMOTIONS)


def test_the_same_arguments_give_the_same_samples_and_other_takes_others() -> None:
    once = acted("sad", 3, take=1)
    assert once.dtype == np.float32
    assert np.abs(once).max() <= 1
    assert np.array_equal(once, acted("sad", 3, take=1))
    assert not np.array_equal(once, acted("sad", 3, take=2))


def test_anger_is_louder_and_higher_than_sadness() -> None:
    for speaker in range(1, 5):
        assert np.std(acted("angry", speaker)) > np.std(acted("sad", speaker))
        assert pitch("angry", speaker) > pitch("sad", speaker)


def test_speakers_with_odd_numbers_are_lower() -> None:
    assert np.mean([pitch("neutral", n) for n in (1, 3, 5)]) < 0.8 * np.mean([pitch("neutral", n) for n in (2, 4, 6)])


def test_a_folder_has_labels_speakers_and_takes(tmp_path: Path) -> None:
    folder = write_voices(str(tmp_path / "voices"), labels=("sad", "happy"), speakers=2, takes=3, seconds=0.5)
    clips = load_clips([str(folder)])
    assert sorted({(clip.label, clip.speaker) for clip in clips}) == [
        ("happy", "s01"), ("happy", "s02"), ("sad", "s01"), ("sad", "s02"),
    ]  # fmt: skip
    assert len(clips) == 12
    assert all(clip.duration == 0.5 for clip in clips)


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(ConfigError, match="got the label 'bored', expected one of neutral, happy"):
        acted("bored", 1)
