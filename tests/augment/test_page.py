"""Examples in docs/augmentation.md run, and its table has the default values."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from emovox.augment.config import ORDER, Augment, problems
from emovox.schema.config import convert
from tests.readme import blocks

PAGE = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text(encoding="utf-8")


def test_the_table_holds_every_key_with_its_default() -> None:
    (text,) = (block.text for block in blocks(PAGE) if block.language == "toml")
    shown = tomllib.loads(text)["augment"]
    assert not problems(convert(shown, Augment, where="docs/augmentation.md"))
    assert tuple(shown) == ORDER
    for name, default in msgspec.to_builtins(Augment()).items():
        assert shown[name].pop("probability") > 0 == default.pop("probability")
        assert shown[name] == {key: list(value) if key == "kinds" else value for key, value in default.items()}


def test_the_examples_run() -> None:
    examples = [block.text for block in blocks(PAGE) if block.language == "python"]
    assert len(examples) == 2
    for text in examples:
        exec(compile(text, "docs/augmentation.md", "exec"), {})
