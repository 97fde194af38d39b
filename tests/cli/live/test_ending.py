"""Signals that end listening."""

from __future__ import annotations

import signal
import sys

import pytest

from emovox.cli.signals import StopOnSignal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals of Unix")


def test_two_signals_stop_once_and_the_first_one_counts() -> None:
    """What stops sets an event, which holds a lock that a second handler in its midst would wait for."""
    stops: list[None] = []
    with StopOnSignal(lambda: stops.append(None)) as ending:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert len(stops) == 1
    assert ending.status == 128 + signal.SIGTERM


def test_a_second_interrupt_breaks_off() -> None:
    stops: list[None] = []
    with StopOnSignal(lambda: stops.append(None)) as ending:
        signal.raise_signal(signal.SIGINT)
        assert (stops, ending.status) == ([None], 0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stops == [None]
