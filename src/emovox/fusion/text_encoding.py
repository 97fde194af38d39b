"""The encoding of a text file: by its mark, by what its bytes allow, or by a guess that is named."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PAIRED = 0.9
_HIGH = re.compile(rb"[\x81-\xfe]+")


def decoded(data: bytes) -> tuple[str, str | None]:
    """Return the text of a file, and the name of its encoding if that is a guess, else None.

    UTF-8, and UTF-16 and UTF-32 with a mark are certain. Else it is UTF-16 if every other byte of the ASCII characters
    is zero, GB18030 if it decodes and its bytes above 0x80 stand in pairs, as those of Chinese characters do, and
    Windows-1252 otherwise; bytes that it lacks become U+FFFD.

    >>> decoded("好".encode()), decoded("你好".encode("gb18030")), decoded("it’s".encode("cp1252"))
    (('好', None), ('你好', 'gb18030'), ('it’s', 'cp1252'))
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for name in [marked] if marked else ["utf-8"] if b"\0" not in data else []:
        try:
            return data.decode(name), None
        except UnicodeDecodeError:
            pass
    for name in _likely(data):
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            pass
    return data.decode("cp1252", errors="replace"), "cp1252"


def _likely(data: bytes) -> list[str]:
    if b"\0" in data:
        even, odd = data[::2].count(0), data[1::2].count(0)
        return ["utf-16-le"] if odd > 4 * even else ["utf-16-be"] if even > 4 * odd else []
    runs = [len(run) for run in _HIGH.findall(data)]
    paired = sum(length for length in runs if length > 1)
    return ["gb18030"] if runs and paired >= _PAIRED * sum(runs) else []
