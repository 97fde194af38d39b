"""The first line of a Chinese page, with the hash of its English source; and blocks that are generated."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from publish.site.pages import ROOT

STAMP = re.compile(r"<!-- source: (\S+) sha256:([0-9a-f]{16}) -->\n")
"""The first line: the path of the source, and the first 16 hexadecimal digits of its SHA-256."""

_BLOCK = re.compile(r"(<!-- ([\w-]+):begin -->\n)(.*?)(<!-- \2:end -->)", re.DOTALL)


def source_hash(text: str) -> str:
    """Return the hash of an English page without what is generated."""
    return hashlib.sha256(_BLOCK.sub(r"\1\4", text).encode()).hexdigest()[:16]


def stamped(text: str, english: Path, root: Path = ROOT) -> str:
    """Return a Chinese page with the hash of its source in the first line."""
    found = source_hash(english.read_text(encoding="utf-8"))
    source = f"<!-- source: {english.relative_to(root).as_posix()} sha256:{found} -->\n"
    return source + STAMP.sub("", text, count=1)


def with_blocks(chinese: str, english: str) -> str:
    """Return a Chinese page with the generated blocks of the English one."""
    made = {name: text for _, name, text, _ in _BLOCK.findall(english)}
    return _BLOCK.sub(lambda found: f"{found[1]}{made.get(found[2], found[3])}{found[4]}", chinese)
