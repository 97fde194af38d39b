"""Measure voice activity detectors: clips missed, speech covered, noise flagged, cost. The tables of docs/vad.md.

    EMOVOX_CORPORA=… EMOVOX_NOISE=… python -m studies.vad [--every 4] [--chosen]

Every candidate gives decisions on 20 ms frames; the same region finder turns them into regions. webrtcvad comes from
the package `webrtcvad-wheels`; its rows are left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr

from emovox.audio.types import Samples
from emovox.runtime.noise_floor import NoiseFloor
from emovox.runtime.segmenter import Segmenter
from emovox.runtime.vad import CLEAR, Closed, Levels, Opened, RegionFinder, Vad, VadConfig, frames_of

RATE, HOP = 16000, 320
Detector = Callable[[Samples], Levels]
Clips = dict[str, list[tuple[bool, float]]]
CORPORA = {"ravdess": 1, "emodb": 1, "casia": 1, "tess": 0, "nemo": 0}  # 0: thinned by --every
NOISES = ("esc10", "nonspeech100", "speechbrain_noise")
CHOSEN = "energy gate + periodicity (chosen)"
RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


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


def find_regions(levels: Levels, config: VadConfig, *, seconds: float) -> list[tuple[float, float]]:
    """Turn decisions on 20 ms frames into padded regions (start, end) in seconds."""
    finder = RegionFinder(config)
    marks = finder.feed(levels)
    if finder.is_open:
        marks.append(Closed(finder.reach))
    starts = [max(0.0, mark.frame * 0.02 - config.padding) for mark in marks if isinstance(mark, Opened)]
    ends = [min(seconds, mark.frame * 0.02 + config.padding) for mark in marks if isinstance(mark, Closed)]
    return list(zip(starts, ends, strict=True))


def covered(samples: Samples, regions: list[tuple[float, float]]) -> float:
    """Share of the energetic part inside the regions: 10 ms frames at most 20 dB below the 95th percentile."""
    usable = samples.size - samples.size % 160
    power = np.square(np.diff(samples[:usable], prepend=samples[:1])).reshape(-1, 160).mean(axis=1)
    energetic = power > np.percentile(power, 95) / 100
    inside = np.zeros(power.size, bool)
    for start, end in regions:
        inside[round(start * 100) : round(end * 100)] = True
    return float((energetic & inside).sum() / max(1, energetic.sum()))


def own(config: VadConfig) -> Detector:
    """Detect with this package: noise floor and periodicity."""

    def detect(samples: Samples) -> Levels:
        vad = Vad(config)
        return np.concatenate([vad.feed(samples), vad.flush()])

    return detect


def frame_floor(samples: Samples, config: VadConfig) -> tuple[Samples, Samples]:
    """Power and noise floor of each 20 ms frame of the difference signal at 16 kHz."""
    usable = samples.size - samples.size % HOP
    power = np.square(np.diff(samples[:usable], prepend=samples[:1])).reshape(-1, HOP).mean(axis=1)
    floor = NoiseFloor(past=frames_of(config.floor_window), ahead=frames_of(config.lookahead))
    first, last = floor.feed(power.astype(np.float32)), floor.flush()
    return np.concatenate([first[0], last[0]]), np.maximum(np.concatenate([first[1], last[1]]), 1e-10)


def gate(config: VadConfig) -> Detector:
    """Detect by energy above the noise floor alone."""

    def detect(samples: Samples) -> Levels:
        power, floor = frame_floor(samples, config)
        return (power > floor * 10 ** (config.above_floor_db / 10)).astype(np.uint8) * CLEAR

    return detect


def webrtc(mode: int, length_ms: int, *, gain: bool = False) -> Detector:
    """Detect with webrtcvad; with `gain` the noise floor is first lifted to -70 dB, by 40 dB at most."""
    import webrtcvad

    def detect(samples: Samples) -> Levels:
        vad, length = webrtcvad.Vad(mode), 16 * length_ms
        if gain:
            _, floor = frame_floor(samples, VadConfig())
            lift = np.clip(np.sqrt(1e-7 / floor), 1, 100).repeat(HOP)
            samples = samples[: lift.size] * lift
        pcm = np.clip(samples * 32768, -32768, 32767).astype(np.int16).tobytes()
        whole = range(0, len(pcm) - 2 * length + 1, 2 * length)
        flags = np.array([vad.is_speech(pcm[at : at + 2 * length], RATE) for at in whole], np.uint8)
        at = np.arange(len(pcm) // 2 // HOP) * 20 // length_ms
        return flags[at[at < flags.size]] * CLEAR

    return detect


def both(first: Detector, second: Detector) -> Detector:
    """Detect where both do."""

    def detect(samples: Samples) -> Levels:
        one, two = first(samples), second(samples)
        shortest = min(one.size, two.size)
        return np.minimum(one[:shortest], two[:shortest])

    return detect


def candidates(config: VadConfig) -> dict[str, Detector]:
    """Name the detectors that are compared; the chosen one comes last."""
    found: dict[str, Detector] = {}
    if importlib.util.find_spec("webrtcvad"):
        found |= {f"webrtcvad mode {mode}, 30 ms": webrtc(mode, 30) for mode in range(4)}
        found |= {f"webrtcvad mode 3, {length} ms": webrtc(3, length) for length in (10, 20)}
        found |= {f"webrtcvad mode {mode}, 20 ms, gain": webrtc(mode, 20, gain=True) for mode in (2, 3)}
        found["energy gate + webrtcvad mode 3, 20 ms, gain"] = both(gate(config), webrtc(3, 20, gain=True))
        found["chosen + webrtcvad mode 3, 20 ms, gain"] = both(own(config), webrtc(3, 20, gain=True))
    found["energy gate"] = gate(config)
    found["periodicity"] = own(VadConfig(above_floor_db=0.01))
    found[CHOSEN] = own(config)
    return found


def measure_speech(detect: Detector, config: VadConfig, folder: Path, *, every: int) -> Clips:
    """Collect (missed, share covered) of every clip, by RAVDESS emotion or under "all"."""
    rows: Clips = defaultdict(list)
    for path, samples in clips(folder, every=every):
        regions = find_regions(detect(samples), config, seconds=samples.size / RATE)
        parts = path.stem.split("-")
        name = RAVDESS[int(parts[2]) - 1] if len(parts) == 7 else "all"
        rows[name].append((not regions, covered(samples, regions)))
    return rows


def measure_noise(detect: Detector, config: VadConfig, audio: Iterator[tuple[str, Samples]]) -> dict[str, float]:
    """Share of time flagged, by name."""
    flagged: dict[str, float] = defaultdict(float)
    total: dict[str, float] = defaultdict(float)
    for name, samples in audio:
        regions = find_regions(detect(samples), config, seconds=samples.size / RATE)
        flagged[name] += sum(end - start for start, end in regions)
        total[name] += samples.size / RATE
    return {name: flagged[name] / total[name] for name in total} | {"": sum(flagged.values()) / sum(total.values())}


def cost(detect: Detector, samples: Samples) -> float:
    """Milliseconds of processor time for a second of audio, best of three."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        detect(samples)
        times.append(time.process_time() - begin)
    return min(times) / (samples.size / RATE) * 1000


def print_segmenter(samples: Samples) -> None:
    """Print what regions and tiles cost in all, by the size of the calls, and the most audio kept."""
    print("\n| samples a call | ms/s | kept, bytes |\n|---|---|---|")
    for size in (320, 1600, 16000, 160000):
        segmenter, kept, begin = Segmenter(), 0, time.process_time()
        for chunk in np.split(samples, range(size, samples.size, size)):
            segmenter.feed(chunk)
            kept = max(kept, segmenter.nbytes)
        print(f"| {size} | {(time.process_time() - begin) / (samples.size / RATE) * 1000:.2f} | {kept} |")


def noise_clips(folder: Path, name: str) -> Iterator[tuple[str, Samples]]:
    """Walk through a noise folder; ESC-10's classes keep their names."""
    for path, samples in clips(folder / name):
        yield (path.parent.name.split(" - ")[-1] if name == "esc10" else name), samples


@dataclass(frozen=True)
class Measured:
    """What one detector did: `speech[corpus]` clips by group, `noise[folder]` shares of time flagged by class."""

    speech: dict[str, Clips]
    noise: dict[str, dict[str, float]]

    def pooled(self, corpus: str) -> list[tuple[bool, float]]:
        """(missed, share covered) of every clip of a corpus."""
        return [clip for rows in self.speech[corpus].values() for clip in rows]


def measure(detect: Detector, config: VadConfig, *, every: int) -> Measured:
    """Run a detector over all speech and all noise."""
    corpora, noise = Path(os.environ["EMOVOX_CORPORA"]), Path(os.environ["EMOVOX_NOISE"])
    shares = {name: measure_noise(detect, config, noise_clips(noise, name)) for name in NOISES}
    return Measured(
        {name: measure_speech(detect, config, corpora / name, every=n or every) for name, n in CORPORA.items()},
        shares | {"synthetic": measure_noise(detect, config, synthetic())},
    )


def print_row(name: str, measured: Measured, *, ms: float) -> None:
    """Print one line of the comparison."""
    pooled = [measured.pooled(corpus) for corpus in CORPORA]
    cells = [f"{sum(missed for missed, _ in rows)}/{len(rows)}" for rows in pooled]
    cells.append(f"{np.mean([np.mean([share for _, share in rows]) for rows in pooled]):.3f}")
    cells += [f"{shares['']:.2f}" for shares in measured.noise.values()]
    print("|", " | ".join([name, *cells, f"{ms:.2f}"]), "|", flush=True)


def print_details(measured: Measured) -> None:
    """Print RAVDESS by emotion, coverage by corpus, noise by class."""
    print("\n| RAVDESS | missed | covered |\n|---|---|---|")
    for emotion, rows in sorted(measured.speech["ravdess"].items()):
        shares = [share for _, share in rows]
        print(f"| {emotion} | {sum(missed for missed, _ in rows)}/{len(rows)} | {np.mean(shares):.3f} |")
    print("\nCovered:", {name: round(float(np.mean([s for _, s in measured.pooled(name)])), 3) for name in CORPORA})
    for folder in ("esc10", "synthetic"):
        print(f"\nFlagged, {folder}:", {key: round(share, 2) for key, share in measured.noise[folder].items() if key})


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description="Measure voice activity detectors.")
    parser.add_argument("--every", type=int, default=4, help="take every n-th clip of TESS and nEMO")
    parser.add_argument("--chosen", action="store_true", help="measure the chosen detector only")
    arguments, config = parser.parse_args(), VadConfig()
    corpora = Path(os.environ["EMOVOX_CORPORA"])
    detectors = {CHOSEN: own(config)} if arguments.chosen else candidates(config)
    probe = np.concatenate([samples for _, samples in clips(corpora / "ravdess", every=20)])
    print("| detector |", " | ".join([*CORPORA, "covered", *NOISES, "synthetic", "ms/s"]), "|")
    print("|---" * (len(CORPORA) + len(NOISES) + 4), "|", sep="")
    for name, detect in detectors.items():
        measured = measure(detect, config, every=arguments.every)
        print_row(name, measured, ms=cost(detect, probe))
    print_details(measured)  # the chosen one is the last
    print_segmenter(probe)
    hard(own(config), config, corpora)


def hard(detect: Detector, config: VadConfig, corpora: Path) -> None:
    """Print what is missed when the speech is made harder: quieter, in pink noise, whispered."""
    rng = np.random.default_rng(0)

    def pink(samples: Samples, *, snr_db: float) -> Samples:
        n = samples.size + RATE // 2  # noise alone first, as in a room
        noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) / np.sqrt(np.maximum(np.arange(n // 2 + 1), 20)), n)
        loud = samples[np.abs(samples) > 0.05 * np.abs(samples).max()]
        noise *= np.sqrt(np.square(loud).mean()) / noise.std() * 10 ** (-snr_db / 20)
        noise[RATE // 2 :] += samples
        return noise.astype(np.float32)

    def whisper(samples: Samples) -> Samples:
        made, taper = np.zeros_like(samples), np.hanning(401)[:-1]
        for at in range(0, samples.size - 400, 200):
            size = np.abs(np.fft.rfft(samples[at : at + 400] * taper))
            envelope = np.convolve(size, np.ones(9) / 9, "same")
            made[at : at + 400] += np.fft.irfft(envelope * np.exp(2j * np.pi * rng.random(size.size)), 400) * taper
        return made

    changes: dict[str, Callable[[Samples], Samples]] = {
        "as it is": lambda samples: samples,
        "30 dB quieter, 16 bits": lambda samples: np.rint(samples * 10**-1.5 * 32768).astype(np.float32) / 32768,
        **{f"pink noise, {snr} dB": partial(pink, snr_db=snr) for snr in (20, 10, 5)},
        "whispered (noise through the envelope)": whisper,
    }
    print("\n| missed | ravdess | emodb | casia |\n|---|---|---|---|")
    for name, change in changes.items():
        cells = []
        for key in ("ravdess", "emodb", "casia"):
            found = [
                bool(find_regions(detect(changed), config, seconds=changed.size / RATE))
                for _, samples in clips(corpora / key, every=5)
                for changed in [change(samples)]
            ]
            cells.append(f"{found.count(False)}/{len(found)}")
        print("|", " | ".join([name, *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
