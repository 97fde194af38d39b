"""Sounds to learn speech from everything else: clips of corpora, noises of every kind, and rendered music."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from emovox.audio.files import audio_files
from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.augment.augment import Augmenter
from emovox.augment.conditions import NOISE_FILES
from emovox.augment.config import Augment, Codec, Gain, LowCut, Noise, Room, Tilt
from emovox.augment.sources import load_sources
from emovox.corpora.manifest import Clip
from emovox.evaluation.trust.sounds import CLASSES, FORMULAS
from emovox.runtime.first_pass import UNCERTAIN_PROBABILITY
from emovox.runtime.segmenter import Segmenter, SegmenterConfig, cut_tiles
from emovox.runtime.speech_network import may_hold_speech
from emovox.runtime.tiles import Tile
from emovox.training.music import FAMILIES, piece
from emovox.training.synthetic import SECONDS, synthetic_sound

RATE = 16000
"""Sample rate in Hz of all sounds here."""

FOLDS: Mapping[str, tuple[str, ...]] = {
    "animals": ("dog", "rooster", "animal"),
    "water": ("rain", "sea", "water"),
    "machines": ("helicopter", "chainsaw", "machine", "traffic", "hum"),
    "signals": ("alarm", "bell", "clock", "tones", "music-even"),
    "air": ("fire", "wind", "white", "pink", "notes", "music-odd"),
}
"""Fold → its kinds of sounds. Kinds that resemble each other share a fold, so that each is tested by a map that has
learnt nothing like it. Crowds, crying, laughter, coughs and sneezes are in none: they are voices, or close."""

CHANGES = Augment(
    room=Room(probability=0.3),
    noise=Noise(probability=0.5, snr_low=5.0, snr_high=30.0),
    low_cut=LowCut(probability=0.25),
    tilt=Tilt(probability=0.3),
    gain=Gain(probability=0.5, low_db=-20.0, high_db=6.0),
    codec=Codec(probability=0.4),
)
"""Changes of speech, which stays speech: rooms, noise, microphones, levels, telephones."""

MICROPHONES = Augment(
    room=Room(probability=0.2),
    low_cut=LowCut(probability=0.25),
    tilt=Tilt(probability=0.3),
    gain=Gain(probability=0.7, low_db=-20.0, high_db=10.0),
    codec=Codec(probability=0.3),
)
"""Changes of other sounds, without a second noise: that has its own copy, from the same fold."""

STEP, MOST_STEPS = RATE // 2, 9
"""Step of the lengths of random windows in samples, and the largest number of them: 4.5 s, as for tiles."""

LEAST_LEVEL = 1e-4
"""Root mean square of a window below which there is nothing to hear: -80 dBFS."""

SYNTHETIC, NEVER = "synthetic", ""
"""Kind of sounds that only teach, and their fold: none tests them."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording that is speech or is not.

    Attributes:
        name: unique.
        kind: of a sound in `FOLDS`, or the corpus of a clip.
        fold: that tests it.
        is_speech: whether it is speech.
        samples: [n] float32 at `RATE`.
    """

    name: str
    kind: str
    fold: str
    is_speech: bool
    samples: Samples


class PieceNote(msgspec.Struct, frozen=True):
    """What is known of a piece that a model hears.

    Attributes:
        sound: name of its sound.
        kind: of its sound, or `SYNTHETIC`.
        fold: that tests it; `NEVER` for sounds that only teach.
        is_speech: whether it is speech.
        heard: whether `predict` scores it as a tile of the unchanged sound; false for random windows and for copies.
        seconds: length of the tile without what surrounds it.
        of: length of the sound in seconds.
    """

    sound: str
    kind: str
    fold: str
    is_speech: bool
    heard: bool
    seconds: float
    of: float


Piece = tuple[PieceNote, Samples]
"""A note and samples [n], float32 at `RATE`."""


def speech_sounds(clips: Sequence[Clip], *, per_corpus: int, seed: int) -> Iterator[Sound]:
    """Yield clips of each corpus, as many of each speaker; a speaker's clips share a fold."""
    names, rng = list(FOLDS), np.random.default_rng(seed)
    speakers: dict[str, dict[str, list[Clip]]] = {}
    for clip in clips:
        speakers.setdefault(clip.corpus, {}).setdefault(str(clip.speaker), []).append(clip)
    count = 0
    for corpus, known in sorted(speakers.items()):
        for _, own in sorted(known.items()):
            fold, count = names[count % len(names)], count + 1
            for place in rng.permutation(len(own))[: -(-per_corpus // len(known))].tolist():
                audio, _ = load_audio(own[place].path, sample_rate=RATE)
                yield Sound(f"{corpus}/{own[place].id}", corpus, fold, is_speech=True, samples=audio[0])


def noise_sounds(noise: Path) -> Iterator[Sound]:
    """Yield the recordings of a folder of noises, with the layout of `docs/trust.md`."""
    for kind, pattern in CLASSES.items():
        for folder in sorted((noise / "esc10").glob(pattern)):
            yield from _files(kind, audio_files(folder))
    others = audio_files(noise / "nonspeech100")
    for kind, patterns in NOISE_FILES.items():
        if kind in _FOLD_OF:
            yield from _files(kind, [path for path in others if any(path.match(one) for one in patterns)])
    yield from _files("hum", audio_files(noise / "speechbrain_noise"))


def made_sounds(*, per_kind: int, seed: int) -> Iterator[Sound]:
    """Yield sounds by formula and pieces of music; they differ from those of the trust suite.

    Raises:
        AudioError: fluidsynth or a soundfont is missing.
    """
    for kind in ("white", "pink", "tones", "notes"):
        for number in range(per_kind):
            samples = FORMULAS[kind](np.random.default_rng([seed, 1, number]))
            yield _sound(kind, f"{kind}/{number}", samples)
    for number in range(6 * per_kind):
        rng = np.random.default_rng([seed, 2, number])
        family = number % FAMILIES
        kind = ("music-even", "music-odd")[family % 2]
        yield _sound(kind, f"music/{number}", piece(rng, family=family, rate=RATE))


_FOLD_OF = {kind: fold for fold, kinds in FOLDS.items() for kind in kinds}


def _sound(kind: str, name: str, samples: Samples) -> Sound:
    return Sound(name, kind, _FOLD_OF[kind], is_speech=False, samples=samples)


def _files(kind: str, paths: Sequence[Path]) -> Iterator[Sound]:
    for path in paths:
        audio, _ = load_audio(path, sample_rate=RATE)
        yield _sound(kind, f"{kind}/{path.stem}", audio[0, : 10 * RATE])


def pieces(sounds: Sequence[Sound], *, seed: int) -> Iterator[Piece]:
    """Yield what a model hears of each sound, and copies of it.

    Speech gives the tiles of `predict`, and those of a changed copy. Another sound gives the tiles of `predict`, if
    any, and random windows: plain, changed by microphones, and mixed with another sound of its fold.

    Args:
        sounds: as from the functions above.
        seed: of all random choices.
    """
    voices, microphones = (Augmenter(one, load_sources(one)) for one in (CHANGES, MICROPHONES))
    by_fold: dict[str, list[Samples]] = {}
    for sound in sounds:
        if not sound.is_speech:
            by_fold.setdefault(sound.fold, []).append(sound.samples)
    for number, sound in enumerate(sounds):
        rng = np.random.default_rng([seed, number])
        yield from _tiles(sound, sound.samples, heard=True)
        if sound.is_speech:
            yield from _tiles(sound, voices(sound.samples, rng), heard=False)
            continue
        others = by_fold[sound.fold]
        second = others[int(rng.integers(len(others)))]
        for change in (_same, microphones, _mixed(second)):
            window = change(_window(sound.samples, rng), rng)
            yield _note(sound, len(window) / RATE, heard=False), window


def more_pieces(known: Sequence[Piece], *, synthetic: int, seed: int) -> Iterator[Piece]:
    """Yield copies of the pieces that are no speech, and two windows of each synthetic sound.

    Args:
        known: from `pieces`.
        synthetic: number of synthetic sounds.
        seed: of all random choices.
    """
    rng, microphones = np.random.default_rng(seed), Augmenter(MICROPHONES, load_sources(MICROPHONES))
    by_fold: dict[str, list[Samples]] = {}
    others = [(note, samples) for note, samples in known if not note.is_speech and len(samples) >= STEP]
    for note, samples in others:
        by_fold.setdefault(note.fold, []).append(samples)
    for note, samples in others:
        if rng.random() < 0.5:
            made = microphones(samples, rng)
        else:
            own = by_fold[note.fold]
            made = _mixed(own[int(rng.choice(len(own)))])(samples, rng)
        if length := len(made) // STEP * STEP:
            yield msgspec.structs.replace(note, heard=False), made[:length]
    for number in range(synthetic):
        whole = synthetic_sound(np.random.default_rng([5, number]), rate=RATE)
        for is_changed in (False, True):
            length = int(rng.integers(1, MOST_STEPS)) * STEP if is_changed else 3 * RATE
            first = int(rng.integers(0, len(whole) - length + 1))
            window = whole[first : first + length]
            if rms(window) >= LEAST_LEVEL:
                note = PieceNote(f"{SYNTHETIC}/{number}", SYNTHETIC, NEVER, False, False, length / RATE, SECONDS)
                yield note, microphones(window, rng)[:length] if is_changed else window


Change = Callable[[Samples, np.random.Generator], Samples]


def _same(samples: Samples, rng: np.random.Generator) -> Samples:  # noqa: ARG001
    return samples


def _mixed(second: Samples) -> Change:
    def change(samples: Samples, rng: np.random.Generator) -> Samples:
        other = np.resize(second, len(samples))
        level = rms(samples) / max(rms(other), 1e-6) * 10 ** (rng.uniform(-10, 10) / 20)
        return np.asarray(np.clip(samples + level * other, -1, 1), np.float32)

    return change


def rms(samples: Samples) -> float:
    """Return the root mean square of samples."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _window(samples: Samples, rng: np.random.Generator) -> Samples:
    seconds = 3.0 if rng.random() < 0.5 else 0.5 * int(rng.integers(1, MOST_STEPS + 1))
    length = min(len(samples), round(seconds * RATE))
    start = int(rng.integers(0, len(samples) - length + 1))
    return samples[start : start + length]


def _tiles(sound: Sound, samples: Samples, *, heard: bool) -> Iterator[Piece]:
    for tile in heard_tiles(samples):
        yield _note(sound, (tile.end - tile.start) / RATE, heard=heard), tile.samples


def _note(sound: Sound, seconds: float, *, heard: bool) -> PieceNote:
    of = len(sound.samples) / RATE
    return PieceNote(sound.name, sound.kind, sound.fold, sound.is_speech, heard, seconds, of)


def heard_tiles(samples: Samples) -> list[Tile]:
    """Return the tiles that `predict` scores, also if it finds no speech for certain."""
    if found := cut_tiles([samples]):
        return found
    if not may_hold_speech(samples, sample_rate=RATE, threshold=UNCERTAIN_PROBABILITY):
        return []
    whole = Segmenter(SegmenterConfig(), speech_only=False)
    return [event for event in whole.feed(samples) + whole.flush() if isinstance(event, Tile)]
