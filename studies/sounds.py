"""Sounds for the studies: clips of folders, generated noises, and speech that is made harder to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from emovox.audio.types import Samples

RATE = 16000


def read(path: Path) -> Samples:
    """Decode a file to 16 kHz mono, [n] float32."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.asarray(mono if rate == RATE else soxr.resample(mono, rate, RATE), np.float32)


def clips(folder: Path, *, every: int = 1) -> Iterator[tuple[Path, Samples]]:
    """Walk through the audio of a folder in order of name."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".wav", ".flac", ".ogg", ".mp3"})
    for path in files[::every]:
        yield path, read(path)


def synthetic(seconds: int = 10) -> Iterator[tuple[str, Samples]]:
    """Generate noises that need no corpus; the number is the level in dBFS."""
    rng = np.random.default_rng(0)
    n = seconds * RATE
    clock = np.arange(n) / RATE
    bins = np.arange(n // 2 + 1)
    noises = {"white": rng.standard_normal(n)}
    spectrum = np.fft.rfft(noises["white"])
    noises["pink"] = np.fft.irfft(spectrum / np.sqrt(np.maximum(bins, 20)), n)
    noises["room tone"] = np.fft.irfft(spectrum / np.maximum(bins, 50), n)
    noises["hum 50 Hz"] = np.sum([np.sin(2 * np.pi * 50 * k * clock) / k for k in range(1, 8)], axis=0)
    notes = 220 * 2 ** (rng.choice([0, 4, 7, 12], n // 8000) / 12)
    note = np.arange(8000) / RATE
    noises["music"] = np.concatenate(
        [sum(np.sin(2 * np.pi * f * k * note) / k for k in range(1, 8)) * np.exp(-4 * note) for f in notes]
    )
    for name, noise in noises.items():
        for level in (-20, -40, -60, -80):
            yield f"{name} {level}", (noise / noise.std() * 10 ** (level / 20)).clip(-1, 1).astype(np.float32)
    clicks = np.zeros(n)
    clicks[::12000] = 0.5
    yield "clicks", (clicks + 1e-4 * noises["white"]).astype(np.float32)
    yield "digital silence", np.zeros(n, np.float32)
    yield "last bit", (rng.integers(-1, 2, n) / 32768).astype(np.float32)


def noise_clips(folder: Path, name: str) -> Iterator[tuple[str, Samples]]:
    """Walk through a noise folder; ESC-10's classes keep their names."""
    for path, samples in clips(folder / name):
        yield (path.parent.name.split(" - ")[-1] if name == "esc10" else name), samples


def pink(samples: Samples, rng: np.random.Generator, *, snr_db: float) -> Samples:
    """Add pink noise after half a second of it alone, as in a room."""
    n = samples.size + RATE // 2
    bins = np.arange(n // 2 + 1)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) / np.sqrt(np.maximum(bins, 20)), n)
    return mixed(samples, noise, snr_db=snr_db)


def mixed(samples: Samples, noise: npt.NDArray[np.floating], *, snr_db: float) -> Samples:
    """Add noise to speech that begins half a second later; the ratio is to the loud samples of the speech."""
    n = samples.size + RATE // 2
    noise = np.resize(noise, n).astype(np.float64)
    loud = samples[np.abs(samples) > 0.05 * np.abs(samples).max()]
    noise *= np.sqrt(np.square(loud).mean()) / max(noise.std(), 1e-9) * 10 ** (-snr_db / 20)
    noise[RATE // 2 :] += samples
    return noise.astype(np.float32)


def whispered(samples: Samples, rng: np.random.Generator) -> Samples:
    """Pass noise through the spectral envelope of a clip."""
    made, taper = np.zeros_like(samples), np.hanning(401)[:-1]
    for at in range(0, samples.size - 400, 200):
        size = np.abs(np.fft.rfft(samples[at : at + 400] * taper))
        envelope = np.convolve(size, np.ones(9) / 9, "same")
        made[at : at + 400] += np.fft.irfft(envelope * np.exp(2j * np.pi * rng.random(size.size)), 400) * taper
    return made


def quiet(samples: Samples) -> Samples:
    """Lower the level by 30 dB, in 16 bits."""
    return np.asarray(np.rint(samples * 10**-1.5 * 32768) / 32768, np.float32)
