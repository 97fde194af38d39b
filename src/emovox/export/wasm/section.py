"""Custom sections of a WebAssembly file: named bytes that change nothing of its code.

Source: WebAssembly Core Specification 2.0, section 5.5, https://www.w3.org/TR/wasm-core-2/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from emovox.schema.errors import ExportError

NAME = "emovox"
"""Name of the section with the card of the model."""

_MAGIC = b"\0asm\1\0\0\0"
_CUSTOM = 0


def with_description(wasm: bytes, description: dict[str, Any]) -> bytes:
    """Return a file with a description of its model, as JSON, in a custom section at its end."""
    name = NAME.encode()
    content = _leb(len(name)) + name + msgspec.json.encode(description)
    return wasm + bytes([_CUSTOM]) + _leb(len(content)) + content


def read_description(wasm: bytes, *, where: str) -> dict[str, Any]:
    """Return the description of the model in a file.

    Args:
        wasm: the file.
        where: its name, for messages.

    Raises:
        ExportError: it is no WebAssembly, is cut short, or has no description.
    """
    try:
        for kind, content in _sections(wasm):
            length, start = _number(content, 0)
            if kind == _CUSTOM and content[start : start + length] == NAME.encode():
                return msgspec.json.decode(content[start + length :], type=dict[str, Any])
    except (IndexError, ValueError, msgspec.DecodeError) as error:
        raise ExportError(
            f"{where}: this is no WebAssembly file of emovox ({error}); write it again with emovox export --to wasm"
        ) from error
    raise ExportError(f"{where}: it has no section '{NAME}'; write it again with emovox export --to wasm")


def _sections(wasm: bytes) -> Iterator[tuple[int, bytes]]:
    if not wasm.startswith(_MAGIC):
        raise ValueError("it does not begin as one")
    place = len(_MAGIC)
    while place < len(wasm):
        length, start = _number(wasm, place + 1)
        if start + length > len(wasm):
            raise ValueError("it is cut short")
        yield wasm[place], wasm[start : start + length]
        place = start + length


def _leb(number: int) -> bytes:
    """Return a number >= 0 as LEB128: 7 bits a byte, the lowest first."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _leb(rest) if rest else bytes([low])


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Return the LEB128 number at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
