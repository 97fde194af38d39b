"""Data as text: CSV lines, JSON documents, names, printable file names, shortened lists."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

MOST_NAMED = 5
"""Number of items that a message names before "and … more"."""

MOST_LINES = 50
"""Number of bad lines that a message describes; of the others it has the numbers."""

MOST_NAME_BYTES = 100
"""Bytes of a name from data in a file name, at most: file systems allow 255 in all."""

FILE_NAME_RULE = f"expected a name of one line, without / and \\, of at most {MOST_NAME_BYTES} bytes"
"""What `is_file_name` expects."""

_SEPARATORS = frozenset("/\\")
_SURROGATES = re.compile("[\ud800-\udfff]")
_JOINERS = "\u200c\u200d"
"""Zero-width characters that scripts and emoji need."""

_CONTROLS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that JSON need not escape and terminals obey: controls, line breaks, changes of direction."""

_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
"""Beginning of a cell that a spreadsheet takes for a formula, or of one that `guarded` has changed."""

_INVISIBLE = "\u200b\ufeff \t\n\r"
"""A zero-width space and a byte order mark, which Python does not count as spaces; and spaces."""


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


def guarded(cell: object) -> object:
    """Return a cell of CSV that no spreadsheet takes for a formula: text that begins with =, +, - or @ gets a ' before.

    Numbers stay. `unguarded` takes the ' away.

    >>> guarded("=1+1"), guarded("-a.wav"), guarded(-0.5), guarded("a=1")
    ("'=1+1", "'-a.wav", -0.5, 'a=1')
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return what `guarded` was called with.

    >>> unguarded("'=1+1"), unguarded("'s wav")
    ('=1+1', "'s wav")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def shown_line(cells: Sequence[object]) -> str:
    r"""Return one line of CSV for people: control characters are escaped and formulas guarded.

    >>> shown_line(["=a\n.wav", -0.5])
    "'=a\\n.wav,-0.5\n"
    """
    return csv_line([guarded(printable(cell)) if isinstance(cell, str) else cell for cell in cells])


def json_document(data: Any) -> str:
    r"""Return structures or plain data as indented JSON: UTF-8, NaN as null, a newline at the end.

    >>> json_document({"label": "悲"})
    '{\n  "label": "悲"\n}\n'
    """
    return msgspec.json.format(json_line(data), indent=2) + "\n"


def json_line(data: Any) -> str:
    r"""Return structures or plain data as JSON in one line; what a terminal would obey is escaped.

    >>> print(json_line({"name": "a\x9b2J"}))
    {"name":"a\u009b2J"}
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", msgspec.json.encode(data).decode())


def tidy_name(text: str) -> str:
    r"""Return a name in its composed form (NFC), with single spaces and none around it.

    Names that look alike become equal: "Zoë" in one or two code points, with a space or a byte order mark at its end.

    >>> tidy_name(" Zoe\u0308\u00a0 Li\ufeff") == "Zoë Li"
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).strip(_INVISIBLE).split())


def name_key(text: str) -> str:
    r"""Return what names share that differ only in case, in width or in characters that nobody sees.

    >>> name_key("Ana") == name_key("ａｎａ") == name_key("an\u200ba")
    True
    """
    seen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return tidy_name(unicodedata.normalize("NFKC", seen).casefold())


def printable(text: str) -> str:
    r"""Return text from strangers in a form that is safe on a terminal: control characters become escapes.

    File names, labels, cards and messages with them pass this function. A newline cannot forge a line, an escape code
    cannot move the cursor, and text that runs from right to left cannot turn what follows around.

    >>> print(printable("a\nb\x1b[31m\x9b2J\u202e.wav 日本"))
    a\nb\x1b[31m\x9b2J\u202e.wav 日本
    """
    if text.isprintable():
        return text
    return "".join(letter if _is_shown(letter) else _escape(letter) for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"


def _escape(letter: str) -> str:
    # Python keeps the byte 0xff of a file name as U+DCFF
    code = ord(letter)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else letter.encode("unicode_escape").decode()


def is_file_name(text: str) -> bool:
    """Return whether text from data can be a part of a file name, and never leads to another folder.

    >>> is_file_name("my calls"), is_file_name("../calls"), is_file_name("")
    (True, False, False)
    """
    is_short = len(text.encode("utf-8", "replace")) <= MOST_NAME_BYTES
    return bool(text) and is_short and text == printable(text) and not _SEPARATORS & set(text)


def printable_name(name: str | bytes | os.PathLike[str]) -> str:
    r"""Return a file name as text; bytes that are not UTF-8 become escapes, so that different names stay different.

    >>> printable_name("é.wav".encode()), printable_name(b"\xff.wav"), printable_name("a\udcff.wav")
    ('é.wav', '\\xff.wav', 'a\\xff.wav')
    """
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else os.fspath(name)
    return _SURROGATES.sub(lambda match: _escape(match[0]), text)


def some(items: Iterable[object], *, most: int = MOST_NAMED) -> str:
    """Join the first `most` items for a message, with the number of the others.

    >>> some(range(7))
    '0, 1, 2, 3, 4, and 2 more'
    """
    texts = [str(item) for item in items]
    rest = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return ", ".join(texts[:most] + rest)


def bad_lines(problems: Mapping[int, str]) -> str:
    """Join the problems of lines, by their ascending numbers; after `MOST_LINES` only the numbers follow, as ranges.

    >>> bad_lines({2: "no label", 5: "no path"})
    'line 2: no label; line 5: no path'
    """
    described = [f"line {number}: {problem}" for number, problem in problems.items()]
    rest = list(problems)[MOST_LINES:]
    starts = [number for number in rest if number - 1 not in problems or number == rest[0]]
    ends = [number for number in rest if number + 1 not in problems]
    spans = (f"{low}-{high}" if low < high else f"{low}" for low, high in zip(starts, ends, strict=True))
    return "; ".join(described[:MOST_LINES] + ([f"and lines {', '.join(spans)}"] if rest else []))


def in_words(seconds: float) -> str:
    """Return a time in words, rounded up: seconds, minutes or hours.

    >>> in_words(4.2), in_words(59.6), in_words(3599), in_words(7000)
    ('5 s', '1 min', '60 min', '1.9 h')
    """
    if seconds <= 59:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds <= 3600 else f"{seconds / 3600:.1f} h"
