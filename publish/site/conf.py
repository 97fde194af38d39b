"""Configuration of Sphinx for both languages; `publish.site` gives the language and what to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.highlighting import lexers
from sphinx.search import languages

from emovox import __version__
from publish.site.chinese import PairSearch

HERE = Path(__file__).parent

project = "emovox"
author = "The emovox authors"
version = release = __version__
html_title = f"emovox {version}"
html_theme = "furo"
templates_path = [str(HERE / "templates")]
html_static_path = [str(HERE / "static")]
html_favicon = str(HERE / "static" / "favicon.svg")
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {
    "**": [
        "sidebar/brand.html", "sidebar/search.html", "sidebar/scroll-start.html", "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}  # fmt: skip
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

lexers["csv"] = TextLexer()  # Pygments has none
languages["zh"] = PairSearch

extensions = ["myst_parser", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "site": "{{path}}#{{fragment}}"}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes are documented once, by their class
suppress_warnings = ["ref.python"]  # one name of two classes in a type: the link goes to one of them
default_role = "code"
nitpicky = False


LABELS = {
    "zh": {"pages": "Pages", "sections": "Sections of this page"},
    "en": {"pages": "页面", "sections": "本页的小节"},
}
"""What a screen reader says of both sidebars, by the code of the other language."""


def language_of(app: Sphinx, name: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Tell the templates where the same page is in the other language, and what the page is about."""
    code = app.config.other_code
    there = (
        f"{name}.html" if name in app.config.other_pages.split(",") or name in ("search", "genindex") else "index.html"
    )
    up = "../" * name.count("/")
    context["other_language"] = up + (f"zh/{there}" if code == "zh" else f"../{there}")
    context["other_code"], context["other_name"] = code, {"zh": "中文", "en": "English"}[code]
    title = context.get("title", project)
    context["labels"] = LABELS[code]
    context["description"] = {"zh": f"emovox documentation: {title}", "en": f"emovox 文档：{title}"}[code]


def plain_bars(_app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Keep |x| of a docstring as it is; in reStructuredText it would be replaced by something."""
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else line.replace("|", r"\|") for line in lines]


def setup(app: Sphinx) -> None:
    """Connect the templates."""
    app.add_config_value("other_code", "zh", "html")
    app.add_config_value("other_pages", "", "html")
    app.connect("html-page-context", language_of)
    app.connect("autodoc-process-docstring", plain_bars)
