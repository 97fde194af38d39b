"""Chinese forms of the pages that `make results` generates, put together from a list of phrases.

    python -m publish.site.generated        # write docs/zh/{models,results,speed}.md

`phrases.txt` has an English pattern and behind `=>` its Chinese text, one pair after another. `{}` stands for anything,
such as a number; `{1}`, `{2}` put these into the Chinese text. Paragraphs, headings and items of lists need a phrase;
cells of tables stay English without one. `publish.site.translations` lists what has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from publish.site.pages import ROOT
from publish.site.stamps import stamped

GENERATED = ("models.md", "results.md", "speed.md")
PHRASES = Path(__file__).with_name("phrases.txt")

_WORDS = re.compile(r"[A-Z][a-z]|[a-z]{2} ")
"""What a phrase has; a single small word is the name of a model."""

_PREFIX = re.compile(r"^(#+ |- |)")


class Phrases:
    r"""Patterns and their Chinese texts.

    >>> Phrases("{} clips of {}\n=> {2} 的 {1} 个样本").translated("40 clips of Ana")
    'Ana 的 40 个样本'
    """

    def __init__(self, text: str) -> None:
        pairs = re.findall(r"^(.+)\n=> (.*)$", text, re.MULTILINE)
        self._exact: dict[str, str] = {english: chinese for english, chinese in pairs if "{}" not in english}
        self._patterns: list[tuple[re.Pattern[str], str]] = [
            (_pattern(english), chinese) for english, chinese in pairs if "{}" in english
        ]
        self.missing: list[str] = []

    def translated(self, text: str, *, needed: bool = True) -> str:
        """Return the Chinese text of a phrase; itself, and a note in `missing`, where there is none."""
        if text in self._exact:
            return self._exact[text]
        for pattern, chinese in self._patterns:
            if found := pattern.fullmatch(text):
                parts = (self.translated(part, needed=False) for part in found.groups())
                return chinese.format("", *parts)
        if needed and _WORDS.search(re.sub(r"`[^`]*`", "", text)):
            self.missing.append(text)
        return text


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, english.split("{}"))))


def chinese_page(english: str, phrases: Phrases) -> str:
    """Return the Chinese form of a generated page."""
    return "\n\n".join(_block(block, phrases) for block in _blocks(english)) + "\n"


def _blocks(page: str) -> Iterator[str]:
    """Yield paragraphs, headings, lists, tables and blocks of code."""
    for part in re.split(r"(^```.*?^```$)", page, flags=re.MULTILINE | re.DOTALL):
        yield from [part] if part.startswith("```") else filter(None, map(str.strip, re.split(r"\n{2,}", part)))


def _block(block: str, phrases: Phrases) -> str:
    if block.startswith("```"):
        return block
    lines = block.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("| ")), len(lines))
    text, table = lines[:first], lines[first:]
    after = next((number for number, line in enumerate(table) if not line.startswith("|")), len(table))
    parts = [_paragraph("\n".join(text), phrases)] if text else []
    parts += ["\n".join(_row(line, phrases) for line in table[:after])] if table else []
    parts += [_block("\n".join(table[after:]), phrases)] if table[after:] else []
    return "\n\n".join(parts)


def _paragraph(text: str, phrases: Phrases) -> str:
    """Translate a paragraph, a heading, or each item of a list."""
    items = re.split(r"\n(?=- |#|!\[)", text)
    return "\n".join(_item(" ".join(item.split()), phrases) for item in items)


def _item(text: str, phrases: Phrases) -> str:
    prefix = (_PREFIX.match(text) or [""])[0]
    return prefix + phrases.translated(text.removeprefix(prefix)).replace("](pictures/", "](../pictures/")


def _row(line: str, phrases: Phrases) -> str:
    if set(line) <= set("|-: "):
        return line
    return "| " + " | ".join(phrases.translated(cell, needed=False) for cell in line[2:-2].split(" | ")) + " |"


def made(name: str, root: Path = ROOT) -> tuple[str, list[str]]:
    """Return a Chinese page as it is to be, and what has no phrase."""
    phrases = Phrases(PHRASES.read_text(encoding="utf-8"))
    page = chinese_page((root / "docs" / name).read_text(encoding="utf-8"), phrases)
    return stamped(page, root / "docs" / name, root), phrases.missing


def write() -> None:
    """Write the pages, and print what has no Chinese phrase."""
    for name in GENERATED:
        page, missing = made(name)
        (ROOT / "docs" / "zh" / name).write_text(page, encoding="utf-8")
        print("".join(f"docs/zh/{name}: no phrase for: {text}\n" for text in dict.fromkeys(missing)), end="")


if __name__ == "__main__":
    write()
