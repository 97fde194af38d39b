"""The studies of transfer and of few labels, on drawn statistics."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from emovox.training.data.task import make_task
from emovox.training.recipe import Data
from emovox.training.stages.head import HeadAlone, logits
from studies.few_labels import LowRank, trials
from studies.kit import Kit, Part, Variant, fit, folds, rows_of, uar
from studies.transfer import VARIANTS, at_home, measured
from tests.corpora.trees import clip

WIDTH = 12
LABELS = ("neutral", "happy", "sad")
LANGUAGES = {"casia": "zh", "emodb": "de", "nemo": "pl"}


@pytest.fixture(scope="module")
def kit() -> Kit:
    """Three corpora of four speakers, two men and two women; statistics say the class, and lie apart by corpus."""
    clips = [
        clip(corpus, number, f"s{number % 4}", LABELS[number // 4 % 3], language)
        for corpus, language in LANGUAGES.items()
        for number in range(48)
    ]
    sexes = ("male", "female")
    clips = [msgspec.structs.replace(one, sex=sexes[number % 2]) for number, one in enumerate(clips)]
    task = make_task(clips, Data(corpora=tuple(LANGUAGES), protocol="si", view="seven"))
    rng = np.random.default_rng(0)
    values = 1.5 * np.eye(3, WIDTH)[task.labels] + np.eye(3, WIDTH)[task.corpus] @ rng.normal(size=(WIDTH, WIDTH))
    return Kit(task, (values + 0.5 * rng.normal(size=values.shape)).astype(np.float32), steps=40)


def test_folds_deal_men_and_women_in_turn(kit: Kit) -> None:
    dealt = folds(kit)
    assert sorted(np.concatenate(dealt)) == list(range(144))
    speakers = [set(kit.speakers[test]) for test in dealt]
    assert not speakers[0] & speakers[1]
    assert {kit.task.clips[clip].sex for clip in dealt[0]} == {"male", "female"}


@pytest.mark.parametrize(
    "name",
    [
        "base",
        "adversary on language 0.3",
        "correlation alignment 1",
        "contrastive pairs 0.1",
        "worst group 0.05",
        "four members, one block or all",
    ],
)
def test_every_variant_learns(kit: Kit, name: str) -> None:
    train = np.concatenate([kit.where("casia"), kit.where("emodb")])
    head = fit(kit, train, VARIANTS[name], 0)
    assert uar(kit, train, logits(head, kit.statistics[train])) > 60


def test_members_see_their_part_alone(kit: Kit) -> None:
    network = HeadAlone(fit(kit, kit.where("casia"), Variant(), 0))
    seen = torch.tensor([1.0] * 6 + [0.0] * 6)
    part, values = Part(network.head, seen).eval(), torch.randn(5, 1, WIDTH)
    changed = values + 9 * (1 - seen)
    torch.testing.assert_close(part(values)["logits"], part(changed)["logits"])


def test_a_row_has_every_figure(kit: Kit) -> None:
    row = measured(kit, Variant(), tuple(LANGUAGES), 0)
    assert len(row) == 3 + 3 + 3 + 3
    assert all(0 <= value <= 100 for value in row)
    assert len(at_home(kit, Variant(speaker_view=False), 0)) == 6
    assert len(rows_of(kit, kit.where("casia"), Variant(speaker_view=False))) == 48


def test_few_labels_of_a_new_language(kit: Kit) -> None:
    first, second = trials(kit, "nemo", 0)
    assert not set(kit.speakers[first.given]) & set(kit.speakers[first.test])
    np.testing.assert_array_equal(first.given, second.test)
    few = first.drawn(3)
    assert len(few) == 9
    base = fit(kit, first.others, Variant(), 0)
    network = LowRank(base)
    before = logits(base, kit.statistics[few])
    values = (kit.statistics[few] - base.mean.numpy()) / base.scale.numpy()
    with torch.no_grad():
        found = network.eval()(torch.from_numpy(values)[:, None])["logits"]
    np.testing.assert_allclose(found, before, atol=1e-4)  # it begins as the head that it stands before
    first.tuned(network, few, 1e-2)
    assert not torch.equal(network.outer.weight, torch.zeros_like(network.outer.weight))
    assert max(first.scores(network)) > 60
