"""What the READMEs and the pages of docs/ say is so: commands, output, links, versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from emovox.schema.errors import AudioError, MissingExtraError
from publish.site.pages import TRANSLATED
from tests.readme import (
    DEMO,
    DEMO_CLOSING,
    DEMO_COMMAND,
    PICTURE,
    PREDICT,
    READMES,
    ROOT,
    STARTS,
    STREAMING,
    TESTING,
    blocks,
    can_run,
    commands,
    help_text,
    run,
    run_script,
    scripts,
    workplace,
)

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ENGLISH, CHINESE, START, *OTHERS = (
    path.read_text(encoding="utf-8") for path in (*READMES, STARTS[0], PREDICT, STREAMING, TESTING)
)
PREDICTION = OTHERS[0]
RUN = ENGLISH + START
"""Pages whose commands run."""

SCRIPTED = (START, *OTHERS)
"""Pages whose Python blocks run."""

FIRST_SCREEN = 45
"""Lines of a page that a window shows."""

SCORE_TOLERANCE = 0.02
"""Between systems and versions of ONNX Runtime the scores shown may differ in the last digit."""

OUTER_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
"""What the make that runs the tests would hand down: its variables and its flags."""

NUMBER = re.compile(r"\d+\.\d+")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workplace(tmp_path_factory.mktemp("readme"))


def check_same(shown: str, printed: str) -> None:
    """Equal texts, but for `…` lines, and decimals within the tolerance."""
    shown, ellipsis, rest = shown.partition("…\n")
    assert rest == "", "a page shows the first lines only, or all of them"
    if ellipsis:
        printed = "".join(printed.splitlines(keepends=True)[: shown.count("\n")])
    assert NUMBER.sub("#", shown) == NUMBER.sub("#", printed)
    expected, got = ([float(text) for text in NUMBER.findall(page)] for page in (shown, printed))
    assert got == pytest.approx(expected, abs=SCORE_TOLERANCE)


def test_the_comparison_can_fail() -> None:
    check_same("happy 0.71\n…\n", "happy 0.70\nmore\n")
    with pytest.raises(AssertionError):
        check_same("happy 0.71\n", "sad 0.71\n")
    with pytest.raises(AssertionError):
        check_same("happy 0.71\n", "happy 0.61\n")


def test_both_languages_have_the_same_blocks() -> None:
    assert blocks(ENGLISH) == blocks(CHINESE)
    assert len(commands(ENGLISH)) == 2


@pytest.mark.parametrize("command", [c for c in commands(RUN) if c.output], ids=lambda c: str(c.line))
def test_commands_print_what_is_shown(command: Any, folder: Path) -> None:
    assert can_run(command.line), "output is shown of a command that no test runs"
    check_same(command.output, run(command.line, folder))


@pytest.mark.parametrize(("code", "shown"), [pair for page in SCRIPTED for pair in scripts(page)])
def test_python_prints_what_is_shown(code: str, shown: str, folder: Path) -> None:
    check_same(shown, run_script(code, folder))


def test_commands_that_are_not_run_have_options_that_exist() -> None:
    lines = [command.line for page in PAGES for command in commands(page.read_text(encoding="utf-8"))]
    ours = [line for line in lines if line.startswith("emovox ")]
    assert len(ours) >= 10
    for line in ours:
        assert set(re.findall(r" (--[a-z-]+)", line)) <= set(re.findall(r"--[a-z-]+", help_text(line))), line


def test_every_python_block_shows_its_output() -> None:
    for page in SCRIPTED:
        assert len(scripts(page)) == sum(block.language == "python" for block in blocks(page)) > 0


def test_the_page_on_prediction_names_every_code() -> None:
    listed = re.findall(r"^\| `([a-z_]+)` \|", PREDICTION, re.MULTILINE)
    light = [path for layer in ("audio", "runtime") for path in (ROOT / "src" / "emovox" / layer).glob("*.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in light)
    warnings = set(re.findall(r'Notice\(\s*"([a-z_]+)"', sources))
    errors = {error.code for error in AudioError.__subclasses__()} | {MissingExtraError.code}
    assert len(warnings) >= 5
    assert len(errors) >= 7
    assert warnings | errors <= set(listed)


def test_the_picture_of_the_demo_is_there() -> None:
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert f"({PICTURE.name})" in START


def test_the_demo_of_the_makefile_is_the_one_that_is_tested() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    # -o: as if the environment were there and new
    dry = ["make", "--dry-run", "--no-print-directory", "-o", ".venv/demo.done", "demo"]
    alone = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    done = subprocess.run(dry, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.replace("'", "").partition("bin/")[2] == DEMO_COMMAND
    assert second == f"echo '{DEMO_CLOSING.strip()}'"
    assert DEMO in [command.line for command in commands(START)]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.name))
def test_make_targets_and_extras_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", text)) <= targets
    extras = {
        name for group in re.findall(r"pip install '(?:emovox|\.)\[([a-z,]+)\]'", text) for name in group.split(",")
    }
    assert extras <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.name))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_links_are_found() -> None:
    assert len(PAGES) >= 9
    assert len(re.findall(r"\]\(docs/", ENGLISH)) >= 4


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_first_screen_leads_to_responsible_use(page: str) -> None:
    assert re.search(r"\((RESPONSIBLE_USE|docs/zh/responsible-use)\.md\)", "\n".join(page.splitlines()[:FIRST_SCREEN]))


def test_both_languages_have_the_same_tables_of_figures() -> None:
    marked = re.compile(r"<!-- results:begin -->.*?<!-- results:end -->", re.DOTALL)
    assert [marked.findall(page) for page in (ENGLISH, CHINESE)] == [marked.findall(ENGLISH)] * 2
    (table,) = marked.findall(ENGLISH)
    assert 3 <= table.count("\n| ") <= 10, "head, rule and at most eight rows"


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_a_readme_is_one_screen(page: str) -> None:
    assert len(page.splitlines()) <= FIRST_SCREEN


def test_both_languages_have_the_same_links_and_sections() -> None:
    links = [re.findall(r"\]\((?!README)([^)#]+)", page) for page in (ENGLISH, CHINESE)]
    counterparts = [TRANSLATED.get(Path(link).name, link.replace("docs/zh/", "docs/")) for link in links[1]]
    assert links[0] == counterparts
    sections = [re.findall(r"^(#+) ", page, re.MULTILINE) for page in (ENGLISH, CHINESE)]
    assert sections[0] == sections[1]


def test_requirements_are_extras_of_the_package() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (wanted,) = (line for line in lines if not line.startswith("#"))
    named = re.fullmatch(r"\.\[([a-z,]+)\]", wanted)
    assert named
    assert {"evaluate", "notebooks"} <= set(named[1].split(",")) <= set(PROJECT["optional-dependencies"])


def test_constraints_pin_what_every_extra_needs() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if not line.startswith("#")}
    wanted = {re.split(r"[\[<>=; ]", text)[0].lower() for text in requires("emovox") or []} - {"emovox"}
    assert len(wanted) > 15
    assert wanted - pinned == set()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if not line.startswith("#"))
