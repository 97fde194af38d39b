"""Pieces of speech and of other sounds, and what an encoder computes from them; both are kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from emovox.audio.types import Samples
from emovox.augment.sources import VARIABLE
from emovox.corpora.manifest import Clip
from emovox.models.encoders import EncoderConfig
from emovox.models.network import Encoder
from emovox.models.speech_map import FramePooling, pooling_for
from emovox.models.weights import fingerprint
from emovox.schema.errors import AudioError, RecipeError
from emovox.schema.files import replacing
from emovox.schema.progress import Progress, no_progress
from emovox.training import speech_sounds
from emovox.training.cache import save_arrays
from emovox.training.speech_sounds import STEP, PieceNote, more_pieces, pieces

PER_CORPUS, PER_KIND, SYNTHETIC = 170, 20, 450
"""Clips of each corpus, sounds by formula of each kind, and synthetic sounds."""

SEEDS = (0, 9)
"""Of the pieces, and of their copies."""

FULL_SCALE, BATCH = 32767, 8

SOURCES = ("speech_sounds.py", "music.py", "synthetic.py")
"""Files of this folder that make the pieces: if they change, the pieces are made again."""

Steps = npt.NDArray[np.int16]

Compute = Callable[[Samples], Samples]
"""Returns values [b, p] of samples [b, n]."""


@dataclass(frozen=True, eq=False)
class SpeechMaterial:
    """Pieces of speech and of other sounds.

    Attributes:
        notes: what is known of each piece.
        waves: returns the samples of all pieces, 16 bit at 16 kHz.
        key: names the pieces in the cache.
        folder: keeps the values.
        held: groups of kinds of sounds, keys of `speech_sounds.FOLDS`, that a training does not learn from.
    """

    notes: Sequence[PieceNote]
    waves: Callable[[], Sequence[Steps]]
    key: str
    folder: Path
    held: tuple[str, ...] = ()

    def values(self, compute: Compute, *, of: str, progress: Progress = no_progress) -> Samples:
        """Return what is computed from all pieces, [n, p]; it is kept.

        Args:
            compute: gives values of samples, several pieces of one length at a time.
            of: tells what computes from everything else that does.
            progress: called with the pieces done.
        """
        path = self.folder / f"values-{self.key}-{hashlib.sha256(of.encode()).hexdigest()[:16]}.npy"
        if not path.is_file():
            found = _computed(compute, self.waves(), progress)
            with replacing(path, make_folder=True) as file:
                np.save(file, found)
        kept: Samples = np.load(path)
        return kept


def speech_material(
    clips: Sequence[Clip], *, noise: Path, folder: Path, progress: Progress = no_progress
) -> SpeechMaterial:
    """Return the pieces of clips and of other sounds; they are made once, which takes minutes.

    Args:
        clips: of speech, with any labels.
        noise: folder of noises, with the layout of docs/trust.md.
        folder: cache of pieces and values.
        progress: called with the sounds done.

    Raises:
        AudioError: a recording cannot be read; the folder lacks `nonspeech100`; fluidsynth or a soundfont is missing.
        RecipeError: $EMOVOX_NOISE, from which speech is changed, is not set.
    """
    key = _key(clips, noise)
    path = folder / f"pieces-{key}.npz"
    if not path.is_file():
        made = [(note, samples) for note, samples in _made(clips, noise, progress) if len(samples) >= STEP]
        notes = np.frombuffer(msgspec.json.encode([note for note, _ in made]), np.uint8)
        ends = np.cumsum([len(samples) for _, samples in made])
        save_arrays(path, notes=notes, samples=np.concatenate([samples for _, samples in made]), ends=ends)
    with np.load(path) as kept:
        decoded = msgspec.json.decode(kept["notes"].tobytes(), type=list[PieceNote])
    return SpeechMaterial(decoded, partial(_waves, path), key, folder)


def recipe_material(
    clips: Sequence[Clip], *, folder: Path, progress: Progress = no_progress, environ: Mapping[str, str] = os.environ
) -> SpeechMaterial:
    """Return the pieces for a training with `speech = true`; arguments as for `speech_material`.

    Raises:
        RecipeError: $EMOVOX_NOISE is not set or no folder, or a sound is missing.
    """
    noise = Path(environ.get(VARIABLE, ""))
    if not environ.get(VARIABLE) or not noise.is_dir():
        raise RecipeError(
            f"speech is true, but ${VARIABLE} is {environ.get(VARIABLE) or 'not set'}, expected a folder of noises "
            "(docs/trust.md) to tell speech from; set it, or set speech = false"
        )
    try:
        return speech_material(clips, noise=noise, folder=folder, progress=progress)
    except AudioError as error:
        raise RecipeError(f"speech is true, but a sound is missing: {error}; or set speech = false") from error


def encoder_values(
    material: SpeechMaterial, encoder: Encoder, config: EncoderConfig, *, progress: Progress = no_progress
) -> tuple[Samples, FramePooling | None]:
    """Return what the map takes, [n, p]: pooled frames of a small network, or statistics.

    Frames have no learnt weights, so they are computed once for all folds. So are the statistics of an encoder of which
    nothing learns.

    Args:
        material: the pieces.
        encoder: a trained one.
        config: of the encoder.
        progress: called with the pieces done.
    """
    pooling = pooling_for(encoder)
    named = msgspec.json.encode(config).decode()
    of = f"{named} {fingerprint(encoder)}" if pooling is None else f"frames {encoder.inputs_key}"
    device = next((parameter.device for parameter in encoder.parameters()), torch.device("cpu"))

    def compute(samples: Samples) -> Samples:
        """Return the values [b, p] of samples [b, n]."""
        waves = torch.from_numpy(samples).to(device)
        with torch.inference_mode():
            found = encoder(waves) if pooling is None else pooling(encoder.inputs(waves).cpu().transpose(1, 2))
            values: Samples = found.float().cpu().numpy()
        return values

    encoder.eval()
    return material.values(compute, of=of, progress=progress), pooling


def _key(clips: Sequence[Clip], noise: Path) -> str:
    """Return a hash of the code that makes pieces, of its settings, and of names and sizes of clips and noises."""
    code = b"".join((Path(__file__).parent / name).read_bytes() for name in SOURCES)
    digest = hashlib.sha256(code + f"{PER_CORPUS} {PER_KIND} {SYNTHETIC} {SEEDS}".encode())
    for line in sorted(f"{clip.corpus} {clip.id} {clip.speaker} {clip.duration}" for clip in clips):
        digest.update(f"\n{line}".encode())
    for file in sorted(path for path in noise.rglob("*") if path.is_file()):
        digest.update(f"\n{file.relative_to(noise).as_posix()} {file.stat().st_size}".encode())
    return digest.hexdigest()[:16]


def _made(clips: Sequence[Clip], noise: Path, progress: Progress) -> Iterator[tuple[PieceNote, Steps]]:
    sounds = [
        *speech_sounds.speech_sounds(clips, per_corpus=PER_CORPUS, seed=SEEDS[0]),
        *speech_sounds.noise_sounds(noise),
        *speech_sounds.made_sounds(per_kind=PER_KIND, seed=SEEDS[0]),
    ]
    first: list[tuple[PieceNote, Steps]] = []
    done: set[str] = set()
    for note, samples in pieces(sounds, seed=SEEDS[0]):
        first.append((note, _steps(samples)))
        if note.sound not in done:
            done.add(note.sound)
            progress(len(done), len(sounds))
    yield from first
    known = [(note, _samples(steps)) for note, steps in first]
    for note, samples in more_pieces(known, synthetic=SYNTHETIC, seed=SEEDS[1]):
        yield note, _steps(samples)


def _waves(path: Path) -> Sequence[Steps]:
    with np.load(path) as kept:
        return np.split(kept["samples"], kept["ends"][:-1])


def _steps(samples: Samples) -> Steps:
    return np.clip(np.rint(FULL_SCALE * samples), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def _samples(steps: Steps) -> Samples:
    return steps.astype(np.float32) / np.float32(FULL_SCALE)


def _computed(compute: Compute, waves: Sequence[Steps], progress: Progress) -> Samples:
    lengths: dict[int, list[int]] = {}
    for row, wave in enumerate(waves):
        lengths.setdefault(len(wave), []).append(row)
    found: list[Samples] = [np.empty(0, np.float32)] * len(waves)
    done = 0
    for rows in lengths.values():
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH]
            for row, value in zip(batch, compute(np.stack([_samples(waves[row]) for row in batch])), strict=True):
                found[row] = value
            done += len(batch)
            progress(done, len(waves))
    return np.stack(found)
