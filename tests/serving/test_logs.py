"""The form of the log."""

from __future__ import annotations

import json
import logging

import pytest

from emovox.serving.logs import set_up
from emovox.serving.settings import ServiceSettings


def test_asyncio_writes_in_the_form_of_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("emovox.serving", "uvicorn.error", "python_multipart", "asyncio"):
        for attribute in ("handlers", "propagate", "level"):
            monkeypatch.setattr(logging.getLogger(name), attribute, getattr(logging.getLogger(name), attribute))
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "disabled", True)
    set_up(ServiceSettings(log="json"))
    logging.getLogger("asyncio").error("a task failed")
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["event"]) == ("error", "a task failed")
