"""A small document: blocks that become a Markdown file, or one HTML page."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import OptionsDict


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
    """A warning."""

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

_PIXELS_AT_FULL_SIZE = 2  # pictures are drawn twice as large as shown, for dense screens


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """Return one HTML page with styles and pictures inside."""
    pictures = {block.file: block.png for block in blocks if isinstance(block, Picture)}
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    markdown.add_render_rule("blockquote_open", lambda *_: '<blockquote class="warning">\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    body = markdown.render(to_markdown(title, blocks), {"pictures": pictures})
    page = Environment(loader=PackageLoader(__package__, "."), autoescape=True, keep_trailing_newline=True)
    return page.get_template("report.html.j2").render(title=title, body=body)


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Return Markdown; pictures are links to files in the same folder."""
    return "\n\n".join([f"# {_plain(title)}", *(_markdown(block) for block in blocks)]) + "\n"


def _image(_: RendererProtocol, tokens: Sequence[Token], index: int, __: OptionsDict, env: Mapping[str, Any]) -> str:
    """Return the HTML of a picture, at half its size in pixels."""
    png = env["pictures"][unquote(str(tokens[index].attrs["src"]))]
    width = int.from_bytes(png[16:20], "big") // _PIXELS_AT_FULL_SIZE
    alt = html.escape(tokens[index].content.replace("\\", ""))
    return f'<img width="{width}" alt="{alt}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


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
    escaped = (
        part if number % 2 else re.sub(r"([*_<\[\]]|&(?=#?\w+;))", r"\\\1", part) for number, part in enumerate(parts)
    )
    return "`".join(escaped)
