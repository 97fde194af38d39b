"""Heads that replace the head of a model: they give the scores of the model that they were cut from."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from emovox.adaptation.profile import Profile
from emovox.runtime.model import Model
from emovox.runtime.predictor import load
from emovox.runtime.registry import graph_size, heads, read_card, resolve
from emovox.schema.card import CardSpeech
from emovox.schema.errors import CardError, UnknownModelError
from emovox.testing import RATE, change_card, speech, write_toy
from publish.head import write_head

LABELS = ("low", "middle", "high")
SPEECH = CardSpeech(0.5, 1.0, 1.0)
SAMPLES = np.stack([speech(hz, seconds=1.0) for hz in (150.0, 900.0)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the model "big", the whole model "own" with the same encoder, and the head cut from it."""
    big = write_toy(tmp_path, name="big", speech=SPEECH)
    own = write_toy(tmp_path, name="own", labels=LABELS, threshold=0.4, speech=CardSpeech(0.7, 1.0, 1.0))
    write_head(own, big, tmp_path / "heads", licence="free")
    return tmp_path


def test_a_head_gives_the_scores_of_the_model_it_was_cut_from(folder: Path) -> None:
    whole, model = Model.load(folder / "own.json"), Model.load(folder / "heads" / "own.json")
    profile = Profile(np.array([-2.0, -4.0], np.float32), np.array([2.0, 2.0], np.float32))
    for profiles in ((), (profile,)):
        expected, found = (each.run(SAMPLES, profiles) for each in (whole, model))
        for one, other in zip(expected, found, strict=True):
            assert one is not None and other is not None  # noqa: PT018
            np.testing.assert_allclose(other, one, atol=1e-6)
        np.testing.assert_allclose(model.scores(found.statistics, profiles), found.scores, atol=1e-6)
    assert (model.card.labels, model.card.threshold, model.card.licence) == (LABELS, 0.4, "free")
    assert model.card.speech == SPEECH  # that of the encoder's model
    assert model.size == graph_size(folder / "big.onnx") + graph_size(folder / "heads" / "own.onnx")


def test_a_head_is_found_by_its_name(folder: Path) -> None:
    path = folder / "heads" / "own.json"
    (folder / "own.json").unlink()
    assert heads(folder) == {"own": path}
    for name in ("big", None):
        assert resolve(name, head="own", folder=folder) == path
    assert resolve("own", folder=folder) == path
    assert resolve(str(folder / "big.onnx"), head=str(path.with_suffix(".onnx")), folder=folder) == path
    assert load(str(folder / "big.onnx"), head=str(path)).predict((speech(900.0, seconds=2.0), RATE)).label in LABELS


def test_a_head_of_another_model_is_refused(folder: Path) -> None:
    write_toy(folder, name="small", sharpness=2.0)
    with pytest.raises(CardError, match="head 'own' belongs to the model 'big', got 'small'; use --model big"):
        resolve("small", head="own", folder=folder)
    with pytest.raises(CardError, match="got a whole model as the head; give it by --model alone"):
        resolve("big", head=str(folder / "small.onnx"), folder=folder)
    with pytest.raises(UnknownModelError, match="no head 'free': shipped are own; give one of these"):
        resolve("big", head="free", folder=folder)


def test_files_that_do_not_belong_together_are_refused(folder: Path) -> None:
    head = folder / "heads" / "own.json"
    write_toy(folder, name="big", sharpness=2.0)
    with pytest.raises(CardError, match="the head expects a whole model 'big' with sha256"):
        Model.load(head)
    (folder / "big.json").unlink()
    with pytest.raises(CardError, match="head 'own' needs the model 'big', expected"):
        Model.load(head)
    write_toy(folder, name="big", speech=SPEECH)
    Model.load(head)
    change_card(head, labels=["low", "high"], golden={"formula": "x", "seconds": 1.0, "scores": [0, 1], "tolerance": 1})
    with pytest.raises(CardError, match="output 'scores' is 3 wide, the card has 2 labels"):
        Model.load(head)
    head.with_suffix(".onnx").write_bytes(b"")
    with pytest.raises(CardError, match="the two files do not belong together"):
        Model.load(head)


def test_a_head_on_a_head_or_in_another_folder_is_refused(folder: Path) -> None:
    head = folder / "heads" / "own.json"
    sha256 = read_card(head).sha256
    change_card(head, encoder={"name": "own", "sha256": sha256})  # itself
    with pytest.raises(CardError, match=r"expects a whole model 'own' with sha256 .*, got a head"):
        Model.load(head)
    change_card(head, encoder={"name": "../../big", "sha256": sha256})
    with pytest.raises(CardError, match="expected the name of a model"):
        Model.load(head)


def test_a_head_elsewhere_finds_the_shipped_model(folder: Path, tmp_path: Path) -> None:
    shipped_head = heads()["permissive"]
    for part in (shipped_head, shipped_head.with_suffix(".onnx")):
        shutil.copy(part, tmp_path / part.name)
    path = tmp_path / shipped_head.name
    assert Model.load(resolve("accurate", head=str(path))).card == Model.load(shipped_head).card
    for wrong in ("", ".", "/", 3):
        with pytest.raises(UnknownModelError, match="no head"):
            resolve("accurate", head=wrong)  # type: ignore[arg-type]  # what a user may give


def test_a_file_that_is_no_head_is_refused(folder: Path) -> None:
    head = folder / "heads" / "own.json"
    for data in (b"", onnx.ModelProto(graph=onnx.GraphProto(name="g")).SerializeToString()):
        head.with_suffix(".onnx").write_bytes(data)
        change_card(head, sha256=hashlib.sha256(data).hexdigest())
        with pytest.raises(CardError, match="the graph has no head"):
            Model.load(head)
