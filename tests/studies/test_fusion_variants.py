"""Ways to join voice and face."""

from __future__ import annotations

import numpy as np
import pytest

from studies.fusion_variants import WAYS, Scored, joined

NAMES = ("lr", "svm", "mlp0", "trees0", "mlp1")


def part(seed: int, n: int = 400) -> Scored:
    """Return scores of a voice and of a face that are each often right, by chance on other clips."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, n)

    def logs(values: np.ndarray) -> np.ndarray:
        return np.asarray(values - np.log(np.exp(values).sum(1, keepdims=True)))

    voice = logs(2 * np.eye(8)[labels] + rng.standard_normal((n, 8)))
    face = logs(2 * np.eye(8)[labels] + rng.standard_normal((n, 8)))
    return Scored((voice, voice), dict.fromkeys(NAMES, face), labels)


@pytest.mark.parametrize("name", WAYS)
def test_a_face_that_errs_elsewhere_helps(name: str) -> None:
    held, test = part(0), part(1)
    alone = (test.voice.argmax(1) == test.labels).mean()
    both = (WAYS[name](held, test).argmax(1) == test.labels).mean()
    assert both > alone > 0.5


def test_clips_of_parts_are_joined() -> None:
    one, other = part(0, 10), part(1, 20)
    both = joined([one, other])
    assert len(both.labels) == len(both.voices[1]) == len(both.faces["svm"]) == 30
    assert np.array_equal(both.voice[10:], other.voice)
    assert both.face("lr") == pytest.approx(both.face("lr", "svm"))
