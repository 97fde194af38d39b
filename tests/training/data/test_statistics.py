"""Statistics over time, by the training set's and by each speaker's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emovox.augment.conditions import NARROW
from emovox.models.network import Encoder
from emovox.training.data.statistics import BATCH, Statistics, by_speaker, measure, pooled
from emovox.training.data.views import TILE, WHOLE
from tests.models.small import MOBILE, small_network
from tests.training.rows import drawn_inputs, drawn_task

TASK = drawn_task()
INPUTS = drawn_inputs(TASK)
ALL = np.arange(len(INPUTS.owner))

# A row alone and in a padded batch: float32 sums over other numbers of frames.
SAME = 1e-5
# of a mean and a deviation over a dozen rows in float32
EXACT = 1e-4


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_network(MOBILE).encoder


def test_rows_are_pooled_as_each_would_be_alone(encoder: Encoder) -> None:
    rows = ALL[::-1]
    assert len(rows) > 2 * BATCH
    found = pooled(encoder, INPUTS, rows)
    for place in (0, 40, len(rows) - 1):
        with torch.no_grad():
            alone = encoder.pool(torch.from_numpy(INPUTS.values(int(rows[place])))[None])
        np.testing.assert_allclose(found[place], alone[0], atol=SAME, rtol=SAME)
    assert pooled(encoder, INPUTS, ALL[:0]).shape == (0, encoder.n_statistics)


def values() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).normal(3, 2, size=(len(ALL), 5)).astype(np.float32)


def test_a_scale_standardises() -> None:
    made = measure(values())
    standard = made(values())
    np.testing.assert_allclose(standard.mean(0), 0, atol=EXACT)
    np.testing.assert_allclose(standard.std(0), 1, atol=EXACT)
    assert np.isfinite(measure(np.ones((3, 2), np.float32))(np.ones((1, 2), np.float32))).all()


def test_a_speaker_s_tiles_narrow_tiles_and_copies_are_standardised_apart() -> None:
    found = by_speaker(TASK, INPUTS, ALL, values())
    speakers = np.array([TASK.clips[owner].speaker for owner in INPUTS.owner])
    for view in (TILE, NARROW, "copy 1"):
        for speaker in set(speakers):
            own = found[(speakers == speaker) & (INPUTS.view == view)]
            np.testing.assert_allclose(own.mean(0), 0, atol=EXACT)
            np.testing.assert_allclose(own.std(0), 1, atol=EXACT)


def test_a_whole_clip_is_standardised_by_the_speaker_s_tiles() -> None:
    raw = values()
    found = by_speaker(TASK, INPUTS, ALL, raw)
    speakers = np.array([TASK.clips[owner].speaker for owner in INPUTS.owner])
    tiles = (speakers == "ada") & (INPUTS.view == TILE)
    wholes = (speakers == "ada") & (INPUTS.view == WHOLE)
    np.testing.assert_allclose(found[wholes], measure(raw[tiles])(raw[wholes]), atol=EXACT)


def test_without_tiles_whole_clips_stand_for_themselves() -> None:
    wholes = INPUTS.select(np.arange(6), (WHOLE,))
    found = by_speaker(TASK, INPUTS, wholes, values()[: len(wholes)])
    np.testing.assert_allclose(found.mean(0), 0, atol=EXACT)


def test_examples_hold_every_row_in_both_views(encoder: Encoder) -> None:
    rows = INPUTS.select(np.arange(24))
    made = Statistics(TASK, INPUTS, encoder, ALL)
    scale = measure(made.values(rows))
    examples = made.examples(rows, scale)
    inputs, _ = examples.load(np.arange(2 * len(rows)))
    assert inputs.shape == (len(examples), 1, encoder.n_statistics)
    assert examples.owner.tolist() == [*INPUTS.owner[rows], *INPUTS.owner[rows]]
    assert examples.labels.tolist() == TASK.labels[examples.owner].tolist()
    assert examples.names([0]) == ("own 0",)
    both = inputs[:, 0].numpy()
    half = 8 * float(np.finfo(np.float16).eps)
    np.testing.assert_allclose(both[: len(rows)], scale(made.values(rows)), rtol=half, atol=half)
    own = by_speaker(TASK, INPUTS, rows, made.values(rows))
    np.testing.assert_allclose(both[len(rows) :], own, rtol=half, atol=half)
