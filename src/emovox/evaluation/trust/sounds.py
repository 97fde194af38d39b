"""Sounds that are not speech: by formula, from the folder of noises, and from fluidsynth and espeak-ng if installed."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from emovox.audio.files import audio_files
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.augment.conditions import NOISE_FILES
from emovox.augment.noise import coloured_noise
from emovox.evaluation.trust.hearing import Stimulus
from emovox.evaluation.trust.sample import order_key
from emovox.evaluation.trust.system import ANY
from emovox.schema.errors import AudioError, MissingExtraError

RATE, SECONDS = 16000, 5.0
"""Sample rate in Hz and length in seconds of sounds by formula."""

LONGEST = 10.0
"""Length kept of a recording, in seconds."""

CLASSES = {
    "dog": "*Dog bark", "rooster": "*Rooster", "rain": "*Rain", "sea": "*Sea waves", "clock": "*Clock tick",
    "helicopter": "*Helicopter", "chainsaw": "*Chainsaw", "fire": "*Fire crackling",
}  # fmt: skip
"""Kind → its folder in ESC-10."""

SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts")
"""Folders in which distributions keep instruments for fluidsynth."""

MUSIC = ("music-even", "music-odd")
"""Kinds, in a training, of pieces for instruments of even and of odd families; a family has eight instruments."""

SENTENCES = (
    "The train leaves at seven.", "Please put the blue cup on the table.", "It is Wednesday today.",
    "The office is on the second floor.", "There are twelve months in a year.", "My number is four seven one.",
    "The shop opens in the morning.", "We can send it by post.",
)  # fmt: skip
"""Sentences that the synthetic voice reads."""


class NoSoundsError(Exception):
    """There are no sounds of a kind here; the message says why. Internal: it becomes a test that is not testable."""


def sounds(kind: str, *, most: int, seed: int, noise: Path | None) -> list[Stimulus]:
    """Return up to `most` sounds of a kind.

    Args:
        kind: one of `emovox.evaluation.trust.suite.NOT_SPEECH`, or "espeak".
        most: number of sounds.
        seed: of sounds by formula, and of the choice of files.
        noise: folder of noises; None: there is none.

    Raises:
        NoSoundsError: the folder lacks them, or a program is not installed.
    """
    if kind in FORMULAS:
        make = FORMULAS[kind]
        count = 1 if kind == "silence" else most
        return [_item(kind, str(n), make(np.random.default_rng([seed, n])), RATE) for n in range(count)]
    if kind == "music":
        return _music(most, noise)
    if kind == "espeak":
        return _espeak(most)
    return _files(kind, most, seed, noise)


def _item(kind: str, name: str, samples: Samples, rate: int, *, learnt_as: str = "") -> Stimulus:
    return Stimulus(f"sound:{kind}", name, ANY, lambda: (samples, rate), learnt_as or kind)


def _silence(rng: np.random.Generator) -> Samples:  # noqa: ARG001
    return np.zeros(round(SECONDS * RATE), np.float32)


def _noise(rng: np.random.Generator, *, exponent: float, low_db: float, high_db: float) -> Samples:
    level = 10 ** (rng.uniform(low_db, high_db) / 20)
    noise = coloured_noise(round(SECONDS * RATE), RATE, rng, exponent=exponent)
    return np.asarray(np.clip(level * noise, -1, 1), np.float32)


def _tones(rng: np.random.Generator) -> Samples:
    """Return steady tones with harmonics, such as a dial tone or a hum."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    hertz = rng.uniform(50, 1000)
    wave = sum(rng.uniform(0, 1) / k * np.sin(2 * np.pi * k * hertz * time) for k in range(1, 5))
    return np.asarray(0.2 * wave, np.float32)


def _notes(rng: np.random.Generator) -> Samples:
    """Return a tune of plucked notes: harmonics that die away."""
    n = round(SECONDS * RATE)
    tune = np.zeros(n)
    for start in range(0, n, RATE // 4):
        time = np.arange(n - start) / RATE
        hertz = 440 * 2 ** (int(rng.integers(-18, 12)) / 12)
        tune[start:] += np.exp(-4 * time) * sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 6))
    return np.asarray(0.5 * tune / np.abs(tune).max(), np.float32)


FORMULAS: Mapping[str, Callable[[np.random.Generator], Samples]] = {
    "silence": _silence,
    "room-tone": partial(_noise, exponent=1, low_db=-65, high_db=-50),
    "white": partial(_noise, exponent=0, low_db=-40, high_db=-15),
    "pink": partial(_noise, exponent=1, low_db=-40, high_db=-15),
    "tones": _tones,
    "notes": _notes,
}
"""Kind → the sound of a random generator, 5 s."""


def _files(kind: str, most: int, seed: int, noise: Path | None) -> list[Stimulus]:
    if noise is None:
        raise NoSoundsError("no folder of noises: set $EMOVOX_NOISE or give --noise")
    if kind in CLASSES:
        found = sorted(path for folder in noise.glob(f"esc10/{CLASSES[kind]}") for path in _audio(folder))
    else:
        found = [path for path in _audio(noise / "nonspeech100") if any(path.match(one) for one in NOISE_FILES[kind])]
    if not found:
        where = "esc10" if kind in CLASSES else "nonspeech100"
        raise NoSoundsError(f"no recordings of this kind in {noise / where}")
    return _readable(kind, sorted(found, key=lambda path: order_key(seed, path.name)), most)


def _readable(kind: str, paths: Sequence[Path], most: int) -> list[Stimulus]:
    """Return the first `most` recordings that can be read."""
    found: list[Stimulus] = []
    reason = ""
    for path in paths:
        if len(found) == most:
            break
        try:
            found.append(_item(kind, path.stem, *_load(path)))
        except NoSoundsError as error:
            reason = str(error)
    if not found:
        raise NoSoundsError(f"none of {len(paths)} recordings can be read, the last: {reason}")
    return found


def _audio(folder: Path) -> list[Path]:
    try:
        return audio_files(folder)
    except AudioError:
        return []


def _load(path: Path) -> tuple[Samples, int]:
    try:
        audio, rate = load_audio(path)
    except (AudioError, MissingExtraError) as error:
        raise NoSoundsError(str(error)) from error
    return audio[0, : round(LONGEST * rate)], rate


def _music(most: int, noise: Path | None) -> list[Stimulus]:
    """Return music of a folder, as in MUSAN, or pieces that fluidsynth plays."""
    found = _audio(noise / "music") if noise is not None else []
    if found:
        return _readable("music", found[:: -(-len(found) // most)], most)
    fonts = [font for folder in SOUNDFONTS for font in sorted(Path(folder).glob("*.sf*"))]
    if shutil.which("fluidsynth") is None or not fonts:
        raise NoSoundsError("no folder music with the noises, and no fluidsynth with a soundfont")
    return [
        _item("music", str(n), *_played(fonts[0], n), learnt_as=MUSIC[_instrument(n) // 8 % 2]) for n in range(most)
    ]


def _instrument(number: int) -> int:
    """Return the instrument of General MIDI, 0 to 127, of a piece."""
    return (17 * number) % 128


def _played(font: Path, number: int) -> tuple[Samples, int]:
    """Return a piece for an instrument of its own, 8 s."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        score.write_bytes(_midi(np.random.default_rng([7, number]), instrument=_instrument(number)))
        play = ["fluidsynth", "-ni", "-q", "-g", "1", "-r", str(RATE), "-F", str(sound), str(font), str(score)]
        return _rendered(play, sound)


def _rendered(command: Sequence[str], sound: Path) -> tuple[Samples, int]:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoSoundsError(f"{command[0]} fails: {error}") from error
    return _load(sound)


def _midi(rng: np.random.Generator, *, instrument: int) -> bytes:
    """Return a standard MIDI file: 16 bars of chords and a melody in one key, at a random tempo."""
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + int(rng.integers(48, 60))
    events = [bytes([0, 0xC0, instrument])]
    for _ in range(16):
        root = int(rng.integers(0, 5))
        chord = [int(scale[(root + step) % 7]) for step in (0, 2, 4)] + [int(scale[rng.integers(7)]) + 12]
        events += [bytes([0, 0x90, note, 90]) for note in chord]
        events += [bytes([0x60 if place == 0 else 0, 0x80, note, 0]) for place, note in enumerate(chord)]
    track = b"".join(events) + bytes([0, 0xFF, 0x2F, 0])
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(track)) + track


def _espeak(most: int) -> list[Stimulus]:
    if shutil.which("espeak-ng") is None:
        raise NoSoundsError("espeak-ng is not installed")
    return [_item("espeak", str(n), *_spoken(n)) for n in range(min(most, len(SENTENCES)))]


def _spoken(number: int) -> tuple[Samples, int]:
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "voice.wav"
        return _rendered(
            ["espeak-ng", "-v", f"en+{'mf'[number % 2]}{1 + number % 3}", "-w", str(sound), SENTENCES[number]], sound
        )
