"""Checkpoints: they hold all, are replaced as a whole, and refuse what is not theirs."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch
from torch import Tensor

from emovox.schema.errors import CheckpointError, ConfigError
from emovox.training.checkpoint import FORMAT, Best, State, learnt_weights, load, put_state, put_weights, save
from emovox.training.log import StepRecord
from emovox.training.optim import EMA, make_optimiser
from emovox.training.plan import Optimiser
from tests.training.tiny import batch_of, network


class Precision:
    """As Lightning Fabric's with float16."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def state_dict(self) -> dict[str, float]:
        return {"scale": self.scale}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.scale = state_dict["scale"]


def fresh(scale: float = 1.0) -> State:
    learner = network()
    return State(learner, make_optimiser(learner, Optimiser()), EMA(learner, 0.9), Precision(scale))


def learnt() -> State:
    """After three steps."""
    state, batch = fresh(512.0), batch_of([0, 5, 30, 31])
    for step in range(3):
        state.network(batch.inputs, batch.mask)["logits"].square().sum().backward()
        state.optimiser.step()
        assert state.ema is not None
        state.ema.update_parameters(state.network)
        state.history.append(StepRecord(step + 1, 0.1 + step / 3, 1e-3, 0.5 if step == 1 else None, step / 7))
    weights = {name: value.clone() for name, value in learnt_weights(state.network).items()}
    state.best, state.seconds = Best(0.5, 2, weights, 1), {"data": 0.25}
    return state


def tensors(state: State) -> dict[str, Tensor]:
    assert state.ema is not None
    moments = state.optimiser.state_dict()["state"]
    return {
        **learnt_weights(state.network),
        **{f"ema.{name}": value for name, value in state.ema.state_dict().items()},
        **{f"{number}.{name}": value for number, own in moments.items() for name, value in own.items()},
    }


def test_all_comes_back_exactly(tmp_path: Path) -> None:
    state, found = learnt(), fresh()
    save(state, tmp_path / "new" / "a.pt", key="k")
    content = load(tmp_path / "new" / "a.pt", key="k")
    assert content is not None
    put_state(found, content, tmp_path)
    wanted = tensors(state)
    assert tensors(found).keys() == wanted.keys()
    assert len(wanted) > 40
    assert all(torch.equal(value, wanted[name]) for name, value in tensors(found).items())
    assert found.history == state.history
    assert found.seconds == state.seconds
    assert found.step == 3
    assert isinstance(found.precision, Precision)
    assert found.precision.scale == 512.0
    assert found.best is not None
    assert (found.best.uar, found.best.step, found.best.misses) == (0.5, 2, 1)
    assert found.best.weights.keys() == learnt_weights(state.network).keys()


def test_frozen_weights_are_not_kept() -> None:
    first, second = network(), network()
    for learner in (first, second):
        learner.encoder.requires_grad_(False)
    assert {name.split(".")[0] for name in learnt_weights(first)} == {"head"}
    assert "head.standard.running_mean" in learnt_weights(first)
    torch.nn.init.zeros_(first.encoder.get_parameter("lower.weight"))
    torch.nn.init.zeros_(first.head.classify.weight)
    put_weights(second, learnt_weights(first))
    assert (second.head.classify.weight == 0).all()
    assert (second.encoder.get_parameter("lower.weight") != 0).any()


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "a.pt", key="k") is None


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    save(learnt(), tmp_path / "a.pt", key="one")
    with pytest.raises(
        CheckpointError, match=r"checkpoint of another recipe \(got 'one', expected 'two'\); name another"
    ):
        load(tmp_path / "a.pt", key="two")


def test_a_full_disk_leaves_the_last_good_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save(fresh(), path, key="k")
    good = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, limits[1]))  # no file may grow beyond
    try:
        with pytest.raises(ConfigError, match=r"a\.pt: cannot be written \(.*\); expected .* with room for it"):
            save(learnt(), path, key="k")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == good
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_save_left_is_swept(tmp_path: Path) -> None:
    save(fresh(), tmp_path / "a.pt", key="k")
    (tmp_path / ".a.pt.123.part").write_bytes(b"half")
    assert load(tmp_path / "a.pt", key="k") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_damaged_files_are_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save(learnt(), path, key="k")
    whole = path.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"a\.pt: not a checkpoint of this network \(.*\); remove it"):
            load(path, key="k")


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"format": FORMAT, "key": "k", "weights": Evil()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of this network"):
        load(tmp_path / "a.pt", key="k")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [{"key": "k"}, {"format": 0, "key": "k"}, [1]])
def test_files_of_another_kind_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=f"not a checkpoint of format {FORMAT}; remove it to start again"):
        load(tmp_path / "a.pt", key="k")


def test_another_network_is_refused(tmp_path: Path) -> None:
    save(learnt(), tmp_path / "a.pt", key="k")
    content = load(tmp_path / "a.pt", key="k")
    learner = network(plain=True)
    other = State(learner, make_optimiser(learner, Optimiser()), EMA(learner, 0.9), Precision(1.0))
    assert content is not None
    with pytest.raises(CheckpointError, match=r"not a checkpoint of this network \(the weights are those of another"):
        put_state(other, content, tmp_path / "a.pt")
    del content["ema"]
    with pytest.raises(CheckpointError, match=r"not a checkpoint of this network \('ema'\)"):
        put_state(fresh(), content, tmp_path / "a.pt")
