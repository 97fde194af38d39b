"""What a hostile or unlucky user types: nothing is destroyed, nothing is left behind, every answer is one line."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from emovox.cli.main import main
from emovox.testing import RATE, speech, write_toy

POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and file names of any bytes")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and a recording."""
    write_toy(tmp_path)
    soundfile.write(tmp_path / "a.wav", speech(120.0, seconds=1.5), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def emovox(command: str, *arguments: str, status: int = 0) -> None:
    """Run a command in this process and check its exit status."""
    with pytest.raises(SystemExit) as stop:
        main([command, *arguments])
    assert stop.value.code == status


def predict(*arguments: str, status: int = 0) -> None:
    emovox("predict", "--model", "toy.onnx", *arguments, status=status)


@pytest.mark.parametrize("name", ["a.wav", "./a.wav", "link.wav", "hard.wav"])
@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_a_recording_is_never_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, option: str
) -> None:
    (folder / "link.wav").symlink_to("a.wav")
    (folder / "hard.wav").hardlink_to(folder / "a.wav")
    before = (folder / "a.wav").read_bytes()
    predict("a.wav", option, name, status=1)
    assert "got an input as the output, expected another file" in capsys.readouterr().err
    assert (folder / "a.wav").read_bytes() == before


def test_captions_are_not_written_over_a_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.vtt").write_bytes((folder / "a.wav").read_bytes())
    predict("b.vtt", "a.wav", "--format", "vtt", "--output", ".", status=1)
    assert "b.vtt: got an input as the output" in capsys.readouterr().err
    assert (folder / "b.vtt").read_bytes() == (folder / "a.wav").read_bytes()


def test_features_are_not_written_over_a_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.wav").rename("a.csv")
    before = (folder / "a.csv").read_bytes()
    emovox("features", "a.csv", "--set", "functionals", "--output", "a.csv", status=1)
    assert "a.csv: got an input as the output" in capsys.readouterr().err
    assert (folder / "a.csv").read_bytes() == before


@POSIX
def test_any_file_name_is_analysed_and_keeps_the_form_of_the_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [b"new\nline", b"cr\rlf", b'"quote",', b"\xff\xfe", b"\x1b[31mred", b"=1+1", b"<b>", "日本 😀".encode()]
    (folder / "calls").mkdir()
    for name in names:
        os.link("a.wav", os.path.join(b"calls", name + b".wav"))
    predict("calls", "--format", "csv")
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert len({row["file"] for row in found}) == len(names)
    assert {row["row"] for row in found} == {"file", "segment"}
    predict("calls", "--format", "json")
    assert len(json.loads(capsys.readouterr().out)["results"]) == len(names)
    predict("calls", "--threshold", "0")
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == len(names) + 1
    assert all(line.isprintable() for line in lines)


@POSIX
def test_no_name_is_a_code_of_the_terminal_or_a_formula(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["\x1b[31mred", "\x9b2Jgone", "line\nerror: x", "\u202eexe", "=1+1", "+1", "-1", "@x"]
    for name in names:
        os.link("a.wav", f"{name}.wav")
        (folder / f"{name}.txt.wav").write_text("no audio")
    arguments = [f"./{name}" for name in os.listdir(".") if name.endswith(".wav")]
    for form in ("table", "csv", "json", "textgrid"):
        output = ["--output", "grids"] if form == "textgrid" else []
        predict(*arguments, "--format", form, *output, status=1)
        captured = capsys.readouterr()
        assert all(line.isprintable() for line in (captured.out + captured.err).split("\n")), form
    os.chdir(folder)
    predict("--format", "csv", "--", *(f"{name}.wav" for name in names[4:]))
    lines = capsys.readouterr().out.splitlines()[1:]
    assert {line[:2] for line in lines} == {"'=", "'+", "'-", "'@"}


@POSIX
def test_messages_of_wrong_usage_hold_no_code_of_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict("a.wav", "--format", "\x1b[31m\x9b", status=2)
    predict("--\x1b]0;x\x07", status=2)
    predict("a.wav", "--output", "\x1b[31m.odt", status=2)
    assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


def test_names_and_numbers_that_are_too_long(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict("x" * 5000, "a.wav", "--format", "json", status=1)
    bad, good = json.loads(capsys.readouterr().out)["results"]
    assert bad["error"]["code"] == "unreadable"
    assert good["segments"]
    predict("a.wav", "--channels", "9" * 5000, status=2)
    assert "expected mix, split, or a channel number" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["a.wav/deep", "toy.json"])
def test_output_folder_that_cannot_be_made(folder: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    status = 1 if output == "a.wav/deep" else 2
    predict("a.wav", "a.wav", "--format", "vtt", "--output", output, status=status)
    assert "Traceback" not in capsys.readouterr().err
    assert (folder / "toy.json").is_file()


def test_closed_standard_input_is_a_row(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    predict("-", "a.wav", "--format", "json", status=1)
    bad, good = json.loads(capsys.readouterr().out)["results"]
    assert bad["error"] == {
        "code": "unreadable",
        "message": "<stdin>: got no standard input, expected a recording; pipe one in",
    }
    assert good["segments"]


def start(*arguments: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job has none
    command = [sys.executable, "-c", f"{code}; from emovox.cli.main import main; main()", "predict", *arguments]
    return subprocess.Popen([*command, "--model", "toy.onnx"], stdout=stdout, stderr=subprocess.PIPE, text=True)


@POSIX
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_behind(folder: Path, number: signal.Signals, status: int) -> None:
    os.mkfifo("pipe.wav")  # nobody writes to it: the command waits
    before = sorted(path.name for path in folder.iterdir())
    process = start("a.wav", "pipe.wav", "--format", "json", "--output", "out.json")
    deadline = time.monotonic() + 60
    while not list(folder.glob(".out.json.*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert sorted(path.name for path in folder.iterdir()) == before


@POSIX
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("output", "status"), [([], 1), (["--output", "x.csv"], 0)])
def test_a_closed_standard_output_is_an_error_where_results_go_there(output: list[str], status: int) -> None:
    code = "from emovox.cli.main import main; main()"
    command = [sys.executable, "-c", code, "predict", "a.wav", "--model", "toy.onnx", *output]
    ran = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, timeout=60)
    assert ran.returncode == status
    assert ran.stderr.startswith("error: [Errno 9] standard output is closed") == (status == 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.usefixtures("folder")
def test_standard_output_without_room_is_one_line() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = start("a.wav", stdout=full.fileno())
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    assert line.startswith("error: [Errno 28] No space left on device; make room")
