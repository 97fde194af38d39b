from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from emovox.runtime import registry
from emovox.runtime.fetch import BASE, fetch, fetchable, is_here
from emovox.schema.errors import ConfigError, FetchError, UnknownModelError
from publish.fetch import LEFT_OUT, PACKAGE, listed

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The files of a release: those of one model, side by side."""
    folder = tmp_path / "release"
    folder.mkdir()
    for path in LEFT_OUT["hybrid"]:
        shutil.copyfile(PACKAGE / path, folder / Path(path).name)
    return folder


def test_the_list_is_that_of_the_files() -> None:
    assert {name: list(files) for name, files in fetchable().items()} == listed()
    assert all(is_here(name) for name in LEFT_OUT)  # a clone has them


def test_the_wheel_leaves_out_what_can_be_fetched() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    excluded = project["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    assert sorted(excluded) == sorted(f"src/emovox/{path}" for paths in LEFT_OUT.values() for path in paths)


def test_a_fetched_model_is_found_by_name(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVOX_MODELS", str(tmp_path / "mine"))
    monkeypatch.setenv(BASE, str(release))
    sizes: list[int] = []
    paths = fetch("hybrid", done=sizes.append)
    assert paths == [tmp_path / "mine" / "hybrid.json", tmp_path / "mine" / "hybrid.onnx"]
    assert sum(sizes) == sum(file.bytes for file in fetchable()["hybrid"])
    installed = registry._folders(None)[0]
    monkeypatch.setattr(registry, "_folders", lambda _: [tmp_path / "light", tmp_path / "mine"])
    assert registry.resolve("hybrid") == paths[0]
    assert fetch("hybrid", done=lambda _: pytest.fail("fetched twice")) == paths
    monkeypatch.setattr(registry, "_folders", lambda _: [installed, tmp_path / "mine"])
    assert registry.resolve("hybrid") == installed / "hybrid.json"  # what is shipped goes first


@pytest.mark.parametrize(
    ("begin", "end", "got"), [(b" ", b"", r"\d+"), (b"{", b"x", r"more than \d+"), (b"", b"", r"\d+")]
)
def test_a_damaged_file_is_refused_and_not_kept(
    release: Path, tmp_path: Path, begin: bytes, end: bytes, got: str
) -> None:
    card = (release / "hybrid.json").read_bytes()
    (release / "hybrid.json").write_bytes(begin + card[1:] + end)
    with pytest.raises(FetchError, match=rf"hybrid\.json: got {got} bytes with sha256 .*another version of emovox"):
        fetch("hybrid", base=str(release), folder=tmp_path / "mine")
    assert not list((tmp_path / "mine").iterdir())


def test_errors_say_what_to_do(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BASE, raising=False)
    with pytest.raises(UnknownModelError, match="no model 'huge' to fetch, expected one of hybrid, svm"):
        fetch("huge")
    with pytest.raises(ConfigError, match=f"got no place to fetch from, expected --from or {BASE}"):
        fetch("hybrid")
    with pytest.raises(FetchError, match=r"svm\.json: no such file"):
        fetch("svm", base=str(release), folder=tmp_path)
    with pytest.raises(FetchError, match=r"cannot be fetched \(.*\); check the address"):
        fetch("svm", base="http://127.0.0.1:9", folder=tmp_path)
