"""`emovox listen` from files, pipes and a sound card that does as it is told; the screen is in tests/cli/live."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from emovox.audio.types import Samples
from emovox.cli.main import main
from emovox.runtime.predictor import load
from emovox.schema.events import SpeechEnded, SpeechStarted
from emovox.testing import RATE, speech, write_toy
from tests.commands import command
from tests.sound_card import SoundCard

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and pipes of Unix")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and a recording of two utterances."""
    write_toy(tmp_path)
    soundfile.write(tmp_path / "a.wav", talk(), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def card(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SoundCard:
    made = SoundCard()
    made.install(monkeypatch)
    return made


def talk() -> Samples:
    silence = speech(1, seconds=1.5, level=0)
    return np.concatenate([silence, speech(120.0, seconds=2.5), silence, speech(350.0, seconds=2.0), silence])


emovox = partial(command, "listen", "--model", "toy.onnx")


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `emovox predict` prints."""
    capsys.readouterr()
    command("predict", "--model", "toy.onnx", *arguments)
    return capsys.readouterr().out


class TestForms:
    def test_lines_are_events_and_then_the_table_of_predict(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        emovox("--input", "a.wav")
        shown = capsys.readouterr()
        assert shown.err == "toy 1.2.0 listens to a.wav; nothing is kept\n"
        table = predicted(capsys, "a.wav")
        assert shown.out.endswith(table)
        lines = shown.out.removesuffix(table).splitlines()
        assert sum(line.endswith(" s  speech") for line in lines) == 2
        assert sum(line.split()[-1] == "ms" for line in lines) == 0
        assert sorted(path.name for path in folder.iterdir()) == ["a.wav", "toy.json", "toy.onnx"]

    def test_json_lines_are_the_events_of_a_stream(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--input", "a.wav", "--format", "json")
        shown = capsys.readouterr()
        stream = load("toy.onnx").stream()
        samples, _ = soundfile.read(folder / "a.wav", dtype="float32")
        expected = [e for e in stream.feed(samples) + stream.flush() if isinstance(e, SpeechStarted | SpeechEnded)]
        events = [json.loads(line) for line in shown.out.splitlines()]
        types = {"speech.started", "emotion.updated", "speech.ended"}
        assert {event["type"] for event in events} <= types
        kept = [event for event in events if event["type"] != "emotion.updated"]
        assert [(e["type"], e["utterance"], e["channel"], e["start"]) for e in kept] == [
            (e.__struct_config__.tag, e.utterance, e.channel, e.start) for e in expected
        ]
        for event, other in zip(kept, expected, strict=True):
            if isinstance(other, SpeechEnded):
                assert (event["label"], event["end"]) == (other.label, other.end)
                assert event["scores"] == {label: round(score, 4) for label, score in other.scores.items()}
                assert len(event["segments"]) == len(other.segments)
        assert shown.err.splitlines()[1].startswith("a.wav  9.00 s  ")

    @pytest.mark.usefixtures("folder")
    def test_in_real_time_lines_tell_how_late_they_are(self, capsys: pytest.CaptureFixture[str]) -> None:
        soundfile.write("b.wav", talk()[RATE : 3 * RATE], RATE)
        emovox("--input", "b.wav", "--realtime", "--hop", "0.2")
        updates = [line for line in capsys.readouterr().out.splitlines() if line.endswith(" ms")]
        assert updates

    @pytest.mark.usefixtures("folder")
    def test_channels_are_named_when_there_are_several(self, capsys: pytest.CaptureFixture[str]) -> None:
        soundfile.write("b.wav", np.stack([talk(), np.roll(talk(), RATE // 2)], axis=1), RATE)
        emovox("--input", "b.wav", "--channels", "split")
        out = capsys.readouterr().out
        assert "s  channel 0  speech" in out
        assert "s  channel 1  speech" in out
        emovox("--input", "b.wav", "--channels", "1", "--format", "json")
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {event["channel"] for event in events} == {1}

    @pytest.mark.usefixtures("folder")
    def test_seconds_and_threshold(self, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--input", "a.wav", "--seconds", "4", "--threshold", "1")
        assert "a.wav  4.00 s  uncertain" in capsys.readouterr().out


class TestVoice:
    def test_a_call_is_learnt_while_it_speaks(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--input", "a.wav", "--adapt", "--json", "a.json", "--format", "json")
        ended = [event for line in capsys.readouterr().out.splitlines() if "segments" in (event := json.loads(line))]
        assert [(event["adapted"]["source"], event["adapted"]["clips"]) for event in ended] == [
            ("stream", 1),
            ("stream", 2),
        ]
        (result,) = json.loads((folder / "a.json").read_text())["results"]
        assert result["adapted"] == ended[-1]["adapted"]
        assert [segment["plain_scores"] for segment in result["segments"]] == [
            segment["scores"]
            for segment in json.loads(predicted(capsys, "a.wav", "--format", "json"))["results"][0]["segments"]
        ]
        emovox("--input", "a.wav", "--adapt")
        out = capsys.readouterr().out
        assert "  adapted to 1 tile, 3 s\n" in out
        assert "\n  adapted to 2 tiles, 5 s\n" in out

    def test_each_channel_has_its_voice(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        soundfile.write("b.wav", np.stack([talk(), np.roll(talk(), RATE // 2)], axis=1), RATE)
        emovox("--input", "b.wav", "--channels", "split", "--adapt", "--json", "b.json", "--format", "json")
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        last = {event["channel"]: event["adapted"]["clips"] for event in events if event["type"] == "speech.ended"}
        assert last == {0: 2, 1: 2}
        assert json.loads((folder / "b.json").read_text())["results"][0]["adapted"]["clips"] == 4

    def test_a_speaker_and_a_source(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EMOVOX_SPEAKERS", str(folder / "speakers"))
        command("speaker", "learn", "ana", "a.wav", "--model", "toy.onnx")
        emovox("--input", "a.wav", "--speaker", "ana", "--json", "a.json")
        assert "  adapted to speaker ana, 2 tiles, 5 s\n" in capsys.readouterr().out
        expected = predicted(capsys, "a.wav", "--speaker", "ana", "--format", "json")
        assert (folder / "a.json").read_text() == expected
        emovox("--input", "a.wav", "--source", "ana")
        assert "  adapted to the source\n" in capsys.readouterr().out
        emovox("--input", "a.wav", "--speaker", "bo", status=1)
        assert "error: no speaker 'bo' in " in capsys.readouterr().err


class TestKeeping:
    def test_the_result_is_that_of_predict(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--input", "a.wav", "--json", "a.json")
        assert capsys.readouterr().err.endswith("; kept in a.json\n")
        assert (folder / "a.json").read_text() == predicted(capsys, "a.wav", "--format", "json")

    @pytest.mark.parametrize("name", ["b.flac", "b.wav"])
    @pytest.mark.parametrize("channels", ["mix", "split", "1"])
    def test_the_result_is_that_of_predict_on_what_was_saved(
        self, folder: Path, capsys: pytest.CaptureFixture[str], name: str, channels: str
    ) -> None:
        rng = np.random.default_rng(3)  # below the last bit: what was saved is not what was given
        both = np.stack([np.roll(talk(), RATE), talk()], axis=1)
        soundfile.write("s.wav", both + 1e-5 * rng.standard_normal(both.shape), RATE, subtype="FLOAT")
        emovox("--input", "s.wav", "--channels", channels, "--save", name, "--json", "b.json")
        same = ["--channels", "split"] if channels == "split" else []
        assert (folder / "b.json").read_text() == predicted(capsys, name, *same, "--format", "json")

    def test_an_older_recording_is_lost_only_when_all_else_is_ready(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "old.flac").write_bytes(b"precious")
        emovox("--input", "a.wav", "--save", "old.flac", "--overwrite", "--json", "none/x.json", status=1)
        assert "none/x.json: cannot be written" in capsys.readouterr().err
        assert (folder / "old.flac").read_bytes() == b"precious"
        emovox("--input", "a.wav", "--save", "new.wav", "--json", "none/x.json", status=1)
        assert not (folder / "new.wav").exists()

    def test_a_recording_is_removed_when_listening_never_began(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("emovox.cli.live.session.Listener", SimpleNamespace)  # knows no such arguments
        with pytest.raises(TypeError):
            main(["listen", "--model", "toy.onnx", "--input", "a.wav", "--save", "new.wav"])
        assert not (folder / "new.wav").exists()

    @pytest.mark.parametrize("option", ["--save", "--json"])
    def test_an_older_file_stays_unless_told(
        self, folder: Path, capsys: pytest.CaptureFixture[str], option: str
    ) -> None:
        (folder / "old.wav").write_bytes(b"precious")
        emovox("--input", "a.wav", option, "old.wav", status=1)
        assert "old.wav: exists already; give another name, or --overwrite" in capsys.readouterr().err
        assert (folder / "old.wav").read_bytes() == b"precious"
        emovox("--input", "a.wav", option, "old.wav", "--overwrite")
        assert (folder / "old.wav").read_bytes()[:1] in (b"R", b"{")

    @pytest.mark.parametrize("option", ["--save", "--json"])
    def test_the_input_is_never_written_over(
        self, folder: Path, capsys: pytest.CaptureFixture[str], option: str
    ) -> None:
        before = (folder / "a.wav").read_bytes()
        emovox("--input", "a.wav", option, "./a.wav", "--overwrite", status=1)
        assert "got an input as the output" in capsys.readouterr().err
        assert (folder / "a.wav").read_bytes() == before

    def test_recording_and_result_are_two_files(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--input", "a.wav", "--save", "b.flac", "--json", "b.flac", status=1)
        assert "b.flac: got one file for the sound and the result, expected two" in capsys.readouterr().err
        assert not (folder / "b.flac").exists()

    @pytest.mark.parametrize("option", ["--save", "--json"])
    def test_a_place_that_is_not_there_is_told_before_anything_is_heard(
        self, folder: Path, capsys: pytest.CaptureFixture[str], option: str
    ) -> None:
        emovox("--input", "a.wav", option, "none/b.wav", status=1)
        shown = capsys.readouterr()
        assert "none/b.wav: cannot be written" in shown.err
        assert shown.out == ""
        assert not (folder / "none").exists()


class TestStandardInput:
    def give(self, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    def test_a_recording_or_bare_samples(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = predicted(capsys, "a.wav").partition("  ")[2]
        self.give(monkeypatch, (folder / "a.wav").read_bytes())
        emovox("--input", "-")
        assert capsys.readouterr().out.endswith(f"<stdin>  {table}")
        samples, _ = soundfile.read(folder / "a.wav", dtype="int16")
        self.give(monkeypatch, samples.astype("<i2").tobytes())
        emovox("--input", "-", "--raw", str(RATE))
        assert capsys.readouterr().out.endswith(f"<stdin>  {table}")

    @pytest.mark.usefixtures("folder")
    @pytest.mark.parametrize(
        ("data", "more", "message"),
        [
            (b"", [], "got an empty file (0 bytes)"),
            (b"this is text", [], "got bytes that are not audio"),
            (b"", ["--raw", "16000"], "got 0 samples"),
        ],
    )
    def test_what_is_no_audio_is_one_line(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        data: bytes,
        more: list[str],
        message: str,
    ) -> None:
        self.give(monkeypatch, data)
        emovox("--input", "-", *more, status=1)
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("error: <stdin>: ")
        assert message in last

    @pytest.mark.usefixtures("folder")
    def test_none_at_all(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        emovox("--input", "-", status=1)
        assert capsys.readouterr().err == "error: <stdin>: got no standard input, expected sound; pipe some in\n"


class TestMicrophone:
    def speak(self, card: SoundCard, samples: Samples, *, unplug: bool = False) -> None:
        """Speak as soon as somebody listens, no faster than it is heard."""

        def give() -> None:
            stream = card.streams[0]
            assert stream.started.wait(30)
            waiting: queue.Queue[Any] = stream.settings["callback"].__self__._chunks_waiting
            for piece in np.array_split(samples, 40):
                while waiting.qsize() > 10:
                    time.sleep(0.005)
                stream.give(piece)
            if unplug:
                stream.unplug()

        card.opened = lambda _: threading.Thread(target=give, daemon=True).start()

    def test_what_is_heard_is_analysed_and_kept_as_asked(
        self, card: SoundCard, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.speak(card, np.concatenate([talk(), talk()]))
        emovox("--seconds", "9", "--save", "b.flac", "--json", "b.json")
        shown = capsys.readouterr()
        assert shown.err == "toy 1.2.0 listens to microphone: USB Audio; kept in b.flac and b.json\n"
        assert sum(line.endswith(" s  speech") for line in shown.out.splitlines()) == 2
        assert (folder / "b.json").read_text() == predicted(capsys, "b.flac", "--format", "json")
        assert card.streams[0].closed

    def test_unplugged_it_is_an_error_and_nothing_is_lost(
        self, card: SoundCard, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.speak(card, talk()[: 5 * RATE], unplug=True)
        emovox("--save", "b.wav", "--json", "b.json", status=1)
        shown = capsys.readouterr()
        assert shown.err.splitlines()[-1].startswith("error: USB Audio: got no more sound after 5.0 s")
        (row,) = json.loads((folder / "b.json").read_text())["results"]
        (expected,) = json.loads(predicted(capsys, "b.wav", "--format", "json"))["results"]
        assert [notice["code"] for notice in row["warnings"]] == ["truncated", "microphone"]
        assert row["segments"] == expected["segments"] != []
        assert row["duration"] == expected["duration"] == 5.0

    def test_lost_sound_is_told(self, card: SoundCard, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        card.opened = lambda stream: stream.give(np.tile(talk(), 2))
        emovox("--seconds", "1", "--json", "b.json")
        (row,) = json.loads((folder / "b.json").read_text())["results"]
        assert [notice["code"] for notice in row["warnings"]] == ["lost", "no_speech"]
        assert "13.00 s of sound were not taken in time" in capsys.readouterr().out

    @pytest.mark.usefixtures("card")
    def test_a_device_that_does_not_exist(self, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--device", "webcam", status=1)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: got 'webcam', which is no input")

    @pytest.mark.usefixtures("folder")
    def test_no_sound_system(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
        emovox(status=1)
        assert capsys.readouterr().err == "error: a microphone needs the extra 'mic': pip install 'emovox[mic]'\n"

    @pytest.mark.usefixtures("card")
    def test_devices_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--list-devices")
        head, *rows = capsys.readouterr().out.splitlines()
        assert head.split() == ["number", "name", "system", "channels", "rate"]
        assert rows[1].split() == ["*", "2", "USB", "Audio", "ALSA", "2", "48000", "Hz"]
        assert len(rows) == 2


class TestBadInput:
    @pytest.mark.usefixtures("folder")
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--input", "a.wav", "--device", "1"], "got a device and an input, expected one of them"),
            (["--realtime"], "expected an --input"),
            (["--raw", "16000"], "add --input -"),
            (["--input", "a.wav", "--seconds", "0"], "0.0 is not in the range"),
            (["--input", "a.wav", "--channels", "both"], "expected mix, split, or a channel number"),
            (["--input", "a.wav", "--format", "table"], "is not one of"),
        ],
    )
    def test_wrong_usage(self, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
        emovox(*arguments, status=2)
        assert message in " ".join(capsys.readouterr().err.split())

    @pytest.mark.usefixtures("folder")
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--input", "gone.wav"], "gone.wav: got no such file"),
            (["--input", "."], "got a directory"),
            (["--input", "toy.json"], "toy.json: got bytes that are not audio"),
            (["--input", "a.wav", "--channels", "1"], "got channel 1, expected 0 to 0"),
            (["--input", "a.wav", "--hop", "0.03"], "hop is 0.03 s, expected a multiple of 0.02 s"),
            (["--input", "a.wav", "--hop", "nan"], "hop is nan s"),
            (["--input", "a.wav", "--save", "b.mp3"], "got '.mp3', expected a recording named .flac or .wav"),
            (["--input", "a.wav", "--model", "none"], "no model 'none'"),
        ],
    )
    def test_one_line(self, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
        emovox(*arguments, status=1)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert message in line

    def test_samples_that_are_no_numbers(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        samples = talk()
        samples[-RATE] = np.nan
        soundfile.write("nan.wav", samples, RATE, subtype="FLOAT")
        emovox("--input", "nan.wav", "--save", "b.wav", "--json", "b.json", status=1)
        shown = capsys.readouterr()
        assert "nan.wav: got nan at 8.000 s" in shown.err.splitlines()[-1]
        (row,) = json.loads((folder / "b.json").read_text())["results"]
        assert [notice["code"] for notice in row["warnings"]] == ["non_finite"]
        assert len(row["segments"]) == 2


def start(*arguments: str) -> subprocess.Popen[str]:
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job has none
    command = [sys.executable, "-c", f"{code}; from emovox.cli.main import main; main()", "listen", *arguments]
    pipe = subprocess.PIPE
    command += ["--model", "toy.onnx"]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@POSIX
class TestEndings:
    @pytest.mark.parametrize(("number", "status"), [("SIGINT", 0), ("SIGTERM", 143), ("SIGHUP", 129)])
    def test_a_signal_ends_it_and_what_was_heard_is_summed_up(
        self, folder: Path, capsys: pytest.CaptureFixture[str], number: str, status: int
    ) -> None:
        process = start("--input", "a.wav", "--realtime", "--save", "b.wav", "--json", "b.json")
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.endswith("speech\n")
        process.send_signal(getattr(signal, number))
        out, errors = process.communicate(timeout=60)
        assert process.returncode == status
        assert errors.startswith("toy 1.2.0 listens to a.wav")
        assert errors.count("\n") == 1
        assert "b.wav  " in out
        document = (folder / "b.json").read_text()
        assert document == predicted(capsys, "b.wav", "--format", "json")
        assert json.loads(document)["results"][0]["segments"]

    def test_a_pipe_that_gives_nothing_can_be_left(self, folder: Path) -> None:
        process = start("--input", "-", "--raw", "16000", "--json", "b.json")
        assert process.stderr is not None
        assert process.stderr.readline().startswith("toy")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert json.loads((folder / "b.json").read_text())["results"][0]["duration"] == 0

    def test_a_reader_that_goes_away(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        process = start("--input", "a.wav", "--realtime", "--format", "json", "--save", "b.wav", "--json", "b.json")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 1
        assert "Traceback" not in errors
        assert (folder / "b.json").read_text() == predicted(capsys, "b.wav", "--format", "json")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
    @pytest.mark.usefixtures("folder")
    def test_a_result_without_room_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        emovox("--input", "a.wav", "--json", "/dev/full", status=1)
        assert "/dev/full: cannot be written (No space left on device)" in capsys.readouterr().err


def test_help_loads_neither_numpy_nor_rich_nor_a_sound_system() -> None:
    code = (
        "import sys\nfrom emovox.cli.main import main\ntry: main(['listen', '--help'])\n"
        "except SystemExit: print({'numpy', 'onnxruntime', 'rich', 'sounddevice'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "TERM": "dumb"}
    )
    assert done.stderr == "set()\n"
