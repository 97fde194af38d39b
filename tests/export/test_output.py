"""Outputs of exports: checked before the work, whole or absent, never in place of another model."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emovox.compression.int8 import checked_card
from emovox.export.c import files as c_files
from emovox.export.c.files import write_c
from emovox.export.fixed_onnx import fixed_file
from emovox.export.output import check_output, model_files
from emovox.export.wasm import files as wasm_files
from emovox.export.wasm.files import write_wasm
from emovox.export.web import write_web
from emovox.runtime.registry import read_card, resolve
from emovox.schema.errors import CompressionError, ConfigError, EmovoxError, ExportError

MOBILE = resolve("mobile")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The graph of a model of the user, with its card beside it."""
    for suffix in (".onnx", ".json"):
        shutil.copyfile(MOBILE.with_suffix(suffix), tmp_path / f"mobile{suffix}")
    return tmp_path / "mobile.onnx"


@pytest.mark.parametrize(
    "export", [lambda kept: fixed_file(MOBILE, kept), lambda kept: write_web(MOBILE, kept.parent), check_output]
)
def test_another_model_is_not_replaced(kept: Path, export: Callable[[Path], object]) -> None:
    """Its card would belong to no graph, and the model would be lost."""
    before = kept.read_bytes()
    with pytest.raises(ExportError, match=r"mobile\.onnx: is a model with its card mobile\.json beside it, expected"):
        export(kept)
    assert kept.read_bytes() == before
    assert sorted(path.name for path in kept.parent.iterdir()) == ["mobile.json", "mobile.onnx"]
    kept.with_suffix(".json").unlink()
    check_output(kept)  # a graph without a card is an earlier export


def test_a_model_is_not_replaced_by_its_int8_form(kept: Path) -> None:
    for output in (kept, kept.parent / "x" / ".." / "mobile.onnx"):
        with pytest.raises(CompressionError, match="is the model itself, expected another file; it would be lost"):
            checked_card(kept, output)


@pytest.mark.parametrize(
    ("export", "name"),
    [
        (lambda path: write_c(MOBILE, path), "a.c"),
        (lambda path: write_c(MOBILE, path.with_suffix(".c")), "a.h"),
        (lambda path: fixed_file(MOBILE, path), "a.onnx"),
        (lambda path: write_wasm(MOBILE, path), "a.wasm"),
        (lambda path: write_web(MOBILE, path.parent), "mobile-head.onnx"),
        (lambda path: checked_card(MOBILE, path), "a.onnx"),
        (lambda path: checked_card(MOBILE, path.with_suffix(".onnx")), "a.json"),
    ],
)
def test_an_output_that_cannot_be_written_is_an_error_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, export: Callable[[Path], object], name: str
) -> None:
    """Here a folder is in its place; C takes half a minute before it is written."""

    def working(*_: object, **__: object) -> None:
        raise AssertionError("works before it knows that it can write")

    monkeypatch.setattr(c_files, "c_source", working)
    monkeypatch.setattr(wasm_files, "wasm_source", working)
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=rf"{name}: cannot be written \(Is a directory\)"):
        export(tmp_path / name)
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(EmovoxError, match=r"cannot be written \((Not a directory|File exists)\)"):
        export(tmp_path / "file" / name)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_compiler_is_looked_for_before_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wasm_files, "wasm_source", lambda *_: pytest.fail("works before it knows the compiler"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match="got no 'emcc' on the path"):
        write_wasm(MOBILE, tmp_path / "a.wasm")
    assert not list(tmp_path.iterdir())


def test_a_draft_that_fails_leaves_the_older_model(kept: Path) -> None:
    card, before = read_card(kept.with_suffix(".json")), kept.read_bytes()

    def fails() -> None:
        with model_files(kept, b"new", card) as draft:
            assert draft.read_bytes() == b"new"
            raise ExportError("other scores")

    with pytest.raises(ExportError, match="other scores"):
        fails()
    assert kept.read_bytes() == before
    with model_files(kept, b"new", card):
        pass
    assert kept.read_bytes() == b"new"
    kept.unlink()
    kept.mkdir()
    about = kept.with_suffix(".json").read_bytes()
    with pytest.raises(ConfigError, match="Is a directory"):
        model_files(kept, b"new", card).__enter__()
    assert kept.with_suffix(".json").read_bytes() == about
    assert sorted(path.name for path in kept.parent.iterdir()) == ["mobile.json", "mobile.onnx"]


def test_a_full_disk_is_an_error_about_the_output(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, before = read_card(kept.with_suffix(".json")), kept.read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigError, match=r"/mobile\.onnx: cannot be written \(No space left on device\); expected"):
        model_files(kept, b"new", card).__enter__()
    assert kept.read_bytes() == before
    assert sorted(path.name for path in kept.parent.iterdir()) == ["mobile.json", "mobile.onnx"]
