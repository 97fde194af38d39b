"""Read and write the fields of protobuf messages, of which ONNX files consist; the light core has no `onnx` package.

A field is a key, then a number or bytes. Reference: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _BYTES, _FIXED = 0, 2, {1: 8, 5: 4}
"""Wire types: a number with 7 bits per byte, bytes after their length, and numbers of 8 or 4 bytes."""

_LOW_BITS, _MORE = 0x7F, 0x80

_LARGEST_KEY = 2**32 - 1

_LONGEST = 10
"""Bytes of the longest number, 64 bits."""


def fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield the fields of a message in order.

    Args:
        data: encoding of the message.

    Yields:
        Number of the field, its content (empty unless it is bytes), and its whole encoding.

    Raises:
        ValueError: the bytes are no message.
    """
    at = 0
    while at < len(data):
        start, (key, at) = at, _read_number(data, at)
        if key > _LARGEST_KEY:  # others take its low 32 bits, which name another field
            raise ValueError(f"the key at byte {start} has more than 32 bits")
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _read_number(data, at)
            content, at = data[at : at + length], at + length
        elif kind in _FIXED:
            content, at = data[at:at], at + _FIXED[kind]
        elif kind == _VARINT:
            content, at = data[at:at], _read_number(data, at)[1]
        else:
            raise ValueError(f"wire type {kind} at byte {start}, expected 0, 1, 2 or 5")
        if at > len(data):
            raise ValueError(f"field {number} ends at byte {at} of {len(data)}")
        yield number, content, data[start:at]


def _read_number(data: memoryview, at: int) -> tuple[int, int]:
    """Return a number with 7 bits per byte, lowest first, and the position after it."""
    value = 0
    for shift, byte in enumerate(data[at : at + _LONGEST]):
        value |= (byte & _LOW_BITS) << 7 * shift
        if byte < _MORE:
            return value, at + shift + 1
    raise ValueError(f"the number at byte {at} does not end")


def encode_field(number: int, content: bytes | memoryview) -> bytes:
    """Return the encoding of a field that holds bytes."""
    return _encode_number(number << 3 | _BYTES) + _encode_number(len(content)) + bytes(content)


def _encode_number(value: int) -> bytes:
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & _LOW_BITS | _MORE)
        value >>= 7
    return bytes([*encoded, value])
