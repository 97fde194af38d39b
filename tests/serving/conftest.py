from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from emovox.adaptation.speaker import SpeakerProfile
from emovox.runtime.model import Model
from emovox.serving.http import uploads
from emovox.testing import write_toy
from tests.serving.running import Running, running
from tests.serving.school import ANA, KEY, OTHER, exported, teach


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def service(toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield a service with the usual settings; every test leaves it without streams."""
    with running(toy, tmp_path_factory.mktemp("jobs"), max_speed=1e6) as server:
        yield server


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> list[uploads.Upload]:
    """Return the list of uploads that the test makes; it can check that they were deleted."""
    made: list[uploads.Upload] = []
    before = uploads.Upload.__init__

    def note(self: uploads.Upload) -> None:
        before(self)
        made.append(self)

    monkeypatch.setattr(uploads.Upload, "__init__", note)
    return made


@pytest.fixture(scope="module")
def speakers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speakers")


@pytest.fixture(scope="module")
def school(toy: Model, speakers_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield a service that learns, with two keys."""
    jobs, options = tmp_path_factory.mktemp("jobs"), {"keys": (KEY, OTHER), "max_speed": 1e6}
    with running(toy, jobs, learn=True, speakers=str(speakers_folder), max_speakers=3, **options) as server:
        yield server


@pytest.fixture
def taught(school: Running) -> Iterator[SpeakerProfile]:
    """Yield the profile of the speaker ana, whom the first key has taught; all of that key is deleted afterwards."""
    assert teach(school, "ana").status == 200
    yield exported(school, "ana")
    for speaker in school.ask("GET", "/v1/speakers", headers=ANA).json["speakers"]:
        school.ask("DELETE", f"/v1/speakers/{quote(speaker['name'])}", headers=ANA)
