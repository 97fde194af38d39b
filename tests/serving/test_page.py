"""The page in a real Chromium, from the real service; `make browser` runs all of its tests against a stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.serving.process import service

WEB = Path(__file__).parents[2] / "web"
CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))

A_FILE = "a recording gives a verdict"
THE_MICROPHONE = "speech is heard, named and summed up"


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")
@pytest.mark.skipif(not (WEB / "node_modules").is_dir(), reason="needs the page's tools: make web")
@pytest.mark.parametrize("title", [A_FILE, THE_MICROPHONE])
def test_the_page_in_a_browser(tmp_path: Path, title: str) -> None:
    (tmp_path / "tmp").mkdir()
    # pytest's folders are too deep for Chromium's sockets
    with tempfile.TemporaryDirectory(prefix="page-") as short, service(tmp_path, "--model", "mobile") as found:
        url = f"http://127.0.0.1:{found.port}"
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
