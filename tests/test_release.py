"""What a release needs: absolute links in the metadata, licences of code and weights, a small source archive."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatch_build.py is a plug-in of hatchling")

from hatch_build import absolute, addresses

ROOT = Path(__file__).parents[1]
ADDRESS = "https://example.org/o/emovox"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_links_of_the_readme_are_absolute_and_their_files_exist() -> None:
    text = absolute((ROOT / "README.md").read_text(encoding="utf-8"), address=ADDRESS, version="1.2.3")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert all(target.startswith(("https://", "#")) for target in targets)
    inside = [re.sub(rf"{ADDRESS}/(blob|raw)/v1\.2\.3/", "", target) for target in targets if ADDRESS in target]
    assert len(inside) > 10
    assert not [path for path in inside if not (ROOT / path.partition("#")[0]).exists()]
    picture = absolute("![demo](docs/demo.png)", address=ADDRESS, version="1.2.3")
    assert picture == f"![demo]({ADDRESS}/raw/v1.2.3/docs/demo.png)", "blob is a page"


def test_addresses_are_those_of_the_version() -> None:
    assert addresses(ADDRESS, "1.2.3")["Changelog"] == f"{ADDRESS}/blob/v1.2.3/CHANGELOG.md"


def test_the_licence_covers_code_and_weights() -> None:
    project = PROJECT["project"]
    assert project["license"].split(" AND ") == ["Apache-2.0", "MIT", "LicenseRef-emovox-weights"]
    shipped = {str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("LICENSE")}
    assert set(project["license-files"]) == {"LICENSE", *shipped}


def test_the_source_archive_has_no_predictions() -> None:
    assert "results" not in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
