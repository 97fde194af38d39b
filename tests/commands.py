"""Commands of `emovox`, run in the process of the tests."""

from __future__ import annotations

import pytest

from emovox.cli.main import main


def status_of(*arguments: str) -> int:
    """Run `emovox` with these arguments, and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def command(*arguments: str, status: int = 0) -> None:
    """Run `emovox` with these arguments, and check its exit status."""
    assert status_of(*arguments) == status
