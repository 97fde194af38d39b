"""The sizes of a network, checked before it is built."""

from __future__ import annotations

import msgspec

from emovox.schema.errors import ConfigError


def check_sizes(config: msgspec.Struct) -> None:
    """Reject sizes that make no network: every whole number of a configuration is one.

    Raises:
        ConfigError: a size below 1, or a `kernel` that is even, so that no frame is its middle.
    """
    name = config.__struct_config__.tag
    for field in config.__struct_fields__:
        size = getattr(config, field)
        if type(size) is not int:
            continue
        if size < 1:
            raise ConfigError(f"{name}: got {field} = {size}, expected at least 1")
        if field == "kernel" and size % 2 == 0:
            raise ConfigError(f"{name}: got {field} = {size}, expected an odd number of frames")
