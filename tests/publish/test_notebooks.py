"""The notebooks are those of their sources, in both languages, and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

from publish import notebooks
from publish.notebooks import build, code_of, problems, run, sources, unpaired, write

FAST = ("1-guide", "6-real-time")
"""Notebooks that run in every test run, with less data; the others take longer."""

SOURCE = """# %% [markdown] lang="en"
# Two.

# %% [markdown] lang="zh"
# 二。

# %%
print(1 + 1)
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    path = tmp_path / "source" / "1-two.py"
    path.parent.mkdir()
    path.write_text(SOURCE, encoding="utf-8")
    return path


def written(source: Path, change: Any = None) -> list[Path]:
    """Write notebooks without a run; `change` may alter the Chinese one."""
    paths = []
    for language in notebooks.LANGUAGES:
        book = build(source, language)
        if change and language == "zh":
            change(book)
        paths.append(notebooks.notebook(source, language))
        paths[-1].parent.mkdir(exist_ok=True)
        nbformat.write(book, paths[-1])
    return paths


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
def test_the_notebooks_are_those_of_their_source(source: Path) -> None:
    assert problems(source) == []


@pytest.mark.parametrize("name", FAST)
def test_notebooks_run(name: str) -> None:
    book = run(notebooks.FOLDER / "source" / f"{name}.py", quick=True)
    assert sum(len(cell.get("outputs", [])) for cell in book.cells) > 3


@pytest.mark.slow
@pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
def test_notebooks_run_in_full(source: Path) -> None:
    assert code_of(run(source).cells) == code_of(build(source, "en").cells)


def test_both_languages_have_one_code_and_the_outputs_of_one_run(source: Path) -> None:
    english, chinese = (nbformat.read(path, as_version=4) for path in write(source))
    assert [cell.source for cell in english.cells] == ["Two.", "print(1 + 1)"]
    assert [cell.source for cell in chinese.cells] == ["二。", "print(1 + 1)"]
    assert english.cells[1].outputs == chinese.cells[1].outputs
    assert english.cells[1].outputs[0].text == "2\n"
    assert problems(source) == []


def test_outputs_are_kept_until_the_code_changes(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(source)
    monkeypatch.setattr(notebooks, "run", lambda _: pytest.fail("ran"))
    source.write_text(SOURCE.replace("Two.", "Three."), encoding="utf-8")
    english, _ = (nbformat.read(path, as_version=4) for path in write(source))
    assert english.cells[0].source == "Three."
    assert english.cells[1].outputs[0].text == "2\n"
    source.write_text(SOURCE.replace("1 + 1", "1 + 2"), encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="ran"):
        write(source)


def test_absent_notebooks_are_found(source: Path) -> None:
    assert ["is missing" in line for line in problems(source)] == [True, True]


def test_changed_text_and_changed_code_are_found(source: Path) -> None:
    written(source)
    source.write_text(SOURCE.replace("Two.", "Three."), encoding="utf-8")
    (found,) = problems(source)
    assert found.startswith(str(notebooks.notebook(source, "en")))
    source.write_text(SOURCE.replace("1 + 1", "1 + 2"), encoding="utf-8")
    assert len(problems(source)) == 2


def test_other_code_in_one_language_is_found(source: Path) -> None:
    written(source, lambda book: book.cells[1].update(source="print(3)"))
    text = "\n".join(problems(source))
    assert "outputs belong to other code" in text
    assert "its code is not that of" in text


def test_other_outputs_in_one_language_are_found(source: Path) -> None:
    output = nbformat.v4.new_output("stream", text="3\n")
    written(source, lambda book: book.cells[1].outputs.append(output))
    assert "its outputs are not those of" in "\n".join(problems(source))


def test_a_large_notebook_is_found(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(source)
    monkeypatch.setattr(notebooks, "LARGEST", 100)
    assert ["expected at most 100" in line for line in problems(source)] == [True, True]


def test_a_text_in_one_language_alone_is_found(source: Path) -> None:
    cells = jupytext.reads(SOURCE.replace('lang="zh"', 'lang="fr"'), fmt="py:percent").cells
    assert "got texts in ['en', 'fr']" in unpaired(cells)[0]


def test_a_run_sees_no_corpora(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVOX_CORPORA", "/corpora")
    source.write_text('# %%\nimport os\n\nprint(os.environ.get("EMOVOX_CORPORA"))\n', encoding="utf-8")
    assert run(source).cells[0].outputs[0].text == "None\n"


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["notebooks", "9-none"])
    with pytest.raises(SystemExit):
        notebooks.main()
    assert "no source is called 9-none; see notebooks/source" in capsys.readouterr().err
