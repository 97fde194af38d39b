"""The input devices of this machine; sounddevice (PortAudio) is loaded only when somebody asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emovox.schema.errors import DeviceError, MicrophoneError
from emovox.schema.extras import require

WITHOUT = "give a recording with --input instead"


@dataclass(frozen=True, slots=True)
class Device:
    """An input of this machine.

    Attributes:
        number: PortAudio's, from 0; it may change when something is plugged in.
        name: as the system calls it.
        system: the sound system that it belongs to: ALSA, Core Audio, MME …
        channels: how many it can give.
        rate: its own sample rate in Hz.
        is_default: whether it is the system's choice.
    """

    number: int
    name: str
    system: str
    channels: int
    rate: int
    is_default: bool


def portaudio() -> Any:
    """Load the module `sounddevice`.

    Raises:
        MissingExtraError: it is not installed.
        MicrophoneError: the library PortAudio is missing, or cannot start.
    """
    require("sounddevice", need="a microphone", extra="mic")
    try:
        import sounddevice
    except OSError as error:
        raise MicrophoneError(
            "got no PortAudio library, expected it for a microphone; install it (Debian and Ubuntu: "
            f"apt install libportaudio2; Fedora: dnf install portaudio; macOS: brew install portaudio), or {WITHOUT}"
        ) from error
    except Exception as error:  # PortAudio's own error, whose class is in the module that cannot be imported
        raise MicrophoneError(f"got an error when the sound system was started ({error}); {WITHOUT}") from error
    return sounddevice


def input_devices() -> list[Device]:
    """List the inputs.

    Raises:
        MissingExtraError: as `portaudio`.
        MicrophoneError: as `portaudio`, or the sound system does not answer.
    """
    sound = portaudio()
    try:
        systems = sound.query_hostapis()
        default = sound.default.device[0]
        return [
            Device(
                number=number,
                name=str(entry["name"]),
                system=str(systems[entry["hostapi"]]["name"]),
                channels=int(entry["max_input_channels"]),
                rate=round(entry["default_samplerate"]),
                is_default=number == default,
            )
            for number, entry in enumerate(sound.query_devices())
            if entry["max_input_channels"] > 0
        ]
    except sound.PortAudioError as error:
        raise MicrophoneError(f"got an error when asking for input devices ({error}); {WITHOUT}") from error


def find_device(wanted: str | None = None) -> Device:
    """Find an input.

    Args:
        wanted: its number, its name, or a part of its name that no other has; None for the system's choice.

    Raises:
        DeviceError: none or several match; the message lists the inputs.
        MissingExtraError: as `portaudio`.
        MicrophoneError: as `input_devices`, or there is no input at all.
    """
    devices = input_devices()
    if not devices:
        raise MicrophoneError(f"got no input device, expected a microphone; connect one, or {WITHOUT}")
    if wanted is None:
        return next((device for device in devices if device.is_default), devices[0])
    matches = _matching(devices, wanted)
    if len(matches) != 1:
        what = "no input" if not matches else f"{len(matches)} inputs"
        listed = "; ".join(f"{device.number} {device.name}" for device in devices)
        raise DeviceError(f"got '{wanted}', which is {what}, expected the number or the name of one of: {listed}")
    return matches[0]


def _matching(devices: Sequence[Device], wanted: str) -> list[Device]:
    by_number = [device for device in devices if wanted == str(device.number)]
    by_name = [device for device in devices if wanted == device.name]
    return by_number or by_name or [device for device in devices if wanted.lower() in device.name.lower()]
