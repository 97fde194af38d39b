from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.fusion.text.emotion import TextEmotion
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.schema.labels import EMOTIONS
from emovox.testing import RATE, speech, write_toy
from emovox.training.text import BOTH, LabelledLines, learn_text
from tests.commands import command
from tests.sentence_encoder import make_sentence_encoder
from tests.tiny_whisper import make_whisper

SAID = ["i am", "so glad", "so sad", "no !", "why ?", "you !", "here ?"]


@pytest.fixture(scope="module")
def emotion(tmp_path_factory: pytest.TempPathFactory) -> TextEmotion:
    """A text model that knows a few words."""
    conversations = [str(number) for number in range(10) for _ in SAID]
    part = LabelledLines(SAID * 10, list(EMOTIONS) * 10, conversations)
    encoder = SentenceEncoder.load(make_sentence_encoder(tmp_path_factory.mktemp("encoder")))
    return TextEmotion(encoder, learn_text(part, encoder=encoder, labels=EMOTIONS).heads[BOTH])


@pytest.fixture
def folder(tmp_path: Path, emotion: TextEmotion, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model, a recording of 4 s and its transcript."""
    write_toy(tmp_path)
    soundfile.write(tmp_path / "a.wav", speech(120.0, seconds=4.0), RATE)
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:04,000\nso glad\n")
    monkeypatch.setattr(TextEmotion, "load", lambda: emotion)
    monkeypatch.chdir(tmp_path)
    return tmp_path


emovox = partial(command, "predict", "--model", "toy.onnx")


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    emovox("a.wav", *arguments, "--format", "json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["results"][0]
    return found


def test_voice_and_words_together_and_each_beside_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = predicted(capsys, "--transcript", "a.srt")
    both = predicted(capsys, "--transcript", "a.srt", "--modalities", "voice,text")
    voice, text = both["segments"][0]["modalities"].values()
    assert voice == plain["segments"][0]["scores"]
    assert max(text, key=text.get) == EMOTIONS[SAID.index("so glad")]
    logs = {label: np.log(voice[label] + 1e-6) + 0.5 * np.log(text[label] + 1e-6) for label in voice}
    together = both["segments"][0]["scores"]
    assert max(together, key=together.get) == max(logs, key=lambda label: logs[label])
    assert both["lines"][0]["scores"] == pytest.approx(together, abs=2e-4)
    assert "modalities" not in plain


def test_a_transcript_of_another_recording_leaves_the_voice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "b.srt").write_text("1\n00:01:00,000 --> 00:01:04,000\nso glad\n")
    plain = predicted(capsys)
    both = predicted(capsys, "--transcript", "b.srt", "--modalities", "voice,text")
    assert both["warnings"][-1]["code"] == "transcript"
    assert "lines" not in both
    assert both["scores"] == plain["scores"]


def test_asr_writes_down_the_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(make_whisper(folder / "whisper"))
    found = predicted(capsys, "--asr", model, "--language", "en")
    assert [line["text"] for line in found["lines"]] == ["where are you", "over here"]
    assert found["segments"] == predicted(capsys)["segments"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--modalities", "voice,text"), "text needs --transcript FILE or --asr MODEL"),
        (("--modalities", "text", "--transcript", "a.srt"), "expected voice, or voice and some of face, text"),
        (("--asr", "small", "--transcript", "a.srt"), "it goes without --transcript"),
        (("--language", "en"), "it needs --asr"),
        (("--coverage", "90", "--modalities", "voice,text", "--transcript", "a.srt"), "sets of labels are those of"),
    ],
)
def test_options_that_do_not_go_together(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    emovox("a.wav", *arguments, status=2)
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_standard_input_has_no_file_for_the_recogniser(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("-", "--asr", "small", status=2)
    assert "needs a file" in capsys.readouterr().err
