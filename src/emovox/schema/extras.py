"""Optional dependencies: a check whose error says what is missing and how to install it."""

from __future__ import annotations

from importlib.util import find_spec

from emovox.schema.errors import MissingExtraError


def require(module: str, *, need: str, extra: str) -> None:
    """Check that an optional dependency is installed, without importing it.

    Args:
        module: top-level module to look for, e.g. "numba".
        need: what needs it, for the message, e.g. "emovox features".
        extra: the extra of this package that installs the module.

    Raises:
        MissingExtraError: the module is not installed.

    >>> require("json", need="reading JSON", extra="none")
    """
    if find_spec(module) is None:
        raise MissingExtraError(need, extra)
