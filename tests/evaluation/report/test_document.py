from __future__ import annotations

from html.parser import HTMLParser

import pytest

from emovox.evaluation.report.document import (
    Alert,
    Block,
    Code,
    Heading,
    Items,
    Picture,
    Table,
    Text,
    to_html,
    to_markdown,
)
from emovox.evaluation.report.style import new_figure, png_of

VOID = {"meta", "img", "br"}
PNG = png_of(new_figure(2, 1))
BLOCKS: list[Block] = [
    Heading("Figures <b> & more"),
    Text("A `code <x>` and a_b*c."),
    Alert("Beware of [this]."),
    Items(("one", "two")),
    Code("emovox evaluate - --predictions 'a<b.csv'"),
    Table(("name", "value"), (("a|b", "1.0"), ("<script>", "2.0"))),
    Picture("my picture.png", 'a "picture"', PNG),
]


class Tags(HTMLParser):
    """Collects text and attributes, and checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.sources: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


def test_the_page_is_whole_and_safe() -> None:
    page = to_html("Report <of> a & b", BLOCKS)
    tags = parsed(page)
    for text in ("Report <of> a & b", "Figures <b> & more", "code <x>", "<script>", "emovox evaluate - --predictions"):
        assert any(text in word for word in tags.words), text
    assert page.count("<script") == 0


def test_the_page_needs_nothing_outside_it() -> None:
    tags = parsed(to_html("t", BLOCKS))
    assert len(tags.sources) == 1
    assert str(tags.sources[0]).startswith("data:image/png;base64,iVBOR")
    assert "url(" not in to_html("t", BLOCKS)


def test_the_page_is_readable_in_light_and_dark() -> None:
    page = to_html("t", BLOCKS)
    assert "prefers-color-scheme: dark" in page
    assert "color-scheme: light dark" in page


def test_pictures_are_shown_at_half_their_pixels() -> None:
    assert 'width="130"' in to_html("t", BLOCKS)


@pytest.mark.parametrize(
    "line",
    [
        "# Report",
        "## Figures \\<b> & more",
        "A `code <x>` and a\\_b\\*c.",
        "> **Warning:** Beware of \\[this\\].",
        "- one",
        "    emovox evaluate - --predictions 'a<b.csv'",
        "| name | value |",
        "| :-- | --: |",
        "| a\\|b | 1.0 |",
        '![a "picture"](my%20picture.png)',
    ],
)
def test_markdown_has_the_same_blocks(line: str) -> None:
    assert line in to_markdown("Report", BLOCKS).splitlines()


def test_columns_of_words_and_of_numbers() -> None:
    table = Table(("a", "b", "c"), (("x", "y", "1"),), names=2)
    assert to_html("t", [table]).count("text-align:left") == 4
    assert "| :-- | :-- | --: |" in to_markdown("t", [table])
