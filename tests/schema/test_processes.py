"""Worker processes end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emovox.schema.processes import obey_parent, usable_cores

PARENT = """
import sys
from tests.schema.test_processes import begin
if __name__ == "__main__":
    begin(sys.argv[1])
"""


def test_cores_that_may_be_used() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def work(folder: str) -> None:
    """Run a worker that writes its process id, and a file when its parent ends."""

    def orphaned() -> None:
        Path(folder, "orphan").touch()
        os._exit(3)

    obey_parent(orphaned=orphaned)
    Path(folder, "worker").write_text(f"{os.getpid()} {signal.getsignal(signal.SIGINT) == signal.SIG_IGN}")
    time.sleep(60)


def work_plainly(folder: str) -> None:
    obey_parent()
    Path(folder, "worker").write_text(f"{os.getpid()} True")
    time.sleep(60)


def begin(folder: str) -> None:
    """Run a parent that waits for its worker."""
    target = work if folder.endswith("custom") else work_plainly
    process = multiprocessing.get_context("spawn").Process(target=target, args=(folder,))
    process.start()
    process.join()


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"  # a zombie waits for its parent
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for the worker in Linux's process table")
@pytest.mark.parametrize("name", ["custom", "plain"])
def test_a_worker_ends_with_its_parent(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, folder], env=os.environ | {"PYTHONPATH": os.getcwd()})
    deadline = time.monotonic() + 60
    while not (folder / "worker").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    pid, ignores = (folder / "worker").read_text().split()
    assert ignores == "True"
    parent.kill()
    parent.wait()
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(int(pid))
    assert (folder / "orphan").exists() == (name == "custom")
