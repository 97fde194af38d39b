"""Data as text: a line of CSV, a document of JSON, the name of a file, the first few of many."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

MOST_NAMED = 5
"""Items that a message names."""


def csv_line(cells: Sequence[object]) -> str:
    r"""Write one line of CSV, quoted where it must be, ending in a newline.

    >>> csv_line(["a,b", 0.5, None])
    '"a,b",0.5,\n'
    >>> csv_line(["a\rb", "c"])
    '"a\rb",c\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # only what is in it makes Python 3.11 quote a cell
    return text.getvalue().removesuffix("\r\n") + "\n"


def json_document(data: Any) -> str:
    r"""Write structures or plain data as indented JSON, names in UTF-8, NaN as null, ending in a newline.

    >>> json_document({"label": "悲"})
    '{\n  "label": "悲"\n}\n'
    """
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def printable_name(name: bytes) -> str:
    r"""Turn the system's bytes into text; those that are no UTF-8 are spelt out, so that two names stay two.

    >>> printable_name("é.wav".encode()), printable_name(b"\xff.wav")
    ('é.wav', '\\xff.wav')
    """
    return name.decode("utf-8", "backslashreplace")


def some(items: Iterable[object]) -> str:
    """Join the first few items for a message, with the number of the others.

    >>> some(range(7))
    '0, 1, 2, 3, 4, and 2 more'
    """
    texts = [str(item) for item in items]
    rest = [f"and {len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
    return ", ".join(texts[:MOST_NAMED] + rest)
