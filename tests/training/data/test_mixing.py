"""Pieces, stripes and mixtures: where they fall, how often, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from emovox.training.data.examples import Batch
from emovox.training.data.mixing import augmented, crop, mixup, spec_augment
from emovox.training.plan import Mixup, Plan, SpecAugment
from tests.training.tiny import batch_of


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def long_batch(lengths: tuple[int, ...], channels: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return mask[:, :, None].expand(-1, -1, channels).float(), mask


def numbered(lengths: tuple[int, ...]) -> Batch:
    """Every frame holds its own number, and what is not own -1."""
    batch = batch_of([0] * len(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    inputs = torch.where(mask, torch.arange(max(lengths)), -1)[:, :, None].expand(-1, -1, 3).float()
    return replace(batch, inputs=inputs, mask=mask)


def test_pieces_lie_anywhere_within_a_clip_and_short_clips_stay_whole() -> None:
    lengths = (100, 30, 8) * 200
    found = crop(numbered(lengths), 20, source())
    assert found.inputs.shape == (600, 20, 3)
    assert found.mask.sum(1).tolist() == [20, 20, 8] * 200
    assert (found.inputs[~found.mask] == 0).all()
    starts = found.inputs[:, 0, 0]
    for row in range(600):
        own = found.inputs[row][found.mask[row]]
        assert own[:, 1].tolist() == list(range(int(starts[row]), int(starts[row]) + len(own)))
    assert {int(value) for value in starts[1::3]} == set(range(11))
    assert starts[2::3].max() == 0
    assert starts[::3].max() > 75


def test_a_batch_of_short_clips_stays_as_it_is() -> None:
    batch = numbered((9, 7, 9))
    batch = replace(batch, inputs=batch.inputs * batch.mask[:, :, None])
    found = crop(batch, 20, source())
    torch.testing.assert_close(found.inputs, batch.inputs, rtol=0, atol=0)
    assert found.mask.equal(batch.mask)


def test_stripes_of_time_lie_within_a_clip_and_have_the_width_of_its_share() -> None:
    inputs, mask = long_batch((100, 40) * 200)
    plan = SpecAugment(probability=1.0, time=0.2, n_time=1, channels=0.0)
    found = spec_augment(inputs, mask, plan, source())
    hidden = (found == 0).all(2) & mask
    for row, length in enumerate((100, 40) * 200):
        places = hidden[row].nonzero().flatten()
        assert len(places) <= 0.2 * length
        assert len(places) == 0 or len(places) == int(places[-1] - places[0]) + 1  # in one piece
    widths = hidden.sum(1)
    assert {int(widths[::2].max()), int(widths[1::2].max())} == {20, 8}  # both extremes come in 200 draws
    assert int(widths.min()) == 0
    assert hidden[::2].any(0).sum() > 95  # anywhere


def test_stripes_of_channels_hold_for_a_whole_clip() -> None:
    inputs, mask = long_batch((30,) * 200)
    found = spec_augment(inputs, mask, SpecAugment(probability=1.0, time=0.0, channels=0.25, n_channels=2), source())
    hidden = (found == 0).all(1)
    assert ((found == 0).any(1) == hidden).all()
    assert 5 < int(hidden.sum(1).max()) <= 10
    assert hidden.any(0).all()


def test_the_probability_counts_by_clip() -> None:
    inputs, mask = long_batch((50,) * 400)
    found = spec_augment(inputs, mask, SpecAugment(probability=0.3, time=0.5, n_time=4), source())
    changed = float((found != inputs).any(2).any(1).float().mean())
    assert abs(changed - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)
    assert (inputs == 1).all()  # what came in is untouched


def test_vectors_lose_channels_only() -> None:
    inputs, mask = torch.ones(30, 1, 40), torch.ones(30, 1, dtype=torch.bool)
    found = spec_augment(inputs, mask, SpecAugment(probability=1.0, time=0.5, channels=0.1), source())
    assert 0 < int((found == 0).sum(2).max()) <= 8


def test_mixup_mixes_inputs_targets_and_what_is_allowed_alike() -> None:
    batch = batch_of([0, 4, 6, 30, 33])
    marked = replace(batch, inputs=torch.eye(5)[:, None, :] * batch.mask[:, :, None])  # frames say whose they are
    mixed = mixup(marked, Mixup(probability=1.0, beta=1.0), source(2))
    weights = mixed.inputs[:, 0]  # [mixture, clip]: all clips have a first frame
    assert ((weights > 0).sum(1) == 2).any()
    torch.testing.assert_close(weights.sum(1), torch.ones(5))
    torch.testing.assert_close(mixed.targets, weights @ batch.targets)
    for row in range(5):
        of = weights[row] > 0
        assert (mixed.mask[row] == batch.mask[of].any(0)).all()
        assert (mixed.allowed[row] == batch.allowed[of].any(0)).all()


def test_a_mixture_of_corpora_may_be_any_class_of_either() -> None:
    batch = batch_of([4, 4, 30, 30])  # angry of ravdess, and casia, which has no angry
    for seed in range(10):
        mixed = mixup(batch, Mixup(probability=1.0), source(seed))
        assert (mixed.targets[~mixed.allowed] == 0).all()
    assert mixed.names == batch.names


@pytest.mark.parametrize("beta", [0.2, 2.0])
def test_shares_follow_beta(beta: float) -> None:
    batch = batch_of([0, 2] * 12)  # happy and sad
    shares = [mixup(batch, Mixup(probability=1.0, beta=beta), source(seed)).targets[::2, 1] for seed in range(60)]
    values = torch.cat(shares)
    values = values[values > 0]  # those mixed with the other class
    assert float(values.mean()) == pytest.approx(0.5, abs=0.05)
    assert float(values.var()) == pytest.approx(1 / (4 * (2 * beta + 1)), rel=0.15)


def test_mixup_leaves_other_batches_alone() -> None:
    batch = batch_of([0, 2])
    plan = Mixup(probability=0.25)
    same = [mixup(batch, plan, source(seed)) is batch for seed in range(300)]
    assert abs(np.mean(same) - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 300)


def test_draws_come_from_the_generator_alone() -> None:
    batch = batch_of([0, 2, 4, 30])
    plan = Plan(crop=5, spec_augment=SpecAugment(probability=1.0, time=0.5), mixup=Mixup(probability=1.0))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = augmented(batch, plan, source(1))
    assert (torch.get_rng_state() == before).all()
    torch.manual_seed(1)
    torch.testing.assert_close(augmented(batch, plan, source(1)).inputs, first.inputs, rtol=0, atol=0)
    assert (augmented(batch, plan, source(2)).inputs != first.inputs).any()
    assert augmented(batch, Plan(), source()) is batch
