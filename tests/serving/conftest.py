from __future__ import annotations

from collections.abc import Iterator

import pytest

from emovox.runtime.model import Model
from emovox.serving.http import uploads
from emovox.testing import write_toy
from tests.serving.running import Running, running


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
