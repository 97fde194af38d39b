"""Build the notebooks: one source of code and two languages, run once, with the outputs of that run in both.

    python -m publish.notebooks [NAME …]      # write notebooks/en and notebooks/zh; run those whose code has changed
    python -m publish.notebooks --again       # run all
    python -m publish.notebooks --check       # are the notebooks those of their sources? runs nothing

A source is `notebooks/source/NAME.py` in jupytext's percent format. A text cell carries its language:
`# %% [markdown] lang="en"` or `lang="zh"`. Code cells have none, so both notebooks have the same code.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent.parent / "notebooks"
LANGUAGES = ("en", "zh")

LARGEST = 300_000
"""Greatest size of a notebook in bytes: pages that render notebooks stay fast."""

PATIENCE = 600
"""Seconds that a cell may take on a busy machine."""

OWN = ("EMOVOX_CORPORA", "EMOVOX_NOISE", "EMOVOX_WEIGHTS", "EMOVOX_MODELS", "EMOVOX_MODELS_FROM")
"""Variables that are not set in a run: outputs come from generated speech, on every machine."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def sources() -> list[Path]:
    """Return the sources, in the order of their numbers."""
    return sorted((FOLDER / "source").glob("*.py"))


def build(source: Path, language: str) -> Any:
    """Return the notebook of a source in one language, without outputs."""
    book = jupytext.read(source, fmt="py:percent")
    cells = [cell for cell in book.cells if cell.metadata.get("lang", language) == language]
    for number, cell in enumerate(cells, start=1):
        cell.metadata, cell.id = {}, f"cell-{number}"
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={**about, "language_info": {"name": "python"}, "emovox": {"code": code_hash(cells)}}
    )


def code_hash(cells: Sequence[Any]) -> str:
    """Return a hash of the code cells, which says to which code outputs belong."""
    return hashlib.sha256("\0".join(code_of(cells)).encode()).hexdigest()[:16]


def code_of(cells: Sequence[Any]) -> list[str]:
    """Return the text of each code cell."""
    return [cell.source for cell in cells if cell.cell_type == "code"]


def run(source: Path, *, quick: bool = False) -> Any:
    """Run the English notebook of a source in a new process and an empty folder, and return it with its outputs.

    Args:
        source: a file of `sources`.
        quick: whether to set `EMOVOX_NOTEBOOK_QUICK`, with which a notebook generates less.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    book = build(source, LANGUAGES[0])
    with tempfile.TemporaryDirectory() as folder:
        environ = {name: value for name, value in os.environ.items() if name not in OWN}
        environ |= {"EMOVOX_CACHE": folder, "EMOVOX_SPEAKERS": folder, "EMOVOX_NOTEBOOK_QUICK": "1" if quick else ""}
        place = {"metadata": {"path": folder}}
        client = NotebookClient(
            book, timeout=PATIENCE, kernel_name="python3", resources=place, record_timing=False, coalesce_streams=True
        )
        client.execute(env=environ)
    for output in outputs_of(book):
        if "text" in output:
            output.text = _COLOURS.sub("", output.text)
        if picture := output.get("data", {}).get("image/png"):
            output.data["image/png"] = with_few_colours(picture)
    return book


def with_few_colours(picture: str) -> str:
    """Return a PNG with a palette of 64 colours, a third of the size; both in base64."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def outputs_of(book: Any) -> Iterator[Any]:
    """Yield the outputs of all cells."""
    for cell in book.cells:
        yield from cell.get("outputs", [])


def write(source: Path, *, again: bool = False) -> list[Path]:
    """Write the notebook of a source in both languages; run it if `again`, or if its outputs belong to other code."""
    made = (None if again else kept(source)) or run(source)
    results = [(cell.outputs, cell.execution_count) for cell in made.cells if cell.cell_type == "code"]
    paths = []
    for language in LANGUAGES:
        book = build(source, language)
        cells = (cell for cell in book.cells if cell.cell_type == "code")
        for cell, (outputs, count) in zip(cells, results, strict=True):
            cell.outputs, cell.execution_count = outputs, count
        paths.append(notebook(source, language))
        paths[-1].parent.mkdir(exist_ok=True)
        nbformat.write(book, paths[-1])
    return paths


def kept(source: Path) -> Any:
    """Return the English notebook as it is, if its outputs belong to the code of its source; else None."""
    path = notebook(source, LANGUAGES[0])
    if not path.is_file():
        return None
    book, wanted = nbformat.read(path, as_version=4), build(source, LANGUAGES[0])
    return book if code_of(book.cells) == code_of(wanted.cells) and book.metadata == wanted.metadata else None


def notebook(source: Path, language: str) -> Path:
    """Return the path of the notebook of a source."""
    return FOLDER / language / f"{source.stem}.ipynb"


def problems(source: Path) -> list[str]:
    """Return what is wrong with the notebooks of a source; each line says what to do."""
    again = f"run python -m publish.notebooks {source.stem}"
    paths = [notebook(source, language) for language in LANGUAGES]
    if missing := [path for path in paths if not path.is_file()]:
        return [f"{path}: is missing; {again}" for path in missing]
    found = [f"{source}: {line}" for line in unpaired(jupytext.read(source, fmt="py:percent").cells)]
    books = [nbformat.read(path, as_version=4) for path in paths]
    for language, path, book in zip(LANGUAGES, paths, books, strict=True):
        if [_text(cell) for cell in book.cells] != [_text(cell) for cell in build(source, language).cells]:
            found.append(f"{path}: is not that of its source; {again}")
        if book.metadata.emovox.code != code_hash(book.cells):
            found.append(f"{path}: its outputs belong to other code; {again}")
        if (size := path.stat().st_size) > LARGEST:
            found.append(f"{path}: has {size} bytes, expected at most {LARGEST}; show smaller pictures, and {again}")
    if code_of(books[0].cells) != code_of(books[1].cells):
        found.append(f"{paths[1]}: its code is not that of {paths[0]}; {again}")
    if list(outputs_of(books[0])) != list(outputs_of(books[1])):
        found.append(f"{paths[1]}: its outputs are not those of {paths[0]}; {again}")
    return found


def unpaired(cells: Sequence[Any]) -> list[str]:
    """Return a line for each place where a text is there in one language alone, or names none."""
    lines, texts = [], []
    for number, cell in enumerate([*cells, None]):
        if cell is not None and cell.cell_type == "markdown":
            texts.append(cell.metadata.get("lang"))
            continue
        if texts.count("en") != texts.count("zh") or set(texts) - set(LANGUAGES):
            lines.append(f'before cell {number}: got texts in {texts}, expected each in lang="en" and lang="zh"')
        texts = []
    return lines


def _text(cell: Any) -> tuple[str, str]:
    return cell.cell_type, cell.source


def main() -> int:
    """Run or check the notebooks; return 1 if a check finds something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of sources, without .py; default: all")
    parser.add_argument("--again", action="store_true", help="run notebooks whose code has not changed, too")
    parser.add_argument("--check", action="store_true", help="compare notebooks with their sources, and run nothing")
    options = parser.parse_args()
    chosen = [source for source in sources() if not options.names or source.stem in options.names]
    if unknown := set(options.names) - {source.stem for source in chosen}:
        parser.error(f"no source is called {', '.join(sorted(unknown))}; see notebooks/source")
    if options.check:
        found = [line for source in chosen for line in problems(source)]
        sys.stdout.write("".join(f"{line}\n" for line in found))
        return bool(found)
    for source in chosen:
        print(*(f"{path}: {path.stat().st_size} bytes" for path in write(source, again=options.again)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
