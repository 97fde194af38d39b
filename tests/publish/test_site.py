"""The documentation site: links of pages, Chinese pages beside English ones, and what is checked of the result."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from publish.site.__main__ import build
from publish.site.generated import Phrases, chinese_page
from publish.site.notebooks import write_pages
from publish.site.output import faults
from publish.site.pages import LANGUAGES, TRY, contents, outside_code, rewritten, sources, stage
from publish.site.stamps import source_hash, stamped, with_blocks
from publish.site.translations import faults as stale
from publish.site.translations import long_pages

ADDRESS = "https://example.org/team/emovox"

INDEX = "# {title}\n\n![a](pictures/a.png)\n\n## {part}\n\n[Next](next.md)\n"
NEXT = "# {title}\n\nSee [index](index.md#{anchor}) and [code](../src/code.py).\n\n| b | n |\n|---|---|\n| x | 2 |\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two pages in both languages."""
    (tmp_path / "docs" / "zh").mkdir(parents=True)
    (tmp_path / "docs" / "pictures").mkdir()
    shutil.copyfile(Path(__file__).parents[2] / "docs" / "demo.png", tmp_path / "docs" / "pictures" / "a.png")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("")
    (tmp_path / "docs" / "index.md").write_text(INDEX.format(title="Pages", part="Tutorial"))
    (tmp_path / "docs" / "next.md").write_text(NEXT.format(title="Next", anchor="tutorial"))
    chinese = {
        "index.md": INDEX.format(title="页面", part="教程").replace("(pictures", "(../pictures"),
        "next.md": NEXT.format(title="下一页", anchor="教程").replace("(../src", "(../../src"),
    }
    for name, text in chinese.items():
        page = stamped(text, tmp_path / "docs" / name, tmp_path)
        (tmp_path / "docs" / "zh" / name).write_text(page, encoding="utf-8")
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "language", "link", "expected"),
    [
        ("docs/predict.md", "en", "[a](vad.md#tiles)", "[a](vad.md#tiles)"),
        ("docs/predict.md", "en", "[a](../RESPONSIBLE_USE.md)", "[a](responsible-use.md)"),
        ("docs/predict.md", "en", "[a](../README.md)", "[a](index.md)"),
        ("docs/predict.md", "en", "[a](../README.zh-CN.md)", "[a](site:zh/index.html)"),
        ("docs/predict.md", "en", "[a](../recipes/svm.toml)", f"[a]({ADDRESS}/blob/main/recipes/svm.toml)"),
        ("docs/predict.md", "en", "[a](../recipes)", f"[a]({ADDRESS}/tree/main/recipes)"),
        ("docs/zh/predict.md", "zh", "[a](index.md)", "[a](index.md)"),
        ("docs/zh/predict.md", "zh", "[a](../vad.md#tiles)", "[a](site:../vad.html#tiles)"),
        ("docs/zh/predict.md", "zh", "![a](../pictures/tsne-speaker.png)", "![a](pictures/tsne-speaker.png)"),
        ("docs/zh/predict.md", "zh", "[a](../../CONTRIBUTING.md)", "[a](site:../contributing.html)"),
        ("docs/notebooks.md", "en", "[a](../notebooks/zh/1-guide.ipynb)", "[a](site:zh/notebook-1-guide.html)"),
        ("docs/zh/index.md", "zh", f"[a](../../{TRY})", "[a](site:../local/index.html)"),
        ("CONTRIBUTING.md", "en", "[a](docs/vad.md)", "[a](vad.md)"),
        ("docs/predict.md", "en", "[a](https://example.org) [b](#c)", "[a](https://example.org) [b](#c)"),
        ("docs/predict.md", "en", "`[a](../src)`\n```\n[a](../src)\n```\n", "`[a](../src)`\n```\n[a](../src)\n```\n"),
    ],
)
def test_links_lead_to_the_same_on_the_site(page: str, language: str, link: str, expected: str) -> None:
    assert rewritten(link, page=page, language=language, address=ADDRESS) == expected


def test_without_an_address_links_to_files_are_plain_text() -> None:
    assert rewritten("see [the `recipe`](../recipes/svm.toml).", page="docs/a.md", language="en") == "see the `recipe`."


def test_code_is_left_alone() -> None:
    assert outside_code("a `a` a\n~~~\na\n~~~\na", str.upper) == "A `a` A\n~~~\na\n~~~\nA"


def test_the_index_lists_every_page() -> None:
    for language in LANGUAGES:
        pages = sources(language)
        listed = contents(pages["index.md"].read_text(encoding="utf-8"))
        missing = [name for name in pages if name != "index.md" and f"\n{Path(name).stem}\n" not in listed]
        own = [name for name in missing if "docs" in pages[name].parts]
        assert not own, f"docs/{'' if language == 'en' else language + '/'}index.md links to none of them"


def test_both_languages_are_built_and_complete(repository: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert build(site, root=repository) == []
    for page, other in (("index.html", "zh/index.html"), ("zh/next.html", "../next.html")):
        assert f'href="{other}" lang=' in (site / page).read_text(encoding="utf-8"), page
    index = (site / "zh" / "searchindex.js").read_text(encoding="utf-8").encode().decode("unicode_escape")
    assert '"一页":' in index
    change(site / "zh" / "next.html", 'href="../next.html"', 'href="../gone.html#top"')
    change(site / "next.html", 'href="index.html#tutorial"', 'href="index.html#gone"')
    change(site / "index.html", "</head>", '<script src="https://cdn.example.org/a.js"></script></head>')
    (site / "_static" / "made.css").write_text("@import url('https://fonts.example.org/a.css');")
    (site / "_images" / "a.png").write_bytes(bytes(400_000))
    found = "\n".join(faults(site))
    for part in (
        "zh/next.html: ../gone.html#top leads nowhere",
        "next.html: index.html#gone: the page has no such place",
        "index.html: loads https://cdn.example.org/a.js from another machine",
        "_static/made.css: loads url('https://fonts.example.org/a.css from another machine",
        "expected at most 300000",
    ):
        assert part in found


def test_a_warning_of_sphinx_is_an_error(repository: Path, tmp_path: Path) -> None:
    change(repository / "docs" / "next.md", "index.md", "gone.md")
    (message,) = build(tmp_path / "site", languages=("en",), root=repository)
    assert "next.md:3: WARNING" in message
    assert "gone.md" in message


def test_a_notebook_becomes_a_page_with_its_outputs(repository: Path, tmp_path: Path) -> None:
    pixel = base64.b64encode(b"png").decode()
    outputs = [{"text": ["3\n"]}, {"data": {"image/png": pixel, "text/plain": ["<Figure>"]}}]
    cells = [
        {"cell_type": "markdown", "source": ["# One"]},
        {"cell_type": "code", "source": ["1 + 2"], "outputs": outputs},
    ]
    (repository / "notebooks" / "en").mkdir(parents=True)
    (repository / "notebooks" / "en" / "1-a.ipynb").write_text(json.dumps({"cells": cells}))
    assert "notebook-1-a" in write_pages("en", tmp_path, repository)
    page = "# One\n\n```python\n1 + 2\n```\n\n````text\n3\n````\n\n![Figure](notebook-1-a-1-1.png)\n"
    assert (tmp_path / "notebook-1-a.md").read_text(encoding="utf-8") == page
    assert (tmp_path / "notebook-1-a-1-1.png").read_bytes() == b"png"


def test_staging_replaces_what_was_there(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "staged").mkdir()
    (tmp_path / "staged" / "old.md").write_text("old")
    stage("zh", tmp_path / "staged", root=repository)
    assert {path.name for path in (tmp_path / "staged").iterdir()} == {"index.md", "next.md", "pictures"}


def test_chinese_lines_are_joined_without_a_space(repository: Path, tmp_path: Path) -> None:
    change(repository / "docs" / "zh" / "next.md", "See", "第一行，\n第二行。\n\n- 一\n  二\n\nSee")
    stage("zh", tmp_path / "staged", root=repository)
    assert "第一行，第二行。\n\n- 一二\n\nSee" in (tmp_path / "staged" / "next.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda docs: (docs / "zh" / "next.md").unlink(), "docs/zh/next.md: is missing"),
        (lambda docs: change(docs / "next.md", "See", "Look at"), "docs/zh/next.md: is stale: docs/next.md changed"),
        (lambda docs: (docs / "zh" / "more.md").write_text("# 多\n"), "docs/zh/more.md: has no English page"),
        (lambda docs: change(docs / "zh" / "next.md", "docs/next.md sha", "docs/other.md sha"), "does not begin with"),
        (lambda docs: change(docs / "zh" / "next.md", "[index](index.md#教程)", "index"), "has other links"),
        (lambda docs: change(docs / "zh" / "index.md", "## ", "### "), "has other sections"),
        (lambda docs: change(docs / "zh" / "index.md", "## ", "```python\nx\n```\n\n## "), "has other blocks of code"),
    ],
)
def test_a_chinese_page_that_is_not_up_to_date_is_found(
    spoil: Callable[[Path], object], fault: str, repository: Path
) -> None:
    assert list(stale(repository)) == []
    spoil(repository / "docs")
    (found,) = stale(repository)
    assert fault in found


def test_generated_tables_are_equal_and_not_part_of_the_hash() -> None:
    pages = [f"a\n<!-- t:begin -->\n{table}\n<!-- t:end -->\nz\n" for table in ("old", "new")]
    assert source_hash(pages[0]) == source_hash(pages[1])
    assert with_blocks(pages[0].replace("a\n", "甲\n"), pages[1]) == pages[1].replace("a\n", "甲\n")


def test_generated_pages_are_put_together_from_phrases() -> None:
    english = "# Two\n\nOf 3 clips:\n\n| a b | c |\n| --- | --- |\n| x | 1 |\n\n- One item,\n  long\n- Unknown words\n"
    phrases = Phrases("Two\n=> 二\n\nOf {} clips:\n=> {1} 个样本：\n\nOne item, long\n=> 一项\n\na b\n=> 甲乙\n")
    expected = "# 二\n\n3 个样本：\n\n| 甲乙 | c |\n| --- | --- |\n| x | 1 |\n\n- 一项\n- Unknown words\n"
    assert chinese_page(english, phrases) == expected
    assert phrases.missing == ["Unknown words"]


def test_every_chinese_page_is_up_to_date() -> None:
    assert [*stale(), *long_pages()] == []


def test_pages_that_are_too_long_are_found(repository: Path) -> None:
    assert list(long_pages(repository)) == []
    change(repository / "docs" / "next.md", "See", "word " * 1500)
    assert "expected at most 1500" in next(long_pages(repository))
