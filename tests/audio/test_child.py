"""The helper process that decodes: what becomes of files when it is gone, and of strange names."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.audio import child
from emovox.audio.child_decoder import ChildDecoder
from emovox.audio.types import Reading

pytestmark = pytest.mark.skipif(not child.is_possible(), reason="this system cannot fork")


def decoded(path: Path, name: str) -> int:
    """Return the number of samples that a child process gives."""
    with path.open("rb") as file:
        decoder = ChildDecoder(file, name=name, reading=Reading(), owned=False, media=False)
        try:
            return sum(block.shape[1] for block in decoder.blocks(4000))
        finally:
            decoder.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16000), 16000)
    return path


def test_a_helper_that_was_killed_is_replaced(recording: Path) -> None:
    assert decoded(recording, "a.wav") == 16000
    for _ in range(5):
        os.kill(child._host(media=False)._process.pid, signal.SIGKILL)
        assert decoded(recording, "a.wav") == 16000


@pytest.mark.parametrize("name", ["x" * 200_000, "\udcff.wav", "a\n\x1b.wav"])
def test_any_name_is_decoded(recording: Path, name: str) -> None:
    assert decoded(recording, name) == 16000
