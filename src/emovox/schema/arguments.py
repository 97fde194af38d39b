"""Numbers from callers of the Python interface: NumPy's and text are understood, anything else is a typed error."""

from __future__ import annotations

from typing import Any

from emovox.schema.errors import ConfigError


def number(value: Any, name: str) -> float:
    """Return an argument as a number.

    Args:
        value: a number of any type, or text that is one; not a truth value.
        name: of the argument, for the message.

    Raises:
        ConfigError: it is no number.

    >>> number("0.5", "threshold")
    0.5
    """
    try:
        if isinstance(value, bool | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # RuntimeError: a tensor of several values
        raise ConfigError(f"{name} is {value!r:.60}, expected a number") from error


def whole(value: Any, name: str) -> int:
    """Return an argument as a whole number.

    Args:
        value: a whole number of any type, or text of digits; not a truth value.
        name: of the argument, for the message.

    Raises:
        ConfigError: it is no whole number.

    >>> whole("2", "channels"), whole(2.0, "channels")
    (2, 2)
    """
    try:
        if isinstance(value, str):
            return int(value)
        return _exact(number(value, name))
    except (TypeError, ValueError, OverflowError, ConfigError) as error:
        raise ConfigError(f"{name} is {value!r:.60}, expected a whole number") from error


def _exact(value: float) -> int:
    if not value.is_integer():
        raise ValueError(value)
    return int(value)
