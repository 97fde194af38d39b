"""Signals that end a command, at awkward moments."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from emovox.cli.signals import ended_by_signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows ends a process without asking it")

ENDINGS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0)  # the handler runs between two instructions


def lose(number: int) -> None:
    """Drop what a signal raises, as a destructor does, and go on for long."""
    with contextlib.suppress(BaseException):
        send(number)
    time.sleep(60)


@pytest.mark.parametrize(("number", "status"), ENDINGS)
def test_a_signal_gives_its_status(number: int, status: int) -> None:
    with pytest.raises(SystemExit) as stop, ended_by_signals():
        send(number)
    assert stop.value.code == status


def test_an_interrupt_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        send(signal.SIGINT)


@pytest.mark.parametrize(("number", "status"), ENDINGS)
def test_a_signal_that_was_lost_is_raised_again(number: int, status: int) -> None:
    with pytest.raises(SystemExit) as stop, ended_by_signals():
        lose(number)
    assert stop.value.code == status


def test_an_interrupt_that_was_lost_is_raised_again() -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        lose(signal.SIGINT)


def test_cleaning_up_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.cli.signals._AGAIN_SECONDS", 0.01)
    done = []

    class Kept(contextlib.AbstractContextManager["Kept"]):
        def __exit__(self, *_: object) -> None:
            time.sleep(0.05)
            done.append("exit")

    def work() -> None:
        try:
            with Kept():
                send(signal.SIGTERM)
        except SystemExit as error:
            time.sleep(0.05)
            done.append("except")
            raise ValueError from error  # what comes of it is the same ending
        finally:
            time.sleep(0.05)
            done.append("finally")
            raise SystemExit(1)

    with pytest.raises(SystemExit), ended_by_signals():
        work()
    assert done == ["exit", "except", "finally"]


def test_a_generator_that_is_closed_on_the_way_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovox.cli.signals._AGAIN_SECONDS", 0.01)
    done = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            time.sleep(0.1)
            done.append("generator")

    def work() -> None:
        for _ in numbers():
            send(signal.SIGTERM)

    with pytest.raises(SystemExit), ended_by_signals():
        work()
    assert done == ["generator"]


def test_worker_processes_end_with_the_command() -> None:
    code = """
import os, signal
from emovox.cli.signals import ended_by_signals
from emovox.features.parallel import parallel
if __name__ == "__main__":
    with ended_by_signals():
        for _ in parallel(abs, range(30), 2):
            os.kill(os.getpid(), signal.SIGTERM)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (143, "")


def test_a_second_hang_up_does_not_break_off_what_cleans_up() -> None:
    done = []

    def work() -> None:
        try:
            send(signal.SIGHUP)
        finally:
            send(signal.SIGHUP)
            done.append("cleaned up")

    with pytest.raises(SystemExit) as stop, ended_by_signals():
        work()
    assert (stop.value.code, done) == (129, ["cleaned up"])


def test_a_second_termination_does() -> None:
    done = []

    def work() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            done.append("cleaned up")

    with pytest.raises(SystemExit), ended_by_signals():
        work()
    assert not done


def test_an_alarm_of_others_is_theirs() -> None:
    code = """
import os, signal
from emovox.cli.signals import ended_by_signals
with ended_by_signals():
    os.kill(os.getpid(), signal.SIGALRM)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGALRM


def test_nothing_is_said_of_a_destructor_that_lost_it(capsys: pytest.CaptureFixture[str]) -> None:
    class Kept:
        def __del__(self) -> None:
            send(signal.SIGTERM)

    def work() -> None:
        Kept()
        time.sleep(60)

    with pytest.raises(SystemExit), ended_by_signals():
        work()
    assert capsys.readouterr().err == ""


def test_what_was_there_before_is_put_back() -> None:
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM]
    before = [signal.getsignal(number) for number in numbers]
    with pytest.raises(SystemExit), ended_by_signals():
        send(signal.SIGTERM)
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_is_left_alone() -> None:
    entered = []

    def enter() -> None:
        with ended_by_signals():
            entered.append(signal.getsignal(signal.SIGALRM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [signal.getsignal(signal.SIGALRM)]


def test_a_library_that_never_returns_is_ended() -> None:
    code = """
import ctypes, os, signal, threading
from emovox.cli import signals
signals._STUCK_SECONDS = 0.2
lock = ctypes.create_string_buffer(128)
library = ctypes.CDLL(None)  # its calls release the global lock, as ONNX Runtime does
library.pthread_mutex_lock(lock)
with signals.ended_by_signals():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    library.pthread_mutex_lock(lock)  # for ever: this thread holds it
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 128 + signal.SIGTERM


def test_a_handler_that_runs_is_not_cut_short() -> None:
    code = """
import os, signal, threading, time
from emovox.cli import signals
signals._STUCK_SECONDS = 0.1
try:
    with signals.ended_by_signals():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        time.sleep(60)
finally:
    time.sleep(0.5)
    print("cleaned up")
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "cleaned up\n")
