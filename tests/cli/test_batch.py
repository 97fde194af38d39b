"""`emovox batch` as it is typed: what it prints, what it leaves, how it is stopped and resumed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from emovox.cli import batch as batch_module
from emovox.cli.main import create_app, main
from emovox.schema.errors import MissingExtraError
from tests.batch.archives import files_of, rows_of, same_rows, write_archive, write_bad
from tests.test_imports import COMMAND, HEAVY, loaded

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")
MAIN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom emovox.cli.main import main\n"
GUARDED = "if __name__ == '__main__':\n    "


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_archive(tmp_path)
    monkeypatch.chdir(tmp_path)
    return folder


def batch(*arguments: str) -> Result:
    words = ["batch", *arguments, "--workers", "1"]
    return CliRunner().invoke(create_app(words), words)


def toy(*arguments: str) -> Result:
    return batch("calls", "--output", "out.parquet", "--model", "toy.onnx", *arguments)


def command(*arguments: str) -> list[str]:
    return ["calls", "--output", "out.parquet", "--model", "toy.onnx", "--workers", "2", *arguments]


@pytest.mark.usefixtures("calls")
def test_an_archive_and_its_summary() -> None:
    result = toy()
    assert (result.exit_code, result.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines()[1:])
    assert result.stdout.startswith("out.parquet\nfiles")
    assert (lines["files"], lines["errors"], lines["audio"]) == ("8", "none", "0.00 h")
    assert lines["speed"].endswith("× real time")
    segments = [row for row in rows_of(Path("out.parquet")) if row["start"] is not None]
    assert lines["speech"] == f"0.00 h in {len(segments)} segments"
    assert {row["label"] for row in segments} <= set(lines)
    assert len(files_of(Path("out.parquet"))) == 8
    assert sorted(path.name for path in Path().iterdir()) == ["calls", "out.parquet", "toy.json", "toy.onnx"]


def test_errors_are_named_and_the_exit_status_is_1(calls: Path) -> None:
    write_bad(calls)
    result = toy()
    assert result.exit_code == 1
    assert "errors   empty 1, non_finite 1, undecodable 2, unreadable 1" in result.stdout
    assert "error: empty.wav: got an empty file (0 bytes)" in result.stderr
    assert "(later errors are only in the output)" in result.stderr
    assert result.stderr.endswith("5 of 14 could not be analysed: their rows have an error_code\n")
    assert len(files_of(Path("out.parquet"))) == 14


@pytest.mark.usefixtures("calls")
def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "LINE_SECONDS", 0.0)
    lines = toy().stderr.splitlines()
    assert len(lines) == 8
    assert re.fullmatch(r"  8 of 8 files, [\d,]+ × real time, 0 errors, 0:00 left", lines[-1])


@pytest.mark.usefixtures("calls")
def test_settings_reach_the_model() -> None:
    assert toy("--no-vad", "--channels", "0", "--threshold", "1").exit_code == 0
    rows = rows_of(Path("out.parquet"))
    assert {(row["start"], row["end"], row["channel"], row["label"]) for row in rows} == {(0.0, 1.2, 0, None)}


@pytest.mark.usefixtures("calls")
def test_wrong_usage() -> None:
    for arguments, message in (
        (["calls", "--output", "out.csv"], "expected a name that ends in .parquet"),
        (["calls", "--output", "out.parquet", "--address", "a:1"], "it goes with --engine ray"),
        (["calls", "--output", "out.parquet", "--channels", "left"], "expected mix, split, or a channel number"),
        (["calls"], "Missing option"),
        (["calls", "--output", "out.parquet", "--adapt", "folder", "--speaker", "ana"], "it goes without --speaker"),
        (
            ["calls", "--output", "out.parquet", "--adapt", "column", "--table", "t.csv"],
            "column needs --table TABLE.csv",
        ),
        (["calls", "--output", "out.parquet", "--column", "caller"], "it goes with --adapt column"),
    ):
        result = batch(*arguments)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.replace("│", " ").split())


def test_missing_extras_are_told(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda name: None if name in gone else name)
    gone.append("ray")
    with pytest.raises(MissingExtraError, match=r"--engine ray needs the extra 'ray': pip install 'emovox\[ray\]'"):
        raise toy("--engine", "ray").exception or AssertionError
    gone.append("pyarrow")
    with pytest.raises(MissingExtraError, match=r"emovox batch needs the extra 'batch'"):
        raise toy().exception or AssertionError


def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"{before}\n{MAIN}{GUARDED}main(['batch', *{list(arguments)!r}])\n"
    Path("run.py").write_text(code, encoding="utf-8")
    return subprocess.run([sys.executable, "run.py"], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.usefixtures("calls")
def test_what_cannot_begin_is_one_line_and_leaves_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Path("none").mkdir()
    for arguments, message in (
        (["none", "--output", "out.parquet"], "error: none: got a directory without audio"),
        (["nowhere", "--output", "out.parquet"], "error: nowhere: could not be read"),
        (["toy.onnx", "--output", "out.parquet"], "error: toy.onnx: got a file, expected a directory"),
        (["calls", "--output", "nowhere/out.parquet"], "error: nowhere/out.parquet.parts: cannot be made"),
        (["calls", "--output", "toy.onnx/out.parquet"], "out.parquet.parts: cannot be made"),
        (["calls", "--output", "out.parquet", "--model", "nobody"], "error: no model 'nobody'"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["batch", *arguments])
        out, err = capfd.readouterr()
        assert (stop.value.code, out) == (1, "")
        (line,) = err.splitlines()
        assert message in line
    assert not list(Path().rglob("*.parts"))


def test_a_recording_is_never_written_over(calls: Path) -> None:
    Path("out.parquet").symlink_to(calls / "0" / "00.wav")
    before = (calls / "0" / "00.wav").read_bytes()
    result = run(*command())
    assert result.returncode == 1
    assert "got an input as the output" in result.stderr
    assert (calls / "0" / "00.wav").read_bytes() == before


FULL = """
import resource
from emovox.batch import parts, plan
plan.GROUP_FILES = 4

def limited(self, *arguments, method=parts.Parts.{method}):
    if "{method}" == "join" or self.begun():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    method(self, *arguments)

parts.Parts.{method} = limited
"""


@POSIX
@pytest.mark.parametrize(("method", "kept"), [("write", 4), ("join", 8)])
@pytest.mark.usefixtures("calls")
def test_a_full_disk_keeps_what_is_finished(method: str, kept: int) -> None:
    """A limit on the size of files stands for the disk: it comes with the second part, or when all are joined."""
    assert toy("--no-vad").exit_code == 0
    Path("out.parquet").rename("whole.parquet")
    full = run(*command("--no-vad"), before=FULL.format(method=method))
    assert full.returncode == 1
    stopped, error = full.stderr.splitlines()
    assert stopped == f"stopped: {kept} of 8 files are kept; --resume continues"
    assert "cannot be written (File too large); expected a path in an existing folder" in error
    assert not list(Path("out.parquet.parts").glob("*.part"))
    assert toy("--no-vad", "--resume").exit_code == 0
    assert same_rows(Path("out.parquet"), Path("whole.parquet"))


def living_children(pid: int) -> list[int]:
    """Worker processes of a process, by Linux's own list."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() and b"python" in _command_line(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for one that is dead and not yet buried
    except OSError:
        return b""


@POSIX
@pytest.mark.parametrize("parts", [1, 3])
def test_killed_and_resumed_gives_the_same_rows(calls: Path, parts: int) -> None:
    write_bad(calls)
    assert toy().exit_code == 1
    Path("out.parquet").rename("whole.parquet")
    program = Path(__file__).with_name("dying_batch.py")
    killed = subprocess.run(
        [sys.executable, str(program), str(parts), *command()], check=False, timeout=120, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL
    assert not Path("out.parquet").exists()
    resumed = run(*command("--resume"))
    assert f"{2 * parts} of 14 files were finished by an earlier run" in resumed.stderr
    assert resumed.returncode == 1
    assert same_rows(Path("out.parquet"), Path("whole.parquet"))
    assert not list(Path().glob("*.parts"))


@POSIX
@pytest.mark.usefixtures("calls")
def test_killed_in_the_second_of_two_passes_and_resumed() -> None:
    assert toy("--adapt", "folder").exit_code == 0
    Path("out.parquet").rename("whole.parquet")
    program = Path(__file__).with_name("dying_batch.py")
    words = command("--adapt", "folder")
    killed = subprocess.run([sys.executable, str(program), "5", *words], check=False, timeout=120, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not Path("out.parquet").exists()
    resumed = run(*words, "--resume")
    assert "8 of 8 files were finished by an earlier run" in resumed.stderr
    assert resumed.returncode == 0
    assert same_rows(Path("out.parquet"), Path("whole.parquet"))
    assert not list(Path().glob("*.parts"))


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_signal_leaves_a_worker_behind(calls: Path, number: signal.Signals) -> None:
    code = f"{MAIN}from emovox.batch import plan\nplan.GROUP_FILES = 1\n{GUARDED}main(['batch', *{command()!r}])\n"
    Path("run.py").write_text(code, encoding="utf-8")
    for copy in range(400):
        (calls / f"{copy}.wav").hardlink_to(calls / "0" / "00.wav")
    process = subprocess.Popen([sys.executable, "run.py"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(Path().glob("out.parquet.parts/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = living_children(process.pid)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert len(workers) >= 2
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[number]
    assert gone(workers)
    if number != signal.SIGKILL:
        assert "of 408 files are kept; --resume continues" in errors
    assert "Traceback" not in errors
    assert not Path("out.parquet").exists()


@POSIX
@pytest.mark.usefixtures("calls")
def test_an_interrupt_ends_the_wait_for_a_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        words = ["batch", *command("--engine", "ray", "--address", f"127.0.0.1:{server.getsockname()[1]}")]
        process = subprocess.Popen(
            [sys.executable, "-c", f"{MAIN}main({words!r})"], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        server.accept()[0].close()  # whether anybody listens
        with server.accept()[0]:  # whether that is a Ray
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "gcs_client" not in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.usefixtures("calls")
def test_workers_load_nothing_heavy() -> None:
    """The parent's pyarrow loads pandas where it is installed; the workers have no use for either."""
    code = f"""
from emovox.batch.job import RecordingAnalyzer, Item, Job
from tests.batch.test_table import SETTINGS
import msgspec, hashlib, pathlib
digest = hashlib.sha256(pathlib.Path("toy.onnx").read_bytes()).hexdigest()
job = Job({str(Path("calls").resolve())!r}, "toy.onnx", msgspec.structs.replace(SETTINGS, sha256=digest))
assert RecordingAnalyzer(job)(Item(0, b"0/00.wav", 1)).result
"""
    code = code.replace("from tests.batch.test_table import SETTINGS\n", "from emovox.batch.job import Settings\n")
    settings = "Settings(emovox='1', model='toy', version='1', sha256='', licence='', licence_risk='', channels='mix',"
    code = code.replace("(SETTINGS,", f"({settings} threshold=0.0, vad=True),")
    assert loaded(code) & {*HEAVY, "pyarrow", "ray", "typer", "rich"} == set()
    arguments = ["batch", "calls", "--output", "out.parquet", "--model", "toy.onnx", "--workers", "1"]
    assert loaded(COMMAND.format(arguments=arguments)) & HEAVY <= {"pandas"}
