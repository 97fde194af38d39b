"""Build the documentation site from docs/, in English and in Chinese.

    python -m publish.site [--output build/site] [--only en]

Warnings of Sphinx are errors, and so are links inside the site that lead nowhere, anything that a page would load from
another machine, and a first page of more than 300 kB. EMOVOX_PROJECT_URL (https://host/owner/emovox) makes links to
files of the repository work; without it they are plain text.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from publish.site.output import faults
from publish.site.pages import LANGUAGES, ROOT, TRY, project_address, sources, stage

SPHINX = {"en": "en", "zh": "zh_CN"}
OTHER = {"en": "zh", "zh": "en"}


def build(output: Path, *, languages: tuple[str, ...] = LANGUAGES, root: Path = ROOT) -> list[str]:
    """Build the site into a folder, replacing what is there.

    Returns:
        What is wrong with it, one line each; empty if nothing is.
    """
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        for language in languages:
            staged = Path(name) / language
            stage(language, staged, root=root, address=project_address())
            folder = output if language == "en" else output / language
            if found := _run_sphinx(language, staged, folder, root):
                return [f"{language}: {line}" for line in found]
    if (local := (root / TRY).parent).is_dir():
        shutil.copytree(local, output / "local")
    return list(faults(output)) if languages == LANGUAGES else []


def _run_sphinx(language: str, staged: Path, output: Path, root: Path) -> list[str]:
    """Build one language in a process of its own, as Sphinx registers things once; return its warnings and errors."""
    pages = ",".join(Path(page).stem for page in sources(OTHER[language], root))
    settings = {"language": SPHINX[language], "other_code": OTHER[language], "other_pages": pages}
    command = [sys.executable, "-m", "sphinx", "--quiet", "--no-color", "--fail-on-warning", "--builder", "html"]
    command += ["--conf-dir", str(Path(__file__).parent), "--doctree-dir", str(staged.with_suffix(".trees"))]
    command += [part for name, value in settings.items() for part in ("--define", f"{name}={value}")]
    done = subprocess.run([*command, str(staged), str(output)], cwd=ROOT, capture_output=True, text=True, check=False)
    for file in ("objects.inv", ".buildinfo"):
        (output / file).unlink(missing_ok=True)
    return [line.replace(f"{staged}/", "") for line in done.stderr.splitlines()] if done.returncode else []


def main() -> int:
    """Build, and print what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--only", choices=LANGUAGES, help="build one language, without the check of links")
    options = parser.parse_args()
    found = build(options.output.resolve(), languages=(options.only,) if options.only else LANGUAGES)
    print(
        "".join(f"{line}\n" for line in found) or f"{options.output}/index.html",
        file=sys.stderr if found else sys.stdout,
    )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
