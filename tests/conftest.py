"""Signals as a terminal has them, whoever starts the tests."""

import signal


def pytest_configure() -> None:
    """Undo what `nohup` and `&` leave behind.

    Both start a run with signals that are ignored, and a process that a test starts and ends with such a signal would
    inherit that and never end. A handler, unlike an ignored signal, is not inherited.
    """
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else lambda *_: None)
