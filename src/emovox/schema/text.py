"""Data as text: CSV lines, JSON documents, printable file names, shortened lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

MOST_NAMED = 5
"""Number of items that a message names before "and … more"."""


def csv_line(cells: Sequence[object]) -> str:
    r"""Return one line of CSV, quoted where necessary, with a newline at its end.

    >>> csv_line(["a,b", 0.5, None])
    '"a,b",0.5,\n'
    >>> csv_line(["a\rb", "c"])
    '"a\rb",c\n'
    """
    text = io.StringIO()
    # Python 3.11 quotes a cell with a line break only if the terminator has that character.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def json_document(data: Any) -> str:
    r"""Return structures or plain data as indented JSON: UTF-8, NaN as null, a newline at the end.

    >>> json_document({"label": "悲"})
    '{\n  "label": "悲"\n}\n'
    """
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def printable_name(name: bytes) -> str:
    r"""Return a file name as text; bytes that are not UTF-8 become escapes, so that different names stay different.

    >>> printable_name("é.wav".encode()), printable_name(b"\xff.wav")
    ('é.wav', '\\xff.wav')
    """
    return name.decode("utf-8", "backslashreplace")


def some(items: Iterable[object]) -> str:
    """Join the first `MOST_NAMED` items for a message, with the number of the others.

    >>> some(range(7))
    '0, 1, 2, 3, 4, and 2 more'
    """
    texts = [str(item) for item in items]
    rest = [f"and {len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
    return ", ".join(texts[:MOST_NAMED] + rest)
