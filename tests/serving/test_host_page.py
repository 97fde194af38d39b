"""The page for a static host with a model to choose, in Chromium under the policy of the service, against Python."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import emovox
from emovox.export.web import write_web
from emovox.runtime.registry import resolve
from emovox.runtime.second_pass import Adapt
from emovox.serving.app import LOCAL_POLICY

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
CLIP = ROOT / "examples" / "demo.flac"
CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or not (WEB / "node_modules" / "onnxruntime-web").is_dir(),
        reason="needs Debian's package chromium and the page's tools: make web",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models, host = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("host")
    write_web(resolve("hybrid"), models)
    subprocess.run(["node", "build.mjs", "--host", str(host), str(models)], cwd=WEB, check=True, timeout=60)
    return host


def test_a_model_that_is_chosen_gives_the_scores_of_python_and_works_offline(folder: Path) -> None:
    with _served(folder) as (url, requested):
        found = _seen(url, "ok")
    chosen = requested.index("/chosen")
    later = {"/hybrid.onnx", "/hybrid-head.onnx", "/hybrid.web.json", "/ort-wasm-simd-threaded.wasm"}
    assert later.isdisjoint(requested[:chosen])
    assert later < set(requested[chosen:])
    assert found["option"] == "hybrid · 6.2 MB"
    assert found["problems"] == []
    expectations: dict[str, Adapt] = {"plain": "off", "adapted": "recording"}
    for key, adapt in expectations.items():
        expected = emovox.load("hybrid").predict(CLIP, adapt=adapt)
        assert found[key]["model"]["name"] == "hybrid"
        (row,) = found[key]["results"]
        assert row["scores"] == pytest.approx(expected.scores, abs=1e-3)
        assert [one["label"] for one in row["segments"]] == [one.label for one in expected.segments]
        assert row["unfamiliarity"] == pytest.approx(expected.unfamiliarity, abs=0.011)
        for segment, other in zip(row["segments"], expected.segments, strict=True):
            assert segment["scores"] == pytest.approx(dict(other.scores), abs=1e-3)
    assert found["offline"]["results"] == found["plain"]["results"]


@pytest.mark.parametrize(
    ("missing", "notice"),
    [
        ("/hybrid.onnx", "The chosen model cannot be fetched"),
        ("/ort.wasm.bundle.min.mjs", "The program that runs the chosen model cannot be loaded"),
        ("/ort-wasm-simd-threaded.wasm", "The program that runs the chosen model cannot be loaded"),
    ],
)
def test_a_file_that_is_missing_is_named(folder: Path, missing: str, notice: str) -> None:
    with _served(folder, missing) as (url, _):
        assert notice in _seen(url, "fails")["notice"]


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *given: Any, requested: list[str], missing: str | None, directory: str) -> None:
        self._requested, self._missing = requested, missing
        super().__init__(*given, directory=directory)

    def do_GET(self) -> None:
        self._requested.append(self.path)
        if self.path == self._missing:
            self.send_error(404)
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", LOCAL_POLICY)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _served(folder: Path, missing: str | None = None) -> Iterator[tuple[str, list[str]]]:
    requested: list[str] = []
    handler = functools.partial(_Handler, requested=requested, missing=missing, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", requested
        server.shutdown()


def _seen(url: str, expected: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="page-") as short:  # pytest's folders are too deep for Chromium's sockets
        run = subprocess.run(
            ["node", "tests/host.mjs", url, "hybrid", str(CLIP), expected],
            cwd=WEB,
            env=os.environ | {"CHROMIUM": str(CHROMIUM), "TMPDIR": short},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    return dict(json.loads(run.stdout))
