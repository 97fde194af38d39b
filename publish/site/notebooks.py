"""Pages of the notebooks, with the outputs that their last run left in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pages(language: str, root: Path) -> dict[str, str]:
    """Return the notebooks of a language: file of the repository → page on the site."""
    found = sorted((root / "notebooks" / language).glob("*.ipynb"))
    return {path.relative_to(root).as_posix(): f"notebook-{path.stem}.md" for path in found}


def write_pages(language: str, target: Path, root: Path) -> str:
    """Write the pages of a language and their pictures; return the table of contents that belongs below the list."""
    found = pages(language, root)
    for file, name in found.items():
        book = json.loads((root / file).read_text(encoding="utf-8"))
        parts = [
            part for number, cell in enumerate(book["cells"]) for part in _cell(cell, f"{name[:-3]}-{number}", target)
        ]
        (target / name).write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    names = [Path(name).stem for name in found.values()]
    return "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""]) if names else ""


def _cell(cell: dict[str, Any], name: str, target: Path) -> Iterator[str]:
    """Yield the text of a cell, or its code and what that printed and drew."""
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield text
        return
    yield f"```python\n{text}\n```"
    for number, output in enumerate(cell.get("outputs", [])):
        data = output.get("data", {})
        printed = "".join(output.get("text", data.get("text/plain", "")))
        if "image/png" in data:
            picture = f"{name}-{number}.png"
            (target / picture).write_bytes(base64.b64decode("".join(data["image/png"])))
            yield f"![{printed or 'output'}]({picture})".replace("<", "").replace(">", "")
        elif printed.strip():
            yield f"````text\n{printed.rstrip()}\n````"
