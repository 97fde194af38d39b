from __future__ import annotations

from pathlib import Path

import pytest

from emovox.runtime import registry
from emovox.runtime.registry import graph_size, read_card, resolve, shipped
from emovox.schema.card import Figure
from emovox.schema.errors import CardError, UnknownModelError
from emovox.testing import write_toy


def figures(value: float) -> tuple[Figure, ...]:
    return (
        Figure("tones", "si", "UAR", value, 0.0, 100.0, "a.csv"),
        Figure("tones", "si", "ECE", 99.0, 0, 100, "a.csv"),
    )


def test_shipped_lists_the_cards_by_name(tmp_path: Path) -> None:
    paths = {name: write_toy(tmp_path, name=name) for name in ("b", "a")}
    assert list(shipped(tmp_path)) == ["a", "b"]
    assert shipped(tmp_path) == paths


def test_names_and_paths_resolve_to_the_card(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    assert resolve("toy", folder=tmp_path) == path
    assert resolve(str(path), folder=tmp_path / "none") == path
    assert resolve(str(path.with_suffix(".onnx"))) == path


def test_unknown_name_lists_the_shipped_ones(tmp_path: Path) -> None:
    write_toy(tmp_path, name="svm")
    write_toy(tmp_path, name="mobile")
    with pytest.raises(
        UnknownModelError,
        match=r"no model 'svn': shipped are mobile, svm, emovox models fetch brings more; give one of",
    ):
        resolve("svn", folder=tmp_path)
    with pytest.raises(UnknownModelError, match="shipped are none"):
        resolve(str(tmp_path / "gone.onnx"), folder=tmp_path / "none")


def test_name_that_is_too_long_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="no model 'xxx"):
        resolve("x" * 5000 + ".onnx", folder=tmp_path)


def test_card_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"gone\.json: cannot be read \(No such file.*expected two files"):
        read_card(tmp_path / "gone.json")


def test_other_existing_files_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"x")
    with pytest.raises(UnknownModelError, match=r"no model '.*model\.pt'"):
        resolve(str(path), folder=tmp_path)


def test_default_is_the_most_accurate_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toy(tmp_path, name="a", figures=figures(50.0))
    best = write_toy(tmp_path, name="b", figures=figures(70.0))
    write_toy(tmp_path, name="c", figures=())
    assert resolve(folder=tmp_path) == best
    best.with_suffix(".onnx").write_bytes(b"x" * 5000)
    monkeypatch.setattr(registry, "LARGEST_DEFAULT", 4999)
    assert resolve(folder=tmp_path).stem == "a"


def test_a_card_without_a_graph_is_no_default(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    path.with_suffix(".onnx").unlink()
    assert graph_size(path) == 0
    with pytest.raises(UnknownModelError, match="no shipped model of at most 24 MB"):
        resolve(folder=tmp_path)


def test_read_card_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text("{}")
    with pytest.raises(CardError, match=r"bad\.json: not a model card"):
        read_card(path)


def test_every_shipped_card_is_valid_and_named_after_its_file() -> None:
    for name, path in shipped().items():
        assert read_card(path).name == name
        assert graph_size(path) > 0


def test_a_run_folder_stands_for_the_model_that_it_exported(tmp_path: Path) -> None:
    for name in ("recipe.json", "versions.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UnknownModelError, match=r"expected one NAME\.onnx .*, got none; .* export = true"):
        resolve(str(tmp_path))
    for suffix in (".json", ".onnx"):
        (tmp_path / f"moods{suffix}").write_text("")
    assert resolve(str(tmp_path)) == tmp_path / "moods.json"
