"""Whether each Chinese page exists, belongs to the English page as it is now, and has the same code and links.

    python -m publish.site.translations [--list | --stamp PAGE … | --tables]

A Chinese page begins with the hash of its English source. `--list` prints the pages that are missing or stale;
`--stamp` writes the hash anew, after the translation was brought up to date; `--tables` copies generated blocks. Those
between `<!-- name:begin -->` and `<!-- name:end -->` are equal in both languages, and not part of the hash.
"""

from __future__ import annotations

import argparse
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from publish.site.generated import GENERATED, made
from publish.site.pages import PROJECT, ROOT, TRANSLATED, sources
from publish.site.stamps import STAMP, source_hash, stamped, with_blocks

LONGEST = 1500
"""Words of a page, without tables and code: what a reader takes in at one sitting."""

_FENCE = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def english_pages(root: Path = ROOT) -> dict[str, Path]:
    """Return the pages that have a Chinese counterpart, by name."""
    alone = set(PROJECT.values()) - set(TRANSLATED)
    return {name: path for name, path in sources("en", root).items() if name not in alone}


def faults(root: Path = ROOT) -> Iterator[str]:
    """Yield one line for each page that is missing, stale, left over, or differs in code, links or sections."""
    pages = english_pages(root)
    for name, path in pages.items():
        page = f"docs/zh/{name}"
        yield from (f"{page}: {fault}" for fault in _differences(path, root / page, root))
        if name in GENERATED and (root / page).is_file():
            text, missing = made(name, root)
            yield from (f"{page}: no phrase in publish/site/phrases.txt for: {part}" for part in dict.fromkeys(missing))
            if text != _read(root / page):
                yield f"{page}: is not what python -m publish.site.generated writes"
    for name in sources("zh", root):
        if name not in pages:
            yield f"docs/zh/{name}: has no English page"


def _differences(english: Path, chinese: Path, root: Path) -> Iterator[str]:
    if not chinese.is_file():
        yield "is missing"
        return
    source, text = _read(english), _read(chinese)
    stamp = STAMP.match(text)
    expected = english.relative_to(root).as_posix()
    if stamp is None or stamp[1] != expected:
        yield f"does not begin with <!-- source: {expected} sha256:… -->"
    elif stamp[2] != source_hash(source):
        yield f"is stale: {expected} changed; bring it up to date, then python -m publish.site.translations --stamp"
    if with_blocks(text, source) != text:
        yield "has old generated tables: python -m publish.site.translations --tables"
    if _code(source) != _code(text):
        yield "has other blocks of code than the English page"
    if _levels(source) != _levels(text):
        yield "has other sections than the English page"
    if different := _targets(source, posixpath.dirname(expected)) ^ _targets(text, "docs/zh"):
        yield f"has other links than the English page: {', '.join(sorted(different))}"


def long_pages(root: Path = ROOT) -> Iterator[str]:
    """Yield one line for each English page with more words than a reader takes in at one sitting."""
    for name, path in english_pages(root).items():
        if (words := word_count(_read(path))) > LONGEST:
            yield f"docs/{name}: {words} words, expected at most {LONGEST}; split it"


def word_count(page: str) -> int:
    r"""Return the number of words outside tables and code.

    >>> word_count("# Two words\n\n| a | table |\n\n```python\ncode = 1\n```\nand three more\n")
    5
    """
    text = re.sub(r"<!--.*?-->", "", _FENCE.sub("", page), flags=re.DOTALL)
    return sum(len(line.replace("#", "").split()) for line in text.splitlines() if not line.startswith("|"))


def _code(page: str) -> list[str]:
    """Blocks of code, without what says something in words: comments."""
    return [re.sub(r"(  #|//) .*", "", block) for block in _FENCE.findall(page)]


def _levels(page: str) -> list[str]:
    return re.findall(r"^(#+) ", _FENCE.sub("", page), re.MULTILINE)


def _targets(page: str, folder: str) -> set[str]:
    """What a page links to: files as paths in the repository, a Chinese page as its English one; no anchors."""
    found = _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page)))
    paths = (link if re.match(r"[a-z]+:", link) else link.partition("#")[0] for link in found)
    files = (path if ":" in path else posixpath.normpath(posixpath.join(folder, path)) for path in paths if path)
    plain = (file.replace("docs/zh/", "docs/").replace("README.zh-CN", "README") for file in files)
    return {TRANSLATED.get(file.removeprefix("docs/"), file) for file in plain}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> int:
    """List, stamp, or copy tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list what is wrong; the default")
    parser.add_argument(
        "--stamp", nargs="+", default=[], metavar="PAGE", help="these pages, such as predict.md, are up to date"
    )
    parser.add_argument("--tables", action="store_true", help="copy generated tables into the Chinese pages")
    options = parser.parse_args()
    pages = english_pages()
    for name, path in pages.items():
        chinese = ROOT / "docs" / "zh" / name
        if options.tables and chinese.is_file():
            chinese.write_text(with_blocks(_read(chinese), _read(path)), encoding="utf-8")
    for page in options.stamp:
        name = Path(page).name
        chinese = ROOT / "docs" / "zh" / name
        chinese.write_text(stamped(_read(chinese), pages[name]), encoding="utf-8")
    found = [*faults(), *long_pages()]
    print("\n".join(found) or "every Chinese page is up to date")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
