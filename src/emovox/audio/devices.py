"""The input devices of this machine; sounddevice (PortAudio) is loaded at the first query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emovox.schema.errors import DeviceError, MicrophoneError
from emovox.schema.extras import require

WITHOUT = "give a recording with --input instead"
"""Next step in messages: how to continue without a microphone."""


@dataclass(frozen=True, slots=True)
class Device:
    """An audio input device of this machine.

    Attributes:
        number: PortAudio's index, from 0; it may change when a device is plugged in.
        name: name in the operating system.
        system: its sound system: ALSA, Core Audio, MME …
        channels: highest number of input channels.
        rate: default sample rate in Hz.
        is_default: whether it is the default input of the system.
    """

    number: int
    name: str
    system: str
    channels: int
    rate: int
    is_default: bool


def portaudio() -> Any:
    """Import and return the module `sounddevice`.

    Raises:
        MissingExtraError: the module is not installed.
        MicrophoneError: the library PortAudio is missing or cannot start.
    """
    require("sounddevice", need="a microphone", extra="mic")
    try:
        import sounddevice
    except OSError as error:
        raise MicrophoneError(
            "got no PortAudio library, expected it for a microphone; install it (Debian and Ubuntu: "
            f"apt install libportaudio2; Fedora: dnf install portaudio; macOS: brew install portaudio), or {WITHOUT}"
        ) from error
    except Exception as error:  # PortAudioError, whose class is in the module that failed to import
        raise MicrophoneError(f"got an error when the sound system was started ({error}); {WITHOUT}") from error
    return sounddevice


def input_devices() -> list[Device]:
    """Return the input devices with their default rates in Hz, in PortAudio's order.

    Raises:
        MissingExtraError: see `portaudio`.
        MicrophoneError: see `portaudio`; or the sound system does not respond.
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
    """Return the input device with a number or name, with its default rate in Hz.

    Args:
        wanted: number, name, or a part of the name that no other device has; None for the default of the system.

    Raises:
        DeviceError: no device or several match; the message lists the inputs.
        MissingExtraError: see `portaudio`.
        MicrophoneError: see `input_devices`; or the machine has no input device.
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
