"""Input devices and their audio, on a simulated sound card."""

from __future__ import annotations

import builtins
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.audio import microphone as module
from emovox.audio.devices import Device, find_device, input_devices
from emovox.audio.microphone import Microphone
from emovox.audio.reader import open_live
from emovox.audio.types import ChannelChoice, Samples
from emovox.schema.errors import ConfigError, DeviceError, MicrophoneError, MissingExtraError
from emovox.testing import RATE, tone
from tests.sound_card import SoundCard

ROUNDING = 0.5 / 32767
"""Half a step of 16-bit audio."""


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SoundCard:
    made = SoundCard()
    made.install(monkeypatch)
    return made


def opened(*, channels: ChannelChoice = "mix", seconds: float | None = None) -> Microphone:
    return Microphone(find_device(), rate=RATE, channels=channels, seconds=seconds)


def listen(microphone: Microphone) -> Iterator[Samples]:
    """Yield the blocks of a microphone that listens from now on."""
    blocks = microphone.blocks(1600)
    first: queue.Queue[Samples] = queue.Queue()
    thread = threading.Thread(target=lambda: _enqueue(blocks, first), daemon=True)
    thread.start()
    assert microphone._stream.started.wait(10)
    while thread.is_alive() or not first.empty():
        try:
            yield first.get(timeout=0.05)
        except queue.Empty:
            continue


class TestDevices:
    @pytest.mark.usefixtures("card")
    def test_only_inputs_are_listed(self) -> None:
        assert input_devices() == [
            Device(1, "Built-in Audio", "ALSA", 2, 48000, is_default=False),
            Device(2, "USB Audio", "ALSA", 2, 48000, is_default=True),
        ]

    @pytest.mark.usefixtures("card")
    @pytest.mark.parametrize(
        ("wanted", "number"), [(None, 2), ("1", 1), ("USB Audio", 2), ("built", 1), ("usb", 2), ("Built-in Audio", 1)]
    )
    def test_one_is_found_by_number_name_or_part(self, wanted: str | None, number: int) -> None:
        assert find_device(wanted).number == number

    @pytest.mark.usefixtures("card")
    @pytest.mark.parametrize(("wanted", "what"), [("0", "no input"), ("webcam", "no input"), ("audio", "2 inputs")])
    def test_another_is_an_error_that_names_them(self, wanted: str, what: str) -> None:
        with pytest.raises(DeviceError, match=rf"got '{wanted}', which is {what}.*1 Built-in Audio; 2 USB Audio$"):
            find_device(wanted)

    def test_no_input_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        SoundCard(()).install(monkeypatch)
        assert input_devices() == []
        with pytest.raises(MicrophoneError, match="got no input device, expected a microphone; connect one"):
            find_device()

    @pytest.mark.usefixtures("card")
    def test_without_a_default_the_first_is_taken(self) -> None:
        sys.modules["sounddevice"].default.device = (-1, 0)
        assert find_device().number == 1

    def test_no_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        load = builtins.__import__

        def missing(name: str, *arguments: Any, **more: Any) -> Any:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")
            return load(name, *arguments, **more)

        monkeypatch.setattr(builtins, "__import__", missing)
        with pytest.raises(MicrophoneError, match=r"got no PortAudio library.*apt install libportaudio2"):
            input_devices()

    def test_no_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
        with pytest.raises(MissingExtraError, match=r"a microphone needs the extra 'mic': pip install 'emovox\[mic\]'"):
            input_devices()

    @pytest.mark.usefixtures("card")
    def test_a_sound_system_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> None:
            raise sys.modules["sounddevice"].PortAudioError("Host error")

        monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", fail)
        with pytest.raises(MicrophoneError, match=r"when asking for input devices \(Host error\)"):
            input_devices()


class TestOpening:
    @pytest.mark.parametrize(
        ("rates", "accepted", "channels", "expected"),
        [
            ((16000, 48000), (1, 2), "mix", (16000, 1)),
            ((48000,), (1, 2), "mix", (48000, 1)),
            ((48000,), (2,), "mix", (48000, 2)),
            ((16000,), (2,), "mix", (16000, 2)),
            ((16000,), (1, 2), "split", (16000, 2)),
            ((16000,), (1, 2), 1, (16000, 2)),
            ((16000,), (1, 2), 0, (16000, 1)),
        ],
    )
    def test_rate_and_channels_are_the_wanted_ones_or_the_devices_own(
        self,
        monkeypatch: pytest.MonkeyPatch,
        rates: tuple[int, ...],
        accepted: tuple[int, ...],
        channels: ChannelChoice,
        expected: tuple[int, int],
    ) -> None:
        SoundCard(rates=rates, channels=accepted).install(monkeypatch)
        microphone = opened(channels=channels)
        assert (microphone.rate, microphone.channels) == expected

    def test_one_that_accepts_nothing_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        SoundCard(rates=()).install(monkeypatch)
        with pytest.raises(MicrophoneError, match=r"USB Audio: got an error when it was opened \(Invalid sample rate"):
            opened()

    def test_one_that_is_held_by_another_program_is_an_error(self, card: SoundCard) -> None:
        card.refuses_to_start = True
        with pytest.raises(MicrophoneError, match=r"Device unavailable.*no other program holds it"):
            next(opened().blocks(1600))

    @pytest.mark.usefixtures("card")
    def test_seconds_are_checked(self) -> None:
        with pytest.raises(ConfigError, match="seconds is 0, expected more than 0"):
            opened(seconds=0)


class TestListening:
    def test_captured_audio_is_yielded(self, card: SoundCard) -> None:
        microphone = opened(channels="split")
        recording = listen(microphone)
        sound = np.stack([tone(200.0, seconds=1.0), tone(300.0, seconds=1.0)])
        blocks = []
        for index, block in enumerate(_with_audio(recording, card, sound)):
            blocks.append(block)
            if index == 19:
                microphone.stop()
        assert np.abs(np.concatenate(blocks, axis=1) - sound).max() < 2 * ROUNDING
        assert microphone.failure is None
        assert microphone.lost == 0
        assert not card.streams[0].started.is_set()
        microphone.close()
        assert card.streams[0].closed

    def test_another_rate_is_resampled_by_the_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        card = SoundCard(rates=(48000,))
        card.install(monkeypatch)
        microphone = opened(seconds=1.0)
        sound = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.float32)
        with open_live(microphone, name="<microphone>", sample_rate=RATE) as reader:
            threading.Thread(target=_deliver_when_started, args=(card, sound), daemon=True).start()
            samples = np.concatenate(list(reader.blocks()), axis=1)
            assert (reader.name, reader.seconds, reader.notices) == ("<microphone>", 1.0, ())
        assert samples.shape == (1, RATE)
        middle = slice(1600, -1600)
        assert np.abs(samples[0] - tone(440.0, seconds=1.0))[middle].max() < 1e-3

    def test_no_more_than_asked_for(self, card: SoundCard) -> None:
        microphone = opened(seconds=0.33)
        threading.Thread(target=_deliver_when_started, args=(card, tone(200.0, seconds=1.0)), daemon=True).start()
        assert sum(block.shape[1] for block in microphone.blocks(1600)) == round(0.33 * RATE)
        assert microphone.failure is None

    def test_it_knows_when_a_second_was_recorded(self, card: SoundCard) -> None:
        microphone = opened()
        recording = listen(microphone)
        before = time.monotonic()
        blocks = _with_audio(recording, card, tone(200.0, seconds=0.05), age=0.2)
        next(blocks)
        after = time.monotonic()
        assert before - 0.2 <= microphone.captured_at(0.05) <= after - 0.2 + 1e-6
        assert microphone.captured_at(0.05) - microphone.captured_at(0.03) == pytest.approx(0.02)
        microphone.stop()

    def test_what_waits_when_it_is_stopped_is_still_given(self, card: SoundCard) -> None:
        microphone = opened()
        blocks = microphone.blocks(1600)
        card.streams[0].give(tone(200.0, seconds=0.5))
        microphone.stop()
        assert sum(block.shape[1] for block in blocks) == RATE // 2


class TestOverflow:
    def test_a_full_queue_loses_and_counts(self, card: SoundCard) -> None:
        microphone = opened()
        card.streams[0].give(tone(200.0, seconds=module.QUEUE_SECONDS + 2.0))
        assert microphone.lost == pytest.approx(2.0)
        microphone.stop()
        assert sum(block.shape[1] for block in microphone.blocks(1600)) == round(module.QUEUE_SECONDS * RATE)

    def test_what_the_system_dropped_is_counted(self, card: SoundCard) -> None:
        microphone = opened()
        card.streams[0].give(tone(200.0, seconds=0.1), overflow=True)
        assert (microphone.overflows, microphone.lost) == (2, 0)


class TestUnplugged:
    def test_the_end_is_an_error_after_the_received_audio(self, card: SoundCard) -> None:
        microphone = opened()
        card.streams[0].give(tone(200.0, seconds=0.5))
        card.streams[0].unplug()
        with open_live(microphone, name="<microphone>") as reader:
            assert sum(block.shape[1] for block in reader.blocks()) == RATE // 2
            assert [notice.code for notice in reader.notices] == ["truncated"]
        assert isinstance(microphone.failure, MicrophoneError)
        assert "USB Audio: got no more sound after 0.5 s" in str(microphone.failure)
        assert card.streams[0].closed

    @pytest.mark.usefixtures("card")
    def test_silence_of_the_system_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "WATCHDOG_SECONDS", 0.3)
        monkeypatch.setattr(module, "_POLL", 0.05)
        microphone = opened()
        assert list(microphone.blocks(1600)) == []
        assert "got no more sound after 0.0 s" in str(microphone.failure)


RECORD_SCRIPT = """
from emovox.audio.devices import find_device
from emovox.audio.microphone import Microphone
microphone = Microphone(find_device(), rate=16000, seconds=2.0)
print(sum(block.shape[1] for block in microphone.blocks(1600)))
microphone.close()
"""


def test_the_real_library_with_a_device_that_gives_nothing(tmp_path: Path) -> None:
    """ALSA's null device, whose sound comes at once: the real library, its callback and a flood of audio."""
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("needs PortAudio")
    if sys.platform != "linux":
        pytest.skip("needs ALSA")
    (tmp_path / "asound.conf").write_text("pcm.!default { type null }\nctl.!default { type hw card 0 }\n")
    done = subprocess.run(
        [sys.executable, "-c", RECORD_SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")},
    )
    assert done.stdout == f"{2 * RATE}\n", done.stderr


def _enqueue(blocks: Iterator[Samples], taken: queue.Queue[Samples]) -> None:
    for block in blocks:
        taken.put(block)


def _with_audio(blocks: Iterator[Samples], card: SoundCard, sound: Samples, *, age: float = 0.0) -> Iterator[Samples]:
    """Yield the blocks of a microphone that gets the sound as soon as it listens."""
    threading.Thread(target=_deliver_when_started, args=(card, sound, age), daemon=True).start()
    yield from blocks


def _deliver_when_started(card: SoundCard, sound: Samples, age: float = 0.0) -> None:
    assert card.streams[0].started.wait(10)
    card.streams[0].give(sound, age=age)
