"""Surroundings of the tests: signals as a terminal has them, compiled code of librosa, no deadlines."""

import os
import signal
import subprocess
import sys

import hypothesis
import pytest

COMPILED_AT_IMPORT = "import librosa.core.audio, librosa.core.pitch, librosa.util.utils"

hypothesis.settings.register_profile("emovox", deadline=None)  # a busy machine is not an error
hypothesis.settings.load_profile("emovox")


def pytest_configure(config: pytest.Config) -> None:
    """Undo what `nohup` and `&` leave behind; compile librosa before several workers do.

    Both start a run with signals that are ignored, and a process that a test starts and ends with such a signal would
    inherit that and never end. A handler, unlike an ignored signal, is not inherited.

    librosa is compiled at its first import, into one cache. Two processes that do so at the same time can leave an
    index that names the other's code, and every later call then crashes. So one process does it before the workers of
    pytest-xdist start: 25 s in a new environment, 2 s later.
    """
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else lambda *_: None)
    if "PYTEST_XDIST_WORKER" not in os.environ and getattr(config.option, "numprocesses", None):
        subprocess.run([sys.executable, "-c", COMPILED_AT_IMPORT], check=False, capture_output=True)
