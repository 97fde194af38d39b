"""Optional dependencies: one line that says what is missing and how to install it."""

from __future__ import annotations

from importlib.util import find_spec

from emovox.schema.errors import MissingExtraError


def require(module: str, *, need: str, extra: str) -> None:
    """Check that an optional dependency is installed, without importing it.

    Args:
        module: the top-level module that must be there, e.g. "numba".
        need: what the caller wants to do, for the message, e.g. "emovox features".
        extra: the extra of this package that brings the module.

    Raises:
        MissingExtraError: the module is not installed.

    >>> require("json", need="reading JSON", extra="none")
    """
    if find_spec(module) is None:
        raise MissingExtraError(need, extra)
