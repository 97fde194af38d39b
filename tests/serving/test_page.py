"""The page and the docs' client in a real Chromium, from the real service; `make browser` runs the page's own tests."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from emovox.testing import write_toy
from tests.serving.process import service
from tests.serving.running import wav, word

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))

in_a_browser = pytest.mark.skipif(
    CHROMIUM is None or not (WEB / "node_modules").is_dir(),
    reason="needs Debian's package chromium and the page's tools: make web",
)

A_FILE = "a recording gives a verdict"
THE_MICROPHONE = "speech is detected, labelled and summarised"
THE_MAIN_PATH = "the main path"


@in_a_browser
@pytest.mark.parametrize("title", [A_FILE, THE_MAIN_PATH, THE_MICROPHONE])
def test_the_page_in_a_browser(tmp_path: Path, title: str) -> None:
    (tmp_path / "tmp").mkdir()
    # pytest's folders are too deep for Chromium's sockets
    with tempfile.TemporaryDirectory(prefix="page-") as short, service(tmp_path, "--model", "mobile") as server:
        url = f"http://127.0.0.1:{server.port}"
        environment = os.environ | {"EMOVOX_URL": url, "CHROMIUM": str(CHROMIUM), "TMPDIR": short}
        run = subprocess.run(
            ["npx", "playwright", "test", "--grep", title, "--output", str(tmp_path / "results")],
            cwd=WEB,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


PAGE = """<!doctype html><button id="go">listen</button><button id="halt">stop</button><script type="module">
{definition}
document.getElementById("go").onclick = async () => {{
  const stop = await listen();
  document.getElementById("halt").onclick = stop;
}};
</script>"""


@in_a_browser
def test_the_client_of_the_docs_in_the_console(tmp_path: Path) -> None:
    with _toy(tmp_path) as url:
        output = _run(tmp_path, f"{url}/docs", "console", _client())
    _check(output)


@in_a_browser
def test_the_client_of_the_docs_in_a_page_of_another_origin(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_port}"
        with _toy(tmp_path, "--cors", origin) as url:
            definition = _client().partition("const stop =")[0].replace("location.origin", f'"{url}"')
            (site / "index.html").write_text(PAGE.format(definition=definition))
            with urllib.request.urlopen(f"{url}/worklet.js") as worklet:
                (site / "worklet.js").write_bytes(worklet.read())
            output = _run(tmp_path, origin, "click")
        server.shutdown()
    _check(output)


def _client() -> str:
    """Return the client for browsers of docs/service-clients.md."""
    page = (ROOT / "docs" / "service-clients.md").read_text(encoding="utf-8")
    snippet = re.search("```javascript\n(.*?)```", page, re.DOTALL)
    assert snippet
    return snippet[1]


@contextlib.contextmanager
def _toy(folder: Path, *arguments: str) -> Iterator[str]:
    write_toy(folder)
    (folder / "tmp").mkdir()
    with service(folder, *arguments) as server:
        yield f"http://127.0.0.1:{server.port}"


def _run(folder: Path, page: str, way: str, typed: str = "") -> str:
    sound = folder / "microphone.wav"
    sound.write_bytes(wav(np.concatenate([word(), word()])))
    script = (ROOT / "tests" / "serving" / "snippet.mjs").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="page-") as short:  # pytest's folders are too deep for Chromium's sockets
        run = subprocess.run(
            ["node", "--input-type=module", "-", page, way, str(sound), typed],
            input=script,
            cwd=WEB,
            env=os.environ | {"CHROMIUM": str(CHROMIUM), "TMPDIR": short},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def _check(output: str) -> None:
    for expected in ("log emotion.updated", "log speech.ended", 'sent {"type":"session.end"}', "session.ended"):
        assert expected in output, output
    assert "rror" not in output, output
