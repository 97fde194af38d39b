"""The reference of the Python API: a page of docstrings for each module that docs/api.md lists."""

from __future__ import annotations

import re
from pathlib import Path

_MODULE = re.compile(r"\[`(emovox[\w.]*)`\]\(\.\./(src/emovox/[\w/]+\.py)\)")

PAGE = """# `{module}`

```{{eval-rst}}
.. automodule:: {module}
```
"""


def modules(root: Path) -> dict[str, str]:
    """Return the listed modules: source file → page on the site."""
    page = root / "docs" / "api.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return {
        file: f"api-{module.removeprefix('emovox.').replace('.', '-')}.md" for module, file in _MODULE.findall(text)
    }


def write_pages(target: Path, root: Path) -> str:
    """Write the pages of the listed modules; return the table of contents that belongs below docs/api.md."""
    found = modules(root)
    for file, name in found.items():
        module = file.removeprefix("src/").removesuffix(".py").replace("/", ".")
        (target / name).write_text(PAGE.format(module=module), encoding="utf-8")
    names = [Path(name).stem for name in found.values()]
    return "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""]) if names else ""
