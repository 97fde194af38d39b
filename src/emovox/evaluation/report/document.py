"""A small document: blocks that become a self-contained HTML page or a Markdown file.

Two renderings of the same blocks cannot tell different figures.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Heading:
    """A heading; `level` 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; `words` between backticks are code."""

    text: str


@dataclass(frozen=True)
class Alert:
    """A paragraph that must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """A command line, as typed."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of text; the first `names` columns are words, the others numbers (aligned to the right)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


@dataclass(frozen=True)
class Picture:
    """A PNG: `file` is its name beside the Markdown file, `alt` says what it shows."""

    file: str
    alt: str
    png: bytes


Block: TypeAlias = Heading | Text | Alert | Items | Code | Table | Picture

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --faint: #656d76; --line: #d0d7de; --paper: #fff; --panel: #f6f8fa;
  --warn: #fff4e5; --edge: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --paper: #0d1117;
  --panel: #151b23; --warn: #33230f; --edge: #e69f00; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans SC", "PingFang SC", "Microsoft YaHei",
  sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { margin-top: 2.6rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); font-size: 1.3rem; }
h3 { margin-top: 1.9rem; font-size: 1.05rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .8rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--faint); font-weight: 600; vertical-align: bottom; }
.word { text-align: left; }
tbody tr:hover { background: var(--panel); }
pre, code { background: var(--panel); border-radius: 4px; font-size: .88rem; }
pre { padding: .8rem 1rem; overflow-x: auto; } code { padding: .1rem .3rem; } pre code { padding: 0; }
figure { display: inline-block; margin: .8rem .8rem .8rem 0; max-width: 100%; vertical-align: top; }
img { max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
.warning { padding: .7rem 1rem; background: var(--warn); border-left: 4px solid var(--edge); border-radius: 4px; }
""".strip()

_PIXELS_AT_FULL_SIZE = 2  # pictures are drawn twice as large as shown, for dense screens


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """Render as one page without anything outside it: styles and pictures are inside."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Render as Markdown; pictures are links to files beside it."""
    return "\n\n".join([f"# {_plain(title)}", *(_markdown(block) for block in blocks)]) + "\n"


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{_inline(text)}</p>"
        case Alert(text):
            return f'<p class="warning">{_inline(text)}</p>'
        case Items(items):
            return "<ul>\n" + "\n".join(f"<li>{_inline(item)}</li>" for item in items) + "\n</ul>"
        case Code(text):
            return f"<pre><code>{html.escape(text)}</code></pre>"
        case Table():
            return _html_table(block)
        case Picture(_, alt, png):
            data = base64.b64encode(png).decode()
            width = int.from_bytes(png[16:20], "big") // _PIXELS_AT_FULL_SIZE
            source = f"data:image/png;base64,{data}"
            return f'<figure><img width="{width}" alt="{html.escape(alt)}" src="{source}"></figure>'


def _html_table(table: Table) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        inside = "".join(
            f"<{tag}{' class=word' if column < table.names else ''}>{_inline(cell)}</{tag}>"
            for column, cell in enumerate(cells)
        )
        return f"<tr>{inside}</tr>"

    rows = "\n".join(line(row, "td") for row in table.rows)
    head = line(table.head, "th")
    return f'<div class="scroll"><table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_plain(text)}"
        case Text(text):
            return _plain(text)
        case Alert(text):
            return f"> **Warning:** {_plain(text)}"
        case Items(items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Code(text):
            return "\n".join(f"    {line}" for line in text.splitlines())
        case Table():
            return _markdown_table(block)
        case Picture(file, alt, _):
            return f"![{_plain(alt)}]({file.replace(' ', '%20')})"


def _markdown_table(table: Table) -> str:
    rule = [":--" if column < table.names else "--:" for column in range(len(table.head))]
    lines = [table.head, tuple(rule), *table.rows]
    return "\n".join("| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    parts = text.split("`")
    escaped = (part if number % 2 else re.sub(r"([*_<\[\]])", r"\\\1", part) for number, part in enumerate(parts))
    return "`".join(escaped)
