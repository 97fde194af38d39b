"""`emovox serve` in a separate process, with the toy model unless another is named."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.serving.running import PATIENCE

CODE = "from emovox.cli.main import main; main()"


class Process:
    """A service in a separate process."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        command = [sys.executable, "-c", CODE, "serve", "--port", "0", "--model", str(folder / "toy.json"), *arguments]
        variables = os.environ | {"TMPDIR": str(folder / "tmp")} | (environment or {})
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
        self.lines: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if address := re.search(r"(https?)://127\.0\.0\.1:(\d+)", line):
                self.scheme, self.port = address[1], int(address[2])
                return
        raise AssertionError("".join(self.lines))

    def get(self, path: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("GET", path)
                return connection.getresponse().read()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                connection.close()

    def wait(self) -> int:
        assert self.process.stderr is not None
        self.lines += self.process.stderr.readlines()
        return self.process.wait(PATIENCE)

    def memory(self) -> float:
        """Return the resident bytes."""
        return 1024.0 * int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[0])

    @property
    def url(self) -> str:
        return f"{'wss' if self.scheme == 'https' else 'ws'}://127.0.0.1:{self.port}/v1/stream"


@contextlib.contextmanager
def service(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Process]:
    process = Process(folder, *arguments, environment=environment)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait(PATIENCE)
        assert process.process.stderr is not None
        process.process.stderr.close()
