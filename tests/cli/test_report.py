from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovox.testing import RATE, speech, write_toy
from tests.commands import command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and a call: the agent speaks high, the customer low."""
    write_toy(tmp_path)
    quiet = np.zeros(3 * RATE, np.float32)
    agent = np.concatenate([speech(350.0, seconds=3.0), quiet])
    customer = np.concatenate([quiet, speech(120.0, seconds=3.0)])
    soundfile.write(tmp_path / "call.wav", np.stack([agent, customer], axis=1), RATE)
    soundfile.write(tmp_path / "mono.wav", customer, RATE)
    (tmp_path / "call.srt").write_text(
        "1\n00:00:00,000 --> 00:00:03,000\nhow can I help\n\n2\n00:00:03,000 --> 00:00:06,000\nmy money is gone\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


emovox = partial(command, "report", "--model", "toy.onnx")


def test_only_the_customer_is_analysed(folder: Path) -> None:
    emovox("call.wav", "--customer", "1", "--transcript", "call.srt", "--format", "html", "--output", "call.html")
    page = (folder / "call.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "This report is about channel 1, the customer" in page
    own = page[page.index("<h2>Transcript</h2>") :]
    agent, customer = own.split('<div class="line ')[1:3]
    assert "how can I help" in agent
    assert "chip" not in agent
    assert "my money is gone" in customer
    assert "chip" in customer


def test_two_channels_need_to_know_who_the_customer_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("call.wav", "--output", "call.html", status=2)
    assert not (folder / "call.html").exists()
    errors = " ".join(capsys.readouterr().err.split())
    assert "got 2 channels, expected the channel of the customer, 0 to 1" in errors
    assert "Article 5(1)(f)" in errors


def test_both_comes_with_the_notice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("call.wav", "--both", "--language", "zh")
    page = capsys.readouterr().out
    assert "所有声道都已分析" in page
    assert page.count('<section class="party') == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["call.wav", "--both", "--customer", "1"], 2, "got --customer, too, expected one of them"),
        (["mono.wav", "--both"], 2, "got a recording of one channel, expected several"),
        (["call.wav", "--customer", "2"], 1, "got channel 2, expected 0 to 1"),
        (["none.wav"], 1, "none.wav: "),
        (["mono.wav", "--transcript", "none.srt"], 1, "cannot be read"),
        (["mono.wav", "--output", "mono.wav"], 1, "got an input as the output"),
        (["mono.wav", "--transcript", "call.srt", "--output", "call.srt"], 1, "got an input as the output"),
        (["mono.wav", "--output", "toy.json"], 1, "got an existing file of another kind"),
    ],
)
def test_bad_input_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    emovox(*arguments, status=status)
    said = capsys.readouterr()
    assert message in " ".join(said.err.split())
    assert said.out == ""


def test_one_channel_is_everybody(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emovox("mono.wav")
    assert "The recording has one channel, so everybody who speaks in it was analysed" in capsys.readouterr().out


def test_a_bad_transcript_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty.vtt").touch()
    emovox("mono.wav", "--transcript", "empty.vtt", "--language", "zh")
    shown = capsys.readouterr()
    assert "warning: empty.vtt: got no line with text" in shown.err
    assert "转写文本有疑问：empty.vtt: got no line with text" in shown.out


def test_without_jinja_the_extra_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
    emovox("mono.wav", status=1)
    assert capsys.readouterr().err == "error: emovox report needs the extra 'report': pip install 'emovox[report]'\n"


def test_a_transcript_of_another_call_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.vtt").write_text("WEBVTT\n\n10:00.000 --> 10:02.000\nhello\n")
    emovox("mono.wav", "--transcript", "other.vtt", "--output", "mono.html")
    assert "warning: the transcript ends at 602.0 s" in capsys.readouterr().err
    page = (folder / "mono.html").read_text(encoding="utf-8")
    assert "give the transcript of this recording" in page
    assert "<h2>Transcript</h2>" not in page
    assert "<h2>Segments</h2>" in page
