"""Copy the Markdown of docs/ to where Sphinx reads it, with links that work on the site.

In the repository a page links to files as GitHub shows them. On the site a link to another page stays a link, one to a
page of the other language becomes an address, and one to a file of the repository becomes its address, or plain text
where the project has none (EMOVOX_PROJECT_URL, as in hatch_build.py).
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from publish.site import api, notebooks

ROOT = Path(__file__).parents[2]

LANGUAGES = ("en", "zh")
"""English is at the root of the site, Chinese in its folder zh, as in docs/."""

PROJECT = {
    "RESPONSIBLE_USE.md": "responsible-use.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}
"""Pages at the root of the repository, and their names on the site."""

TRANSLATED = {"responsible-use.md": "RESPONSIBLE_USE.md"}
"""Those of them that have a Chinese page in docs/zh, by its name; the others are in English only."""

HOME = {"README.md": "docs/index.md", "README.zh-CN.md": "docs/zh/index.md"}
"""Pages that only the repository has, and what a link to them leads to on the site."""

TRY = "src/emovox/serving/static/local/index.html"
"""The recogniser in the browser, which the site has in its folder `local`."""

SCHEME = "site:"
"""Marks an address on the site that Sphinx does not know, such as that of the other language; conf.py removes it."""

_PART = re.compile(r"^(```+|~~~+)[^\n]*\n.*?^\1[ \t]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|`[^`\n]*`)*)\]\(([^)\s]+)\)")
_WIDE = "[\u3001-\u303f\u3400-\u9fff\uff00-\uffef]"
_BREAK = re.compile(rf"(?<={_WIDE})\n *(?={_WIDE})")
"""The end of a line within a Chinese sentence; a browser would show a space there."""

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def project_address() -> str:
    """Return the address of the project, or "" where it has none."""
    return os.environ.get("EMOVOX_PROJECT_URL", "").rstrip("/")


def sources(language: str, root: Path = ROOT) -> dict[str, Path]:
    """Return the pages of a language: name on the site → file of the repository."""
    folder = root / "docs" if language == "en" else root / "docs" / language
    found = {path.name: path for path in sorted(folder.glob("*.md"))}
    if language == "en":
        found |= {name: root / file for file, name in PROJECT.items() if (root / file).is_file()}
    return found


def stage(language: str, target: Path, *, root: Path = ROOT, address: str = "") -> None:
    """Write the pages of a language and their pictures to a folder from which Sphinx can build them."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, path in sources(language, root).items():
        page = path.relative_to(root).as_posix()
        text = rewritten(path.read_text(encoding="utf-8"), page=page, language=language, root=root, address=address)
        if language == "zh":
            text = outside_code(text, lambda part: _BREAK.sub("", part))
        if name == "index.md":
            text = f"{text.rstrip()}\n\n{contents(text)}"
        if name == "api.md" and language == "en":
            text += api.write_pages(target, root)
        if name == "notebooks.md":
            text += notebooks.write_pages(language, target, root)
        (target / name).write_text(text, encoding="utf-8")
    shutil.copytree(root / "docs" / "pictures", target / "pictures")
    for picture in (root / "docs").glob("*.png"):
        shutil.copyfile(picture, target / picture.name)


def rewritten(text: str, *, page: str, language: str, root: Path = ROOT, address: str = "") -> str:
    """Return a page with the links of the site.

    Args:
        text: the Markdown.
        page: its path in the repository, such as `docs/predict.md`.
        language: the language of the site that the page is on.
        root: the repository.
        address: that of the project on the web; "" turns links to files of the repository into plain text.
    """

    def change(found: re.Match[str]) -> str:
        mark, words, link = found.groups()
        path, _, anchor = link.partition("#")
        where = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        if not path or ":" in path or not (root / where).exists():  # Sphinx warns of what does not exist
            return found[0]
        to = _target(HOME.get(where, where), language=language, root=root, address=address)
        return f"{mark}[{words}]({to}{'#' + anchor if anchor else ''})" if to else words

    return outside_code(text, lambda part: _LINK.sub(change, part))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return a text of which everything but blocks and pieces of code is changed."""
    kept: list[str] = []

    def hide(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\x00{len(kept) - 1}\x00"

    return re.sub(r"\x00(\d+)\x00", lambda found: kept[int(found[1])], change(_PART.sub(hide, text)))


def contents(index: str) -> str:
    r"""Return the tables of contents that Sphinx reads, one for each section of the index with pages.

    >>> print(contents("## Tutorial\n\n[Start](start.md), [again](start.md#here)\n\n## Nothing\n"))
    ```{toctree}
    :hidden:
    :caption: Tutorial
    <BLANKLINE>
    start
    ```
    <BLANKLINE>
    """
    listed: set[str] = set()
    parts = []
    for caption, section in _sections(index):
        names = [
            name for name in dict.fromkeys(re.findall(r"\]\(([\w-]+)\.md", section)) if name not in listed | {"index"}
        ]
        listed.update(names)
        if names:
            parts.append("\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```", ""]))
    return "\n".join(parts)


def _sections(index: str) -> Iterator[tuple[str, str]]:
    _, *parts = _SECTION.split(index)
    yield from zip(parts[::2], parts[1::2], strict=True)


def _target(where: str, *, language: str, root: Path, address: str) -> str:
    """What a link to a file of the repository is on the site; "" if the site has nothing to lead to."""
    for other in LANGUAGES:
        for name, path in sources(other, root).items():
            if path == root / where:
                page = f"{'' if other == 'en' else other + '/'}{Path(name).stem}.html"
                return name if other == language else f"{SCHEME}{'../' if language != 'en' else ''}{page}"
    if where in (listed := api.modules(root)):
        return listed[where] if language == "en" else f"{SCHEME}../{Path(listed[where]).stem}.html"
    for other in LANGUAGES:
        if where in (books := notebooks.pages(other, root)):
            page = books[where] if other == language else f"{Path(books[where]).stem}.html"
            return page if other == language else f"{SCHEME}{'zh/' if other == 'zh' else '../'}{page}"
    if where == TRY:
        return f"{SCHEME}{'' if language == 'en' else '../'}local/index.html"
    if where.startswith("docs/") and where.endswith((".png", ".svg")):
        return where.removeprefix("docs/")
    return f"{address}/{'tree' if (root / where).is_dir() else 'blob'}/main/{where}" if address else ""
