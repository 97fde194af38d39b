"""Check the sizes of a network before it is built."""

from __future__ import annotations

import msgspec

from emovox.schema.errors import ConfigError


def check_sizes(config: msgspec.Struct) -> None:
    """Raise an error for impossible sizes; every integer of a configuration is a size.

    Raises:
        ConfigError: a size is below 1, or `kernel` is even, so that it has no middle frame.
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
