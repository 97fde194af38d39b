"""Find words that a reader stumbles over in sources, documentation and the page's texts: `python -m tests.words`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHERE = (
    *("src/emovox/*.py", "publish/*.py", "studies/*.py", "examples/*.py", "recipes/*.toml"),
    *("*.md", "web/src/text/*.ts", "web/src/index.html"),
)
"""Patterns of `git ls-files`, in which * stands for folders too."""

HABITS = re.compile(
    r"\b(haste|(is|are) told|tells? of|can(not)? be had|somebody|whoever|so many \w+ as|has but|shall|befell|as wished|"
    r"be a worker|dearest|for they were|die again and again|into the grave|tired)\b|\"\"\"Of an? ",
    re.IGNORECASE,
)
"""Old-fashioned or riddling words; CONTRIBUTING.md, "Words", says how to write instead."""

OFF, ON = "<!-- words: off -->", "<!-- words: on -->"
"""Lines from OFF to ON are not checked: they quote such words as examples."""


def finds(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number, from 1, and words of every find; a section without its end is a find too."""
    since = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() in (OFF, ON):
            since = number if line.strip() == OFF else 0
        elif not since:
            yield from ((number, match[0]) for match in HABITS.finditer(line))
    if since:
        yield since, f"{OFF} without {ON}"


def main(root: Path = ROOT) -> int:
    """Print the finds in a repository, and their number by package; return 1 if there are any, else 0."""
    listed = subprocess.run(["git", "ls-files", *WHERE], cwd=root, capture_output=True, text=True, check=True)
    lines, counts = [], Counter[str]()
    for name in listed.stdout.split():
        for number, words in finds((root / name).read_text(encoding="utf-8")):
            lines.append(f"{name}:{number}: {words}")
            counts["/".join(Path(name).parts[:3]) if name.endswith(".py") else Path(name).parts[0]] += 1
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, *(f"{n:4} {name}" for name, n in counts.most_common())]))
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
