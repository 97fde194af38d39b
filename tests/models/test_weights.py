"""Pretrained weights: from folders, and through the real client of the hub, offline and from a server of our own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from emovox.models.weights import fill, find_file, fingerprint, read_config, read_tensors
from emovox.schema.errors import WeightsError

NOWHERE: dict[str, str] = {}
NOT_DOWNLOADED = (
    r"^{0}: {1} cannot be downloaded \(.*\); put the files in \$EMOVOX_WEIGHTS/{0}, give encoder\.weights a folder, "
    r"or set HF_ENDPOINT to a mirror of the hub$"
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Sizes(msgspec.Struct, frozen=True):
    width: int
    depth: int = 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "config.json").write_text('{"width": 3, "torch_dtype": "float16", "extra": [1]}')
    save_file({"a.weight": torch.tensor([[1.0, 0.1]]).half(), "b": torch.ones(2), "c": torch.zeros(1)}, model / FILE)
    return model


FILE = "model.safetensors"


def test_config_reads_what_it_knows(folder: Path) -> None:
    assert read_config(folder, Sizes) == Sizes(width=3)


def test_tensors_are_renamed_and_float32(folder: Path) -> None:
    tensors = read_tensors(str(folder), {"mine": "a.weight", "other": "b"})
    assert list(tensors) == ["mine", "other"]
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert tensors["mine"].tolist() == [[1.0, float(torch.tensor(0.1).half())]]


def test_a_name_is_looked_up_below_the_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_file("tiny", FILE, {"EMOVOX_WEIGHTS": str(folder.parent)}) == folder / FILE
    monkeypatch.setenv("EMOVOX_WEIGHTS", str(folder.parent))
    assert read_config("tiny", Sizes).width == 3


def test_a_name_of_the_hub_can_lie_below_the_variable(folder: Path) -> None:
    assert find_file("models/tiny", FILE, {"EMOVOX_WEIGHTS": str(folder.parent.parent)}) == folder / FILE


@pytest.mark.parametrize("stored", ["owner/tiny", "tiny", "tiny-encoder"])
def test_a_published_name_is_found_below_the_variable_before_the_hub_is_asked(tmp_path: Path, stored: str) -> None:
    (tmp_path / stored).mkdir(parents=True)
    (tmp_path / stored / FILE).write_bytes(b"")
    assert find_file("owner/tiny", FILE, {"EMOVOX_WEIGHTS": str(tmp_path)}) == tmp_path / stored / FILE


def test_a_folder_below_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert find_file("~/tiny", FILE, NOWHERE) == folder / FILE


def test_a_name_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"nothing: no config\.json in nothing; set EMOVOX_WEIGHTS, or give encoder\.weights a"
    ):
        find_file("nothing", "config.json", NOWHERE)
    with pytest.raises(WeightsError, match=f"in nothing, {re.escape(str(tmp_path))}.nothing; set EMOVOX_WEIGHTS"):
        find_file("nothing", "config.json", {"EMOVOX_WEIGHTS": str(tmp_path)})


def test_a_folder_that_lacks_the_file_is_not_looked_for_on_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / FILE).unlink()
    monkeypatch.chdir(folder.parents[1])
    with pytest.raises(WeightsError, match=f"models/tiny: no {FILE} in models.tiny; set EMOVOX_WEIGHTS"):
        find_file("models/tiny", FILE, NOWHERE)


def test_a_tensor_that_is_not_there(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.safetensors: has no tensor x \(2 missing\); name another model"):
        read_tensors(folder, {"a": "a.weight", "y": "y", "x": "x"})


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\xff" * 64])
def test_a_file_that_holds_no_tensors(folder: Path, content: bytes) -> None:
    (folder / FILE).write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.safetensors: not a safetensors file \(.*\); download it again"):
        read_tensors(folder, {"b": "b"})


def test_a_file_that_is_cut_short(folder: Path) -> None:
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-3])
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_tensors(folder, {"b": "b"})


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "truncated"), ("[1]", "Expected `object`"), ('{"width": "3"}', r"\$\.width"), ('{"depth": 1}', "width")],
)
def test_a_malformed_config(folder: Path, text: str, why: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=rf"config\.json: not a configuration of Sizes \(.*{why}.*download it again"):
        read_config(folder, Sizes)


def test_a_module_is_filled(folder: Path) -> None:
    module = nn.Linear(2, 1, bias=False)
    fill(module, "tiny", {"weight": "a.weight"}, {"EMOVOX_WEIGHTS": str(folder.parent)})
    assert module.weight.tolist() == [[1.0, float(torch.tensor(0.1).half())]]
    with pytest.raises(WeightsError, match=r"a\.weight is \[1, 2\], expected \[1, 3\]; name another model"):
        fill(nn.Linear(3, 1, bias=False), folder, {"weight": "a.weight"})


def test_a_fingerprint_is_that_of_the_weights() -> None:
    torch.manual_seed(0)
    first, other = nn.Linear(3, 2), nn.Linear(3, 2)
    before = fingerprint(first)
    assert before != fingerprint(other)
    other.load_state_dict(first.state_dict())
    assert before == fingerprint(other)
    with torch.no_grad():
        other.bias[1] += 1e-7
    assert before != fingerprint(other)


class Hub(BaseHTTPRequestHandler):
    """One model, "owner/tiny"; of "owner/torn" every download breaks off."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        body = self._answer()
        self.wfile.write(body[:5] if "/torn/" in self.path else body)

    def _answer(self) -> bytes:
        model, _, name = self.path.removeprefix("/owner/").partition("/resolve/main/")
        if model not in ("tiny", "torn") or name != "config.json":
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if model == "tiny" else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return b""
        body = b'{"width": 7}'
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{model}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


PROGRAM = """
import json, sys, time
from emovox.models.weights import find_file
from emovox.schema.errors import WeightsError

time.sleep = lambda seconds: None  # the client waits before it tries again
for source, name in json.loads(sys.argv[1]):
    try:
        print(json.dumps(["found", find_file(source, name).read_text()]))
    except WeightsError as error:
        print(json.dumps(["error", str(error)]))
"""


def ask(cache: Path, wanted: list[tuple[str, str]], **environment: str) -> list[tuple[str, str]]:
    """Find files in a fresh process, as the client reads its settings when it is imported."""
    unset = ("EMOVOX_WEIGHTS", "HF_TOKEN", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
    plain = {name: value for name, value in os.environ.items() if name not in unset}
    given = {"HF_HOME": str(cache), "HF_HUB_CACHE": str(cache / "hub"), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    command = [sys.executable, "-c", PROGRAM, json.dumps(wanted)]
    done = subprocess.run(command, env=plain | given, check=True, capture_output=True, text=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_the_hub_is_asked_once_and_its_errors_are_one_line(endpoint: str, tmp_path: Path) -> None:
    wanted = [("owner/tiny", "config.json"), ("owner/tiny", FILE), ("owner/none", "config.json")]
    (first, text), (second, no_file), (third, no_model) = ask(tmp_path, wanted, HF_ENDPOINT=endpoint)
    assert (first, second, third) == ("found", "error", "error")
    assert json.loads(text) == {"width": 7}
    assert re.search(NOT_DOWNLOADED.format("owner/tiny", "model.safetensors"), no_file)
    assert re.search(NOT_DOWNLOADED.format("owner/none", "config.json"), no_model)
    # what was downloaded is found again without the server
    (again,) = ask(tmp_path, wanted[:1], HF_HUB_OFFLINE="1")
    assert again == ("found", text)


def test_a_download_that_breaks_off(endpoint: str, tmp_path: Path) -> None:
    ((kind, text),) = ask(tmp_path, [("owner/torn", "config.json")], HF_ENDPOINT=endpoint)
    assert kind == "error"
    assert re.search(NOT_DOWNLOADED.format("owner/torn", "config.json"), text)
    assert not list((tmp_path / "hub").rglob("snapshots/*/config.json"))


def test_offline_the_cache_is_all_there_is(tmp_path: Path) -> None:
    model = tmp_path / "hub" / "models--owner--kept"
    (model / "snapshots" / COMMIT).mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    (model / "snapshots" / COMMIT / "config.json").write_text('{"width": 9}')
    wanted = [("owner/kept", "config.json"), ("owner/other", "config.json"), ("~nobody/x", "config.json")]
    found, missing, odd = ask(tmp_path, wanted, HF_HUB_OFFLINE="1")
    assert found == ("found", '{"width": 9}')
    assert missing[0] == "error"
    assert re.search(NOT_DOWNLOADED.format("owner/other", "config.json"), missing[1])
    assert re.search(r"^~nobody/x: no config\.json in .*; set EMOVOX_WEIGHTS", odd[1])


def test_nobody_answers(tmp_path: Path) -> None:
    ((kind, text),) = ask(tmp_path, [("owner/tiny", "config.json")], HF_ENDPOINT="http://127.0.0.1:1")
    assert kind == "error"
    assert re.search(NOT_DOWNLOADED.format("owner/tiny", "config.json"), text)
