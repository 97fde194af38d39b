"""A recording is readable whenever the process ends, and never replaces another file unasked."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.audio import recorder
from emovox.audio.reader import load_audio, open_audio
from emovox.audio.recorder import Recorder
from emovox.schema.errors import ConfigError
from emovox.testing import RATE, tone

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from emovox.audio.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), rate=16000, channels=1)
samples = (0.1 * np.random.default_rng(0).standard_normal((1, 800))).astype(np.float32)
for _ in range(61):
    recorder.write(samples)
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""

LOST_SECONDS = {".flac": 0.26, ".wav": 1e-6}
"""Seconds at the end that a killed process loses: for flac its current block of 4096 samples."""


@pytest.fixture(params=[".flac", ".wav"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"録音{request.param}"


def test_written_samples_are_returned_as_a_reader_gets_them(path: Path) -> None:
    made = Recorder(path, rate=RATE, channels=2)
    sound = np.stack([1.2 * tone(200.0, seconds=1.0, level=1.0), tone(300.0, seconds=1.0)])
    written = np.concatenate([made.write(piece) for piece in np.split(sound, 10, axis=1)], axis=1)
    made.close()
    read, rate = load_audio(path, channels="split")
    assert rate == RATE
    np.testing.assert_array_equal(read, written)
    assert np.abs(written - np.clip(sound, -1, 1)).max() <= 2**-15
    assert soundfile.info(str(path)).subtype == "PCM_16"


def test_a_kill_leaves_a_recording_that_can_be_read(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Error" not in done.stderr
    with open_audio(path) as reader:
        seconds = sum(block.shape[1] for block in reader.blocks()) / RATE
        assert reader.notices == ()
    assert 61 * 0.05 - seconds <= LOST_SECONDS[path.suffix]


def test_an_older_file_stays_unless_told(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="exists already; give another name, or --overwrite"):
        Recorder(path, rate=RATE, channels=1)
    assert path.read_bytes() == b"precious"
    made = Recorder(path, rate=RATE, channels=1, overwrite=True)
    made.write(tone(200.0, seconds=0.1)[None])
    made.close()
    assert load_audio(path)[0].shape == (1, RATE // 10)


def test_nothing_heard_leaves_no_file(path: Path) -> None:
    Recorder(path, rate=RATE, channels=1).close()
    assert not path.exists()


@pytest.mark.parametrize("name", ["a.mp3", "a", "none/a.flac"])
def test_a_name_that_cannot_be_is_an_error(tmp_path: Path, name: str) -> None:
    message = "cannot be written" if "/" in name else "expected a recording named .flac or .wav"
    with pytest.raises(ConfigError, match=message):
        Recorder(tmp_path / name, rate=RATE, channels=1)


@pytest.mark.parametrize(("name", "channels"), [("a.flac", 10), ("a.wav", 2000)])
def test_too_many_channels_leave_nothing_and_lose_nothing(tmp_path: Path, name: str, channels: int) -> None:
    message = rf"got {channels} channels at {RATE} Hz, .*expected at most 8 channels in \.flac"
    with pytest.raises(ConfigError, match=message):
        Recorder(tmp_path / name, rate=RATE, channels=channels)
    assert not (tmp_path / name).exists()
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(ConfigError, match=message):
        Recorder(tmp_path / name, rate=RATE, channels=channels, overwrite=True)
    assert (tmp_path / name).read_bytes() == b"precious"


def test_what_libsndfile_refuses_at_the_end_is_removed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = recorder._opened

    def refuse(file: bytes | io.BytesIO, *arguments: Any, **options: Any) -> soundfile.SoundFile:
        if isinstance(file, bytes):
            raise soundfile.LibsndfileError(2)
        return opened(file, *arguments, **options)

    monkeypatch.setattr(recorder, "_opened", refuse)
    with pytest.raises(ConfigError, match="cannot be written"):
        Recorder(path, rate=RATE, channels=1)
    assert not path.exists()


def test_closing_twice_removes_no_later_file(path: Path) -> None:
    made = Recorder(path, rate=RATE, channels=1)
    made.close()
    path.write_bytes(b"another's")
    made.close()
    assert path.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_is_an_error(path: Path) -> None:
    path.symlink_to("/dev/full")
    with pytest.raises(ConfigError, match="cannot be written"):
        _record(path)


def _record(path: Path) -> None:
    made = Recorder(path, rate=RATE, channels=1, overwrite=True)
    for _ in range(20):
        made.write(tone(200.0, seconds=0.5)[None])
    made.close()
