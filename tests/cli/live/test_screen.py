"""`emovox listen` on a terminal: an emulator looks at what was drawn."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.schema.labels import EMOTIONS
from emovox.testing import RATE, speech, write_toy

pyte = pytest.importorskip("pyte")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs terminals of Unix")

PATIENCE = 60.0
SECOND_PAGE, FIRST_PAGE = b"\x1b[?1049h", b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, arguments: list[str], *, columns: int, rows: int, environment: dict[str, str]) -> None:
        import pty

        self.written = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self._size(columns, rows)
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job has none
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{code}; from emovox.cli.main import main; main()", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**clean, "TERM": "xterm", **environment},
        )
        os.close(slave)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def read(self, until: Callable[[str], bool] = lambda _: False) -> str:
        """Show what the program writes until the picture is as wanted, or the program ends; give the picture."""
        deadline = time.monotonic() + PATIENCE
        while not until(self.text):
            assert time.monotonic() < deadline, self.text
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the program has ended
                break
            if not data:
                break
            self.written += data
            self._stream.feed(data)
        return self.text

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self._size(columns, rows)

    def hang_up(self) -> None:
        os.close(self._master)

    def _size(self, columns: int, rows: int) -> None:
        import fcntl
        import termios

        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_toy(tmp_path)
    soundfile.write(tmp_path / "a.wav", np.concatenate([speech(200.0, seconds=2.0), np.zeros(RATE // 2)]), RATE)
    soundfile.write(tmp_path / "long.wav", np.tile(speech(200.0, seconds=3.0), 20), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listen(*arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> Terminal:
    command = ["listen", "--model", "toy.onnx", "--realtime", *arguments]
    return Terminal(command, columns=columns, rows=24, environment=environment or {})


def has_bars(text: str) -> bool:
    return "█████" in text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("columns", [80, 20])
def test_while_somebody_speaks_and_after(columns: int) -> None:
    terminal = listen("--input", "a.wav", columns=columns)
    shown = terminal.read(has_bars)
    assert "level" in shown
    if columns == 80:
        assert all(f" {label}" in shown for label in EMOTIONS)
        assert "nothing is kept" in shown
    terminal.read()
    assert terminal.process.wait(PATIENCE) == 0
    assert terminal.written.count(SECOND_PAGE) == terminal.written.count(FIRST_PAGE) == 1
    after = terminal.written.partition(FIRST_PAGE)[2].decode()
    assert after.startswith("a.wav  2.50 s  ")
    assert terminal.written.rindex(SHOW_CURSOR) < terminal.written.index(FIRST_PAGE)
    assert b"\x1b[3" in terminal.written


@pytest.mark.usefixtures("folder")
def test_another_size_is_drawn_anew() -> None:
    terminal = listen("--input", "long.wav")
    terminal.read(has_bars)
    terminal.resize(100, 30)
    shown = terminal.read(lambda text: "Ctrl-C" in text.splitlines()[-1])
    assert len(shown.splitlines()[0].rstrip()) in (98, 99)
    terminal.resize(40, 12)
    terminal.read(lambda text: "Ctrl-C" in text.splitlines()[-1] and "level" in text.splitlines()[1])
    terminal.process.send_signal(signal.SIGINT)
    terminal.read()
    assert terminal.process.wait(PATIENCE) == 0
    assert "long.wav  " in terminal.written.partition(FIRST_PAGE)[2].decode()


@pytest.mark.usefixtures("folder")
def test_no_colour_where_none_is_wanted() -> None:
    terminal = listen("--input", "a.wav", environment={"NO_COLOR": "1"})
    terminal.read()
    assert terminal.process.wait(PATIENCE) == 0
    assert SECOND_PAGE in terminal.written
    for colour in range(30, 38):
        assert f"\x1b[{colour}m".encode() not in terminal.written
        assert f";{colour}m".encode() not in terminal.written


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("PYTHONIOENCODING", "ascii")])
def test_a_terminal_that_cannot_draw_gets_lines(name: str, value: str) -> None:
    terminal = listen("--input", "a.wav", environment={name: value})
    shown = terminal.read()
    assert terminal.process.wait(PATIENCE) == 0
    assert SECOND_PAGE not in terminal.written
    assert " s  speech" in shown


def test_a_terminal_that_is_closed_loses_nothing(folder: Path) -> None:
    terminal = listen("--input", "long.wav", "--save", "b.wav", "--json", "b.json")
    terminal.read(has_bars)
    terminal.hang_up()
    assert terminal.process.wait(PATIENCE) != 0
    assert (folder / "b.json").stat().st_size > 0
    assert soundfile.info(str(folder / "b.wav")).frames > 0
