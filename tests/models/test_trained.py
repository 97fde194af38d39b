"""A trained network as a file: the same scores bit by bit, without the original weights; clear errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovox.models.encoders import EncoderConfig
from emovox.models.functionals import FunctionalsConfig
from emovox.models.ge2e import Ge2eConfig
from emovox.models.head import HeadConfig
from emovox.models.mobile import MobileConfig
from emovox.models.network import Network
from emovox.models.trained import ABOUT, WEIGHTS, NetworkCard, TrainedModel
from emovox.schema.card import CardCorpus
from emovox.schema.errors import ConfigError, WeightsError
from emovox.schema.labels import merge_matrix
from tests.models.baseline import small_model
from tests.models.small import (
    CEPSTRA,
    CLASSES,
    MOBILE,
    assert_same_adaptation,
    small_adaptation,
    small_encoders,
    small_network,
    whisper,
    write_whisper,
)
from tests.sounds import gliding

KINDS = ("mobile", "hybrid", "reference-hybrid", "whisper", "whisper-learning")


def card_of(encoder: EncoderConfig, **changes: Any) -> NetworkCard:
    return NetworkCard(
        **{
            "name": "small",
            "recipe": {"name": "small", "kind": "network", "members": 3},
            "recipe_sha256": "0" * 64,
            "encoder": encoder,
            "classes": CLASSES,
            "labels": CLASSES,
            "merge": tuple(map(tuple, merge_matrix(CLASSES, CLASSES))),
            "temperature": 1.7,
            "adaptable": True,
            "corpora": (CardCorpus("own", "CC0-1.0", 4, 12),),
            **changes,
        }
    )


def scores(model: TrainedModel, *speaker: torch.Tensor) -> torch.Tensor:
    samples = torch.stack([torch.from_numpy(gliding(16000, seed=seed)) for seed in range(2)])
    with torch.no_grad():
        found: torch.Tensor = model.recogniser()(samples, *speaker).scores
    return found


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_loaded_scores_equal_the_saved_ones_without_the_original_weights(kind: str, tmp_path: Path) -> None:
    source = write_whisper(tmp_path / "weights")
    config = small_encoders(source)[kind]
    model = TrainedModel(small_network(config, head=HeadConfig(hidden=8), seed=3), card_of(config, fold=2))
    model.save(tmp_path / "run" / "fold-2")
    shutil.rmtree(source)
    random = torch.get_rng_state()
    loaded = TrainedModel.load(tmp_path / "run" / "fold-2")
    assert torch.equal(torch.get_rng_state(), random), "loading draws nothing from the caller's generator"
    assert torch.equal(scores(loaded), scores(model))
    speaker = (loaded.network.head.mean + 0.2, 0.5 * loaded.network.head.scale)
    assert torch.equal(scores(loaded, *speaker), scores(model, *speaker))
    assert loaded.network.encoder.inputs_key == model.network.encoder.inputs_key
    learning = [name for name, value in loaded.network.named_parameters() if value.requires_grad]
    assert learning == [name for name, value in model.network.named_parameters() if value.requires_grad]
    assert (loaded.card.fold, loaded.card.recipe, loaded.card.head.hidden) == (2, model.card.recipe, 8)


@settings(max_examples=8, deadline=None)
@given(
    width=st.integers(1, 9),
    blocks=st.integers(1, 3),
    hidden=st.integers(1, 9),
    plain=st.booleans(),
    temperature=st.floats(0.2, 5),
    seed=st.integers(0, 99),
)
def test_any_sizes_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    width: int,
    blocks: int,
    hidden: int,
    plain: bool,
    temperature: float,
    seed: int,
) -> None:
    config = MobileConfig(frames=CEPSTRA, width=width, blocks=blocks, expansion=1, kernel=3, squeeze=1, features=3)
    network = small_network(config, head=HeadConfig(hidden=hidden, plain=plain), seed=seed)
    model = TrainedModel(network, card_of(config, temperature=temperature))
    loaded = TrainedModel.load(model.save(tmp_path_factory.mktemp("trained")))
    assert torch.equal(scores(loaded), scores(model))
    assert loaded.card.temperature == temperature


def test_an_svm_comes_back_as_it_was(tmp_path: Path) -> None:
    network = small_model(CLASSES).network()
    model = TrainedModel(network, card_of(FunctionalsConfig(), adaptable=False))
    loaded = TrainedModel.load(model.save(tmp_path))
    assert torch.equal(scores(loaded), scores(model))
    assert loaded.card.svm == network.head.sizes
    smaller = json.loads((tmp_path / ABOUT).read_text())
    smaller["svm"]["support"] -= 1
    (tmp_path / ABOUT).write_text(json.dumps(smaller))
    with pytest.raises(WeightsError, match=r"head\.classify\.reach is \[\d+\], expected \[\d+\]"):
        TrainedModel.load(tmp_path)


def test_a_trimmed_network_is_saved_and_loaded_as_it_is(tmp_path: Path) -> None:
    config = whisper(write_whisper(tmp_path / "weights"))
    config = type(config)(weights=config.weights, blocks=2, frozen=2, views=("hidden",))
    model = TrainedModel(small_network(config), card_of(config))
    before = scores(model)
    model.network.encoder.trim()
    loaded = TrainedModel.load(model.save(tmp_path / "trained"))
    assert torch.equal(scores(loaded), before)


def test_a_ge2e_network_loads_without_its_weights(tmp_path: Path) -> None:
    from emovox.models.encoders import empty_encoder
    from emovox.models.head import Head

    config = Ge2eConfig(weights="not/here", layers=(1,), frozen=1)
    encoder = empty_encoder(config)
    model = TrainedModel(Network(encoder, Head(encoder.n_statistics, 3, HeadConfig(hidden=4))).eval(), card_of(config))
    assert torch.equal(scores(TrainedModel.load(model.save(tmp_path))), scores(model))


def test_an_adaptation_comes_back_as_it_was(tmp_path: Path) -> None:
    network = small_network(MOBILE)
    fit = small_adaptation(network.encoder.n_statistics, len(CLASSES))
    loaded = TrainedModel.load(TrainedModel(network, card_of(MOBILE), fit).save(tmp_path))
    assert_same_adaptation(loaded.adaptation, fit)
    assert torch.equal(scores(loaded), scores(TrainedModel(network, card_of(MOBILE))))


def test_a_damaged_adaptation_is_refused(tmp_path: Path) -> None:
    network = small_network(MOBILE)
    fit = replace(small_adaptation(network.encoder.n_statistics, 3), variance=-1.0)
    folder = TrainedModel(network, card_of(MOBILE), fit).save(tmp_path)
    with pytest.raises(WeightsError, match=r"its adaptation cannot be read \(adaptation\.variance has the minimum -1"):
        TrainedModel.load(folder)


def test_the_recogniser_is_a_copy(tmp_path: Path) -> None:
    model = TrainedModel(small_network(MOBILE), card_of(MOBILE))
    before = scores(model)
    with torch.no_grad():
        for value in model.recogniser().parameters():
            value.zero_()
    assert torch.equal(scores(model), before)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return TrainedModel(small_network(MOBILE), card_of(MOBILE)).save(tmp_path / "trained")


def change_about(folder: Path, **changes: Any) -> None:
    about = json.loads((folder / ABOUT).read_text())
    (folder / ABOUT).write_text(json.dumps(about | changes))


def cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-4])


def other_network(folder: Path) -> None:
    about = (folder / ABOUT).read_bytes()
    wider = MobileConfig(frames=CEPSTRA, width=9, blocks=2, expansion=2, kernel=3, squeeze=2, features=8, attention=4)
    TrainedModel(small_network(wider), card_of(wider)).save(folder)
    hashed = json.loads((folder / ABOUT).read_text())["weights_sha256"]
    (folder / ABOUT).write_bytes(about)
    change_about(folder, weights_sha256=hashed)


def no_safetensors(folder: Path) -> None:
    import hashlib

    (folder / WEIGHTS).write_bytes(b"pickle")
    change_about(folder, weights_sha256=hashlib.sha256(b"pickle").hexdigest())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / ABOUT).unlink(), r"network\.json: cannot be read \(No such file.*expected a folder"),
        (lambda folder: (folder / WEIGHTS).unlink(), r"network\.safetensors: cannot be read"),
        (lambda folder: (folder / ABOUT).write_text("{"), r"network\.json: not a trained network of format 1"),
        (lambda folder: (folder / ABOUT).write_text("[" * 9999), r"not a trained network"),
        (lambda folder: change_about(folder, format=2), r"format is 2, expected 1; install a version of emovox"),
        (lambda folder: change_about(folder, code="evil"), r"unknown field `code`"),
        (lambda folder: change_about(folder, temperature="hot"), r"Expected `float`, got `str`"),
        (cut, r"network\.safetensors: sha256 is .*, network\.json expects .*; copy both files"),
        (other_network, r"network\.safetensors: encoder\..* is \[.*\], expected \[.*\]; copy both files"),
        (no_safetensors, r"network\.safetensors: not a safetensors file"),
    ],
)
def test_what_is_missing_or_damaged_is_named(saved: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(saved)
    with pytest.raises(WeightsError, match=message):
        TrainedModel.load(saved)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        TrainedModel(small_network(MOBILE), card_of(MOBILE)).save(tmp_path / "file")


def test_a_stop_between_the_files_leaves_nothing_that_loads(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[Path] = []
    replace = Path.replace

    def stopping(self: Path, target: Path) -> Path:
        if replaced:
            raise KeyboardInterrupt
        replaced.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopping)
    with pytest.raises(KeyboardInterrupt):
        TrainedModel(small_network(MOBILE, seed=1), card_of(MOBILE)).save(saved)
    monkeypatch.undo()
    with pytest.raises(WeightsError, match="sha256 is"):
        TrainedModel.load(saved)
    assert sorted(path.name for path in saved.iterdir()) == [ABOUT, WEIGHTS]
