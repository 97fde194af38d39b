from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from emovox.schema.config import convert, override, read_toml
from emovox.schema.errors import RecipeError


class Svm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    c: float
    kernel: str = "rbf"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    svm: Svm


def test_toml_becomes_a_frozen_structure(tmp_path: Path) -> None:
    path = tmp_path / "svm.toml"
    path.write_text('name = "a"\n[svm]\nc = 10.0\n', encoding="utf-8")
    recipe = convert(read_toml(path), Recipe, where=str(path))
    assert recipe == Recipe("a", Svm(10.0))


def test_unknown_key_names_the_file_and_the_key() -> None:
    with pytest.raises(RecipeError, match=r"svm\.toml: .*unknown field `gama` - at `\$\.svm`"):
        convert({"name": "a", "svm": {"c": 1.0, "gama": 2}}, Recipe, where="svm.toml")


def test_missing_key_and_wrong_type_are_named() -> None:
    with pytest.raises(RecipeError, match="missing required field `c`"):
        convert({"name": "a", "svm": {}}, Recipe, where="svm.toml")
    with pytest.raises(RecipeError, match=r"Expected `float`, got `str` - at `\$\.svm\.c`"):
        convert({"name": "a", "svm": {"c": "1"}}, Recipe, where="svm.toml")


def test_broken_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("name = \n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"bad\.toml: not valid TOML .*line 1"):
        read_toml(path)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(RecipeError, match="not valid TOML"):
        read_toml(path)
    for bomb in ("[" * 20_000, "9" * 5000):
        path.write_text(f"x = {bomb}", encoding="utf-8")
        with pytest.raises(RecipeError, match=r"bad\.toml: not valid TOML"):
            read_toml(path)
    with pytest.raises(RecipeError, match=r"no such recipe; expected a \.toml file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_toml(tmp_path)


def test_override_parses_values_and_leaves_the_original_alone() -> None:
    data = {"name": "a", "svm": {"c": 1.0}}
    changed = override(data, ["svm.c=10.0", "name=b c", "svm.tables.on=true", "list=[1, 2]"])
    assert changed == {"name": "b c", "svm": {"c": 10.0, "tables": {"on": True}}, "list": [1, 2]}
    assert data == {"name": "a", "svm": {"c": 1.0}}
    assert override({"huge": 10**30, "open": float("inf")}, []) == {"huge": 10**30, "open": float("inf")}


def test_override_rejects_what_is_no_assignment() -> None:
    with pytest.raises(RecipeError, match=r"'svm\.c': expected key=value"):
        override({}, ["svm.c"])
    with pytest.raises(RecipeError, match="'name' is a value, not a table"):
        override({"name": "a"}, ["name.x=1"])
    with pytest.raises(RecipeError, match="'augment' is a list, not a table; expected all of it, as in augment="):
        override({"augment": [{}, {}]}, ["augment.gain.probability=0"])
    for bomb in ("[" * 20_000, "9" * 5000):
        with pytest.raises(RecipeError, match="…': not a value of a recipe"):
            override({}, [f"x={bomb}"])
