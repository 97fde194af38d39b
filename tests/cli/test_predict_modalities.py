from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.fusion.face import networks
from emovox.testing import RATE, speech, write_toy
from tests.commands import command
from tests.faces import scene, write_video

FACE = scene((150, 60))
SOUND = np.concatenate([speech(120.0, seconds=1.5), speech(1, seconds=0.8, level=0), speech(350.0, seconds=1.5)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and a video, whose face is there in the first half."""
    write_toy(tmp_path)
    write_video(tmp_path / "a.mp4", [FACE] * 10 + [scene()] * 9, rate=5, sound=SOUND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


emovox = partial(command, "predict", "--model", "toy.onnx")


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    emovox(*arguments, "--format", "json")
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["results"]
    return found


def test_voice_and_face_together_where_there_is_a_face(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plain,) = predicted(capsys, "a.mp4")
    (both,) = predicted(capsys, "a.mp4", "--modalities", "voice,face")
    first, last = both["segments"][0], both["segments"][-1]
    assert list(first["modalities"]) == ["voice", "face"]
    assert first["modalities"]["voice"] == plain["segments"][0]["scores"] != first["scores"]
    assert last.pop("modalities") == {"voice": last["scores"]}
    assert last == plain["segments"][-1]  # bit for bit: no face there
    assert list(both["modalities"]) == ["voice", "face"]
    assert "modalities" not in plain
    assert "modalities" not in plain["segments"][0]
    emovox("a.mp4", "--modalities", "voice,face", "--threshold", "0")
    shown = capsys.readouterr().out
    assert "  voice " in shown.splitlines()[1]
    assert ", face " in shown.splitlines()[1]
    assert sum(", face " in line for line in shown.splitlines()) == 2


def test_sound_alone_is_a_warning_and_the_voice_is_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import soundfile

    soundfile.write("b.wav", SOUND, RATE)
    for name in ("b.wav", "c.mp4"):
        write_video(folder / "c.mp4", [scene()] * 20, rate=5, sound=SOUND)
        (plain,), (both,) = predicted(capsys, name), predicted(capsys, name, "--modalities", "face,voice")
        assert both["warnings"][0]["code"] == ("video" if name == "b.wav" else "no_face")
        assert both.pop("modalities") == {"voice": plain["scores"]}
        assert [dict(part, modalities=None) for part in both["segments"]] == [
            dict(part, modalities=None) for part in plain["segments"]
        ]
        assert both["scores"] == plain["scores"]


def test_a_video_without_sound_is_a_row_with_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(folder / "b.mp4", [FACE] * 3)
    emovox("b.mp4", "a.mp4", "--modalities", "voice,face", "--format", "json", status=1)
    silent, both = json.loads(capsys.readouterr().out)["results"]
    assert "without an audio track" in silent["error"]["message"]
    assert "face" in both["modalities"]


def test_faces_of_a_folder_that_is_adapted_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "videos").mkdir()
    write_video(folder / "videos" / "a.mp4", [FACE] * 19, rate=5, sound=SOUND)
    (row,) = predicted(capsys, "videos", "--adapt", "folder", "--modalities", "voice,face")
    assert list(row["modalities"]) == ["voice", "face"]
    assert row["plain_scores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.mp4", "--modalities", "face"], "got the modalities 'face', expected voice, or voice and some of face"),
        (["-", "--modalities", "voice,face"], "the face needs a file, got standard input"),
        (["a.mp4", "--modalities", "voice,face", "--coverage", "90"], "sets of labels are those of the voice alone"),
    ],
)
def test_what_does_not_go_together(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emovox(*arguments, status=2)
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_networks_that_are_not_here_are_named_before_a_recording_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "files", lambda _: folder)
    monkeypatch.setenv("EMOVOX_MODELS", str(folder))
    networks.session.cache_clear()
    emovox("a.mp4", "--modalities", "voice,face", status=1)
    networks.session.cache_clear()
    assert "get it by emovox models fetch face" in " ".join(capsys.readouterr().err.split())
