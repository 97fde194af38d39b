"""Measure voice activity detectors: clips missed, speech covered, noise flagged, cost. The tables of docs/vad.md.

    EMOVOX_CORPORA=… EMOVOX_NOISE=… python -m studies.vad [--every 4] [--chosen | --choose]

Every candidate but the chosen one gives decisions on 20 ms frames; the same region finder turns them into regions.
webrtcvad comes from the package `webrtcvad-wheels`; its rows are left out where it is not installed. `--choose` chooses
the threshold of the network with each corpus left out in turn.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emovox.audio.types import Samples
from emovox.runtime.noise_floor import NoiseFloor
from emovox.runtime.segmenter import RegionEnded, Segmenter, SegmenterConfig
from emovox.runtime.speech_network import speech_probabilities
from emovox.runtime.vad import CLEAR, Closed, Levels, Opened, RegionFinder, Vad, VadConfig, frames_of
from studies.sounds import RATE, clips, mixed, noise_clips, pink, quiet, synthetic, whispered

HOP = 320
Regions = list[tuple[float, float]]
Detector = Callable[[Samples], Regions]
Frames = Callable[[Samples], Levels]
Clips = dict[str, list[tuple[bool, float]]]
CORPORA = {"ravdess": 1, "emodb": 1, "casia": 1, "tess": 0, "nemo": 0, "emovo": 1}  # 0: thinned by --every
NOISES = ("esc10", "nonspeech100", "speechbrain_noise")
CHOSEN = "energy gate + periodicity, else network (chosen)"
THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
MOST_MISSED, MOST_WHISPERS_MISSED = 0.003, 0.05
RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def by_frames(frames: Frames, config: VadConfig) -> Detector:
    """Turn decisions on 20 ms frames into padded regions (start, end) in seconds, without the network."""

    def detect(samples: Samples) -> Regions:
        finder, seconds = RegionFinder(config), samples.size / RATE
        marks = [*finder.feed(frames(samples)), *finder.flush()]
        starts = [max(0.0, mark.frame * 0.02 - config.padding) for mark in marks if isinstance(mark, Opened)]
        ends = [min(seconds, mark.frame * 0.02 + config.padding) for mark in marks if isinstance(mark, Closed)]
        return list(zip(starts, ends, strict=True))

    return detect


def covered(samples: Samples, regions: Regions) -> float:
    """Share of the energetic part inside the regions: 10 ms frames at most 20 dB below the 95th percentile."""
    usable = samples.size - samples.size % 160
    power = np.square(np.diff(samples[:usable], prepend=samples[:1])).reshape(-1, 160).mean(axis=1)
    energetic = power > np.percentile(power, 95) / 100
    inside = np.zeros(power.size, bool)
    for start, end in regions:
        inside[round(start * 100) : round(end * 100)] = True
    return float((energetic & inside).sum() / max(1, energetic.sum()))


def own(config: VadConfig) -> Detector:
    """Detect with this package."""

    def detect(samples: Samples) -> Regions:
        segmenter = Segmenter(SegmenterConfig(vad=config, shortest=0))
        events = segmenter.feed(samples) + segmenter.flush()
        return [(event.start / RATE, event.end / RATE) for event in events if isinstance(event, RegionEnded)]

    return detect


def voiced(config: VadConfig) -> Frames:
    """Decide by noise floor and periodicity alone."""

    def decide(samples: Samples) -> Levels:
        vad = Vad(config)
        return np.concatenate([vad.feed(samples), vad.flush()])

    return decide


def frame_floor(samples: Samples, config: VadConfig) -> tuple[Samples, Samples]:
    """Power and noise floor of each 20 ms frame of the difference signal at 16 kHz."""
    usable = samples.size - samples.size % HOP
    power = np.square(np.diff(samples[:usable], prepend=samples[:1])).reshape(-1, HOP).mean(axis=1)
    floor = NoiseFloor(past=frames_of(config.floor_window), ahead=frames_of(config.lookahead))
    first, last = floor.feed(power.astype(np.float32)), floor.flush()
    return np.concatenate([first[0], last[0]]), np.maximum(np.concatenate([first[1], last[1]]), 1e-10)


def gate(config: VadConfig) -> Frames:
    """Detect by energy above the noise floor alone."""

    def detect(samples: Samples) -> Levels:
        power, floor = frame_floor(samples, config)
        return (power > floor * 10 ** (config.above_floor_db / 10)).astype(np.uint8) * CLEAR

    return detect


def webrtc(mode: int, length_ms: int, *, gain: bool = False) -> Frames:
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


def both(first: Frames, second: Frames) -> Frames:
    """Detect where both do."""

    def detect(samples: Samples) -> Levels:
        one, two = first(samples), second(samples)
        shortest = min(one.size, two.size)
        return np.minimum(one[:shortest], two[:shortest])

    return detect


def candidates(config: VadConfig) -> dict[str, Detector]:
    """Name the detectors that are compared; the chosen one comes last."""
    first = VadConfig(clear_periodicity=0.65, onset_window=0.3)  # version 1 of the detector
    found: dict[str, Frames] = {}
    if importlib.util.find_spec("webrtcvad"):
        found |= {f"webrtcvad mode {mode}, 30 ms": webrtc(mode, 30) for mode in range(4)}
        found |= {f"webrtcvad mode 3, {length} ms": webrtc(3, length) for length in (10, 20)}
        found |= {f"webrtcvad mode {mode}, 20 ms, gain": webrtc(mode, 20, gain=True) for mode in (2, 3)}
        found["energy gate + webrtcvad mode 3, 20 ms, gain"] = both(gate(config), webrtc(3, 20, gain=True))
    found["energy gate"] = gate(config)
    found["periodicity"] = voiced(VadConfig(above_floor_db=0.01, loud_above_floor_db=0.01))
    found["energy gate + periodicity (detector 1)"] = voiced(first)
    return {name: by_frames(frames, first) for name, frames in found.items()} | {
        "silero-vad on everything": silero(config.network_threshold),
        CHOSEN: own(config),
    }


def silero(threshold: float) -> Detector:
    """Detect with the network alone, at the level of the recording; two chunks of 32 ms open a region."""

    def decide(samples: Samples) -> Levels:
        chunks = speech_probabilities(samples, sample_rate=RATE)
        places = np.minimum(np.arange(samples.size // HOP) * HOP // 512, chunks.size - 1)
        return (chunks[places] > threshold).astype(np.uint8) * CLEAR

    return by_frames(decide, VadConfig())


def measure_speech(detect: Detector, folder: Path, *, every: int) -> Clips:
    """Collect (missed, share covered) of every clip, by RAVDESS emotion or under "all"."""
    rows: Clips = defaultdict(list)
    for path, samples in clips(folder, every=every):
        regions = detect(samples)
        parts = path.stem.split("-")
        name = RAVDESS[int(parts[2]) - 1] if len(parts) == 7 else "all"
        rows[name].append((not regions, covered(samples, regions)))
    return rows


def measure_noise(detect: Detector, audio: Iterator[tuple[str, Samples]]) -> dict[str, float]:
    """Share of time flagged, by name."""
    flagged: dict[str, float] = defaultdict(float)
    total: dict[str, float] = defaultdict(float)
    for name, samples in audio:
        regions = detect(samples)
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


@dataclass(frozen=True)
class Measured:
    """What one detector did: `speech[corpus]` clips by group, `noise[folder]` shares of time flagged by class."""

    speech: dict[str, Clips]
    noise: dict[str, dict[str, float]]

    def pooled(self, corpus: str) -> list[tuple[bool, float]]:
        """(missed, share covered) of every clip of a corpus."""
        return [clip for rows in self.speech[corpus].values() for clip in rows]


def measure(detect: Detector, *, every: int) -> Measured:
    """Run a detector over all speech and all noise."""
    corpora, noise = Path(os.environ["EMOVOX_CORPORA"]), Path(os.environ["EMOVOX_NOISE"])
    shares = {name: measure_noise(detect, noise_clips(noise, name)) for name in NOISES}
    return Measured(
        {name: measure_speech(detect, corpora / name, every=n or every) for name, n in CORPORA.items()},
        shares | {"synthetic": measure_noise(detect, synthetic())},
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


def hard(detect: Detector, noises: list[Samples], *, every: int) -> None:
    """Print what is missed when the speech is made harder: quieter, in noise, whispered."""
    rng = np.random.default_rng(0)

    def in_pink(snr: int) -> Callable[[Samples], Samples]:
        return lambda samples: pink(samples, rng, snr_db=snr)

    def recorded(snr: int) -> Callable[[Samples], Samples]:
        return lambda samples: mixed(samples, noises[rng.integers(len(noises))], snr_db=snr)

    changes: dict[str, Callable[[Samples], Samples]] = {
        "as it is": lambda samples: samples,
        "30 dB quieter, 16 bits": quiet,
        **{f"pink noise, {snr} dB": in_pink(snr) for snr in (20, 10, 5)},
        **{f"recorded noise, {snr} dB": recorded(snr) for snr in (10, 5, 0)},
        "whispered (noise through the envelope)": lambda samples: whispered(samples, rng),
    }
    print("\n| missed |", " | ".join(CORPORA), "|\n", "|---" * (1 + len(CORPORA)), "|", sep="")
    for name, change in changes.items():
        cells = [
            missed(detect, key, every=every * 5 if key in ("tess", "nemo") else 5, change=change) for key in CORPORA
        ]
        print("|", " | ".join([name, *(f"{lost}/{total}" for lost, total in cells)]), "|", flush=True)


def missed(detect: Detector, corpus: str, *, every: int, change: Callable[[Samples], Samples]) -> tuple[int, int]:
    """Count the clips without a region, and all clips."""
    folder = Path(os.environ["EMOVOX_CORPORA"]) / corpus
    found = [bool(detect(change(samples))) for _, samples in clips(folder, every=every)]
    return found.count(False), len(found)


def choose(*, every: int) -> None:
    """Print what is missed of each corpus at the threshold that the others choose.

    That is the highest one at which each of them misses at most 0.3 % (or one clip), and 5 % when whispered.
    """
    rng, table = np.random.default_rng(0), {}
    for threshold in THRESHOLDS:
        detect = own(VadConfig(network_threshold=threshold))
        for key, own_every in CORPORA.items():
            thinned = own_every or every
            clean = missed(detect, key, every=thinned, change=lambda samples: samples)
            whisper = missed(detect, key, every=4 * thinned, change=lambda samples: whispered(samples, rng))
            table[key, threshold] = clean, whisper

    def fits(corpus: str, threshold: float) -> bool:
        (lost, total), (unheard, whispers) = table[corpus, threshold]
        return lost <= max(1, MOST_MISSED * total) and unheard <= MOST_WHISPERS_MISSED * whispers

    print("| left out | chosen | missed | whispered |\n|---|---|---|---|")
    for corpus in CORPORA:
        others = [other for other in CORPORA if other != corpus]
        best = max(t for t in THRESHOLDS if t == THRESHOLDS[0] or all(fits(other, t) for other in others))
        (lost, total), (unheard, whispers) = table[corpus, best]
        print(f"| {corpus} | {best} | {lost}/{total} | {unheard}/{whispers} |", flush=True)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description="Measure voice activity detectors.")
    parser.add_argument("--every", type=int, default=4, help="take every n-th clip of TESS and nEMO")
    parser.add_argument("--chosen", action="store_true", help="measure the chosen detector only")
    parser.add_argument("--choose", action="store_true", help="choose the threshold with each corpus left out")
    arguments, config = parser.parse_args(), VadConfig()
    if arguments.choose:
        choose(every=arguments.every)
        return
    noise = Path(os.environ["EMOVOX_NOISE"])
    detectors = {CHOSEN: own(config)} if arguments.chosen else candidates(config)
    probe = np.concatenate([samples for _, samples in clips(Path(os.environ["EMOVOX_CORPORA"]) / "ravdess", every=20)])
    print("| detector |", " | ".join([*CORPORA, "covered", *NOISES, "synthetic", "ms/s"]), "|")
    print("|---" * (len(CORPORA) + len(NOISES) + 4), "|", sep="")
    for name, detect in detectors.items():
        measured = measure(detect, every=arguments.every)
        print_row(name, measured, ms=cost(detect, probe))
    print_details(measured)  # the chosen one is the last
    print_segmenter(probe)
    noises = [samples for name in NOISES for _, samples in clips(noise / name) if samples.size > RATE]
    hard(own(config), noises, every=arguments.every)


if __name__ == "__main__":
    main()
