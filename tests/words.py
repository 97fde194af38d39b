"""Find words that a reader stumbles over in sources, documentation and the page's texts: `python -m tests.words`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHERE = ("src/emovox/*.py", "docs/*.md", "*.md", "web/src/text/*.ts", "web/src/index.html")
HABITS = re.compile(
    r"\b(haste|(is|are) told|can(not)? be had|somebody|whoever|so many \w+ as|has but|shall|befell|as wished|"
    r"be a worker|dearest|for they were|die again and again|into the grave|tired)\b|\"\"\"Of an? ",
    re.IGNORECASE,
)
"""From STYLE: old-fashioned or riddling; say who does what, in the field's terms."""


def found() -> Iterator[tuple[Path, int, str]]:
    """Give file, line and words of every find."""
    listed = subprocess.run(["git", "ls-files", *WHERE], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), start=1):
            yield from ((Path(name), number, match[0]) for match in HABITS.finditer(line))


def main() -> int:
    """Print the finds, then how many there are in each package; the status is 1 if there are any."""
    finds = list(found())
    lines = [f"{path}:{number}: {words}" for path, number, words in finds]
    counts = Counter("/".join(path.parts[:3]) if path.suffix == ".py" else path.parts[0] for path, _, _ in finds)
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, *(f"{n:4} {name}" for name, n in counts.most_common())]))
    return bool(finds)


if __name__ == "__main__":
    sys.exit(main())
