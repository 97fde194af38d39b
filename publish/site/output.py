"""Check the built site: links inside lead somewhere, nothing is asked of another machine, the first page is small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FIRST_PAGE = 300_000
"""Bytes that the first page may bring, with style, scripts and pictures."""

_REQUESTS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "audio": "src"}
_LAZY = ("search", "alternate", "next", "prev", "index", "author", "canonical")
"""Kinds of `<link>` of which a browser loads nothing."""

_OUTSIDE_STYLE = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']+")


@dataclass
class BuiltPage(HTMLParser):
    """Links, anchors and requests of a page."""

    text: str
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to, loads, or is called."""
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and set(given.get("rel", "").split()) & set(_LAZY):
            self.links.append(given["href"])
        elif tag in _REQUESTS and _REQUESTS[tag] in given:
            self.requests.append(given[_REQUESTS[tag]])

    __hash__ = HTMLParser.__hash__


def faults(site: Path) -> Iterator[str]:
    """Yield one line for each fault of a built site."""
    pages = {path: BuiltPage(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for link in dict.fromkeys([*page.links, *page.requests]):
            if fault := _broken(path, link, pages):
                yield f"{name}: {fault}"
        yield from (f"{name}: loads {request} from another machine" for request in page.requests if _outside(request))
    for path in sorted(site.rglob("*.css")):
        for found in _OUTSIDE_STYLE.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site).as_posix()}: loads {found} from another machine"
    if (size := weight(site / "index.html")) > FIRST_PAGE:
        yield f"index.html: brings {size} bytes, expected at most {FIRST_PAGE}"


def weight(path: Path) -> int:
    """Return how many bytes a page brings, uncompressed: itself and what it loads at once."""
    page = BuiltPage(path.read_text(encoding="utf-8"))
    files = {path.parent / urlsplit(request).path for request in page.requests if not _outside(request)}
    return path.stat().st_size + sum(file.stat().st_size for file in files if file.is_file())


def _outside(link: str) -> bool:
    return bool(urlsplit(link).netloc)


def _broken(path: Path, link: str, pages: dict[Path, BuiltPage]) -> str:
    """Say what is wrong with a link of a page; "" if nothing is."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https", "mailto", "data", "javascript") or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    found = {each.resolve(): page for each, page in pages.items()}.get(target)
    if found is None:
        return "" if target.is_file() else f"{link} leads nowhere"
    anchor = unquote(parts.fragment)
    return "" if not anchor or anchor in found.anchors else f"{link}: the page has no such place"
