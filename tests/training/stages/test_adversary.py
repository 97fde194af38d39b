"""The adversary: the gradient turns round, its strength rises, and nothing of it is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from emovox.schema.errors import RecipeError, TrainingError
from emovox.training.data.task import Task
from emovox.training.loop import learn
from emovox.training.objectives import adversarial, make_objectives, weighted_loss
from emovox.training.plan import Adversary, Plan
from emovox.training.stages.adversary import OriginClassifier, Reverse, adversary_attached, origin_classifier, origins
from tests.training.tiny import CLASSES, batch_of, clips, network, small_plan, task

ON_CORPUS = Adversary(on="corpus", strength=3.0)


def test_the_gradient_turns_round() -> None:
    values = torch.tensor([1.0, -2.0], requires_grad=True)
    found = Reverse.apply(values)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, values)
    (found * torch.tensor([3.0, 5.0])).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [-3.0, -5.0]


def test_its_loss_rises_and_leaves_out_unknown_origins() -> None:
    batch = replace(batch_of([0, 1, 30, 31]), corpus=torch.tensor([0, 1, -1, 0]))
    outputs = {"logits": torch.zeros(4, 3), "origin": torch.tensor([[2.0, 0.0]] * 4)}
    plain, opposing = (
        [weighted_loss(make_objectives(plan, CLASSES), outputs, replace(batch, progress=p)) for p in (0.0, 0.999)]
        for plan in (Plan(), Plan(adversary=ON_CORPUS))
    )
    torch.testing.assert_close(opposing[0], plain[0])
    right, wrong = np.log(1 + np.exp(-2)), np.log(1 + np.exp(2))
    expected = torch.tensor([3 * right, 3 * wrong, 0.0, 3 * right], dtype=torch.float32)
    torch.testing.assert_close(opposing[1] - plain[1], expected, atol=1e-3, rtol=0)


def test_it_learns_to_guess_and_the_network_learns_to_prevent_that() -> None:
    learner, guess = network(plain=True).train(), OriginClassifier(6, 2)
    batch = replace(batch_of(list(range(48))), progress=0.5)
    objective = adversarial("corpus")

    def loss() -> torch.Tensor:
        outputs = learner(batch.inputs, batch.mask)
        return objective({"origin": guess(outputs["embedding"])}, batch).mean()

    for module, improves in ((guess, True), (learner.encoder, False)):
        before = loss()
        learner.zero_grad()
        guess.zero_grad()
        before.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in module.parameters():
                assert parameter.grad is not None
                parameter.sub_(0.1 * parameter.grad)
        assert (loss() < before) == improves
        assert not torch.equal(loss(), before)


def test_nothing_of_it_is_left_in_the_network() -> None:
    learner, batch = network(), batch_of([0, 1])
    before = set(learner.state_dict())
    with adversary_attached(learner, origin_classifier(learner, ON_CORPUS, task())):
        assert learner.train()(batch.inputs, batch.mask)["origin"].shape == (2, 2)
        assert "origin" not in learner.eval()(batch.inputs, batch.mask)
        assert set(learner.state_dict()) > before
    assert set(learner.state_dict()) == before
    assert "origin" not in learner.train()(batch.inputs, batch.mask)


@pytest.mark.parametrize(("on", "n"), [("language", 2), ("corpus", 2), ("speaker", 6)])
def test_it_has_an_output_for_each_origin(on: str, n: int) -> None:
    guess = origin_classifier(network(), Adversary(on=on), task())  # type: ignore[arg-type]
    assert guess(torch.zeros(3, 6)).shape == (3, n)


def test_one_origin_is_nothing_to_guess() -> None:
    whole = task()
    half = Task(whole.clips[:12], whole.classes, whole.labels[:12], whole.allowed[:12])
    with pytest.raises(RecipeError, match="on is 'language', and the clips have only one language, expected two"):
        origins(half, Adversary(on="language"))


def test_an_adversary_that_diverges_is_named(tmp_path: Path) -> None:
    learner, plan = network(), msgspec.structs.replace(small_plan(), adversary=ON_CORPUS)
    guess = OriginClassifier(6, 2)
    torch.nn.init.constant_(guess.layers[0].weight, 1e38)  # type: ignore[arg-type]
    torch.nn.init.constant_(guess.layers[2].weight, 1e38)  # type: ignore[arg-type]
    with (
        adversary_attached(learner, guess),
        pytest.raises(TrainingError, match=r"learning_rate or adversary\.strength"),
    ):
        learn(learner, clips(), plan, seed=0, folder=tmp_path, key="k")
    assert not hasattr(learner, "guess_of_origin")
