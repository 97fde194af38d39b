"""Generated sounds for tests, [n] float32 at 16 kHz: voices, noises, edge cases, and folders of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from emovox.audio.types import Samples
from emovox.testing import RATE, speech

FORMANTS = (550.0, 1500.0, 2500.0)
"""Resonances in Hz of a voice for the voice activity detection."""

MOODS = {"bored": (95.0, 0.06, 2.2), "cross": (190.0, 0.45, 4.0), "keen": (290.0, 0.2, 6.0)}
"""Label → pitch in Hz, level, syllables a second."""

SPEAKERS = {"ada": 1.12, "bob": 0.9, "cy": 0.97, "dee": 1.05}
"""Speaker → factor of the pitch."""

VOICES = {"id10001": (95.0, 500.0), "id10002": (150.0, 900.0), "id10003": (240.0, 650.0), "id10004": (200.0, 1500.0)}
"""VoxCeleb's speaker → pitch and formant in Hz."""


def at_level(samples: np.ndarray[tuple[int], np.dtype[np.floating]], dbfs: float) -> Samples:
    """Scale to a root mean square in dBFS."""
    return np.asarray(samples * (10 ** (dbfs / 20) / rms(samples)), np.float32)


def talk(seconds: float, *, f0: float = 140.0, dbfs: float = -30.0, seed: int = 0) -> Samples:
    """Syllables without a break: a moving pitch under three formants, four syllables a second."""
    return at_level(speech(f0, seconds=seconds, glide=0.1, formants=FORMANTS, noise=0.0, seed=seed), dbfs)


def gliding(n: int, *, seed: int = 0) -> Samples:
    """[n]: another pitch for each seed, a formant, breath noise, and syllables with pauses between them."""
    f0 = 110.0 + 45 * (seed % 4)
    return speech(f0, seconds=n / RATE, glide=0.1, formants=(700.0,), tempo=1.7, depth=1.0, noise=1e-3, seed=seed)


def breathy(seconds: float = 2.0, *, level: float = 0.1, seed: int = 0) -> Samples:
    """A voice of 150 Hz with breath up to 8 kHz; root mean square `level`."""
    return at_level(speech(150.0, seconds=seconds, noise=0.03, seed=seed), decibels(level))


def hiss(seconds: float = 1.0, *, level: float = 0.1, seed: int = 1) -> Samples:
    """White noise; its standard deviation is `level`."""
    return np.asarray(level * np.random.default_rng(seed).standard_normal(round(seconds * RATE)), np.float32)


def noise(seconds: float, *, dbfs: float = -70.0, seed: int = 0) -> Samples:
    """White noise of a level in dBFS."""
    return at_level(hiss(seconds, seed=seed), dbfs)


def clicks(seconds: float, *, apart: float = 0.31) -> Samples:
    """Single samples of half of full scale."""
    made = np.zeros(round(seconds * RATE), np.float32)
    made[:: round(apart * RATE)] = 0.5
    return made


def pause(seconds: float) -> Samples:
    """Zeros."""
    return np.zeros(round(seconds * RATE), np.float32)


def scene(*parts: Samples, floor_dbfs: float = -70.0, seed: int = 1) -> Samples:
    """Put parts one after another into a room with a noise floor."""
    joined = np.concatenate(parts)
    return joined + noise(joined.size / RATE, dbfs=floor_dbfs, seed=seed)


def edge_cases() -> dict[str, Samples]:
    """Silence, an impulse, an offset, a full-scale square wave and white noise, [8000] each."""
    impulse = pause(0.5)
    impulse[3333] = 1.0
    square = np.where(np.arange(8000) % 80 < 40, 1.0, -1.0).astype(np.float32)
    offset = np.full(8000, 0.25, np.float32)
    return {"zeros": pause(0.5), "impulse": impulse, "offset": offset, "square": square, "noise": hiss(0.5, seed=5)}


def utterance(mood: str, speaker: str, take: int, *, seconds: float = 1.6) -> Samples:
    """Return one of `MOODS` by one of `SPEAKERS`: they differ in pitch, level and tempo, takes a little."""
    pitch, level, tempo = MOODS[mood]
    seed = 100 * sorted(MOODS).index(mood) + 10 * sorted(SPEAKERS).index(speaker) + take
    rng = np.random.default_rng(seed)
    factor = SPEAKERS[speaker]
    formant = 600 * factor + 100 * rng.random()
    tempo *= 1 + 0.1 * rng.random()
    return speech(pitch * factor, seconds=seconds, level=level, glide=0.05, formants=(formant,), tempo=tempo, seed=seed)


def interview(speaker: str, video: int, take: int, *, seconds: float = 1.2) -> Samples:
    """Return speech of one of `VOICES`: they differ in pitch and formant, videos in noise and level."""
    pitch, formant = VOICES[speaker]
    seed = 100 * sorted(VOICES).index(speaker) + 10 * video + take
    tempo = 3 + 2 * np.random.default_rng(seed).random()
    level, floor = 0.2 - 0.03 * video, 3e-4 + 1e-4 * video
    return speech(
        pitch, seconds=seconds, level=level, glide=0.08, formants=(formant,), tempo=tempo, noise=floor, seed=seed
    )


def rms(samples: np.ndarray[tuple[int], np.dtype[np.floating]]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def decibels(ratio: float) -> float:
    """Ratio of two levels in dB."""
    return float(20 * np.log10(ratio))


def level_between(samples: Samples, low: float, high: float) -> float:
    """Root mean square of what lies from `low` to `high` Hz."""
    spectrum = np.fft.rfft(samples.astype(np.float64) * np.hanning(len(samples)))
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(np.sqrt(np.mean(np.abs(spectrum[(hz >= low) & (hz < high)]) ** 2)))


def write_tree(folder: Path, files: Mapping[str, Samples | bytes]) -> Path:
    """Write sounds, and bytes that are none, under their names; return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            soundfile.write(path, content, RATE)
    return folder


def write_sounds(folder: Path, *, takes: int = 2, speakers: bool = True) -> Path:
    """Write every mood of every speaker, and return the table that lists them."""
    clips = [(speaker, mood, take) for speaker in SPEAKERS for mood in MOODS for take in range(takes)]
    write_tree(folder, {f"{s}-{mood}-{take}.wav": utterance(mood, s, take) for s, mood, take in clips})
    lines = ["path,label,speaker" if speakers else "path,label"]
    lines += [f"{s}-{mood}-{take}.wav,{mood}" + (f",{s}" if speakers else "") for s, mood, take in clips]
    table = folder / "own.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def write_voxceleb(folder: Path, *, speakers: int = len(VOICES), videos: int = 2, clips: int = 3) -> Path:
    """Write a VoxCeleb tree, and return the folder `voxceleb` that it lies in."""
    names = [(s, v, take) for s in list(VOICES)[:speakers] for v in range(videos) for take in range(clips)]
    write_tree(folder, {f"voxceleb/wav/{s}/v{v}/{take:05d}.wav": interview(s, v, take) for s, v, take in names})
    return folder / "voxceleb"


SPEAKER_VOICES = ((100.0, (500.0, 1100.0, 2400.0)), (230.0, (850.0, 1800.0, 2900.0)), (150.0, (400.0, 2000.0, 2600.0)))
"""Pitch and formants in Hz of three speakers that the voice encoder tells apart: low, high, between."""


def said(speaker: int, seconds: float, *, seed: int = 0) -> Samples:
    """Syllables of one of `SPEAKER_VOICES`; pitch and tempo differ with the seed."""
    f0, formants = SPEAKER_VOICES[speaker]
    pitch, tempo = f0 * (1 + 0.05 * (seed % 3)), 3.0 + seed % 3
    return speech(pitch, seconds=seconds, glide=0.15, formants=formants, tempo=tempo, noise=1e-3, seed=seed)
