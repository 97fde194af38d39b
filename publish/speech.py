"""Add the output `speech` to shipped models: learn which tiles are speech, and test it on what was not heard.

    python -m publish.speech [MODEL …] [--output FOLDER]

It needs the corpora (`$EMOVOX_CORPORA`), the noises (`$EMOVOX_NOISE`) and fluidsynth with FluidR3. Without models
it takes all shipped ones. Scores stay as they are, bit for bit. Heads are written again for the new hash of their
model. Without `--output` the shipped files and the list of `emovox models fetch` are replaced. Figures go to
`results/speech`. Sounds and statistics are kept in the cache folder, so a second run takes minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
import torch

from emovox.audio.types import Samples
from emovox.corpora.load import load_clips
from emovox.corpora.registry import CORPORA
from emovox.export.speech_output import add_speech, check_same, frames_name, write_with_speech
from emovox.models.speech_map import FramePooling
from emovox.runtime.golden import check_golden
from emovox.runtime.graph_check import INPUT
from emovox.runtime.model import Model
from emovox.runtime.model_head import STATISTICS
from emovox.runtime.registry import HEADS, heads, read_card, shipped
from emovox.runtime.session import open_session
from emovox.schema.card import METADATA_KEY, CardEncoder, ModelCard, embedded_card, encode_card
from emovox.schema.files import write_whole
from emovox.training import speech_sounds
from emovox.training.cache import cache_folder
from emovox.training.speech import SpeechData, SpeechFigures, learn_speech
from emovox.training.speech_sounds import STEP, PieceNote, more_pieces, pieces
from publish.fetch import write_list
from publish.laboratory import RESULTS

SMALL = {name: FramePooling(106, mels=64, cepstra=13) for name in ("mobile", "hybrid")}
"""Models whose statistics say little about sounds that are in no corpus: their map takes frames of the front end."""

PER_CORPUS, PER_KIND, SYNTHETIC = 170, 20, 450
"""Clips of each corpus, sounds by formula of each kind, and synthetic sounds."""

SEEDS = (0, 9)
"""Of the pieces, and of their copies."""

FULL_SCALE, BATCH = 32767, 8
FOLDER = cache_folder() / "speech"

Steps = npt.NDArray[np.int16]


def main() -> None:
    """Write the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[*shipped()], help="shipped names or cards")
    parser.add_argument("--output", type=Path, help="folder of the files; default: the shipped ones are replaced")
    options = parser.parse_args()
    paths = shipped()
    for name in options.models:
        path = paths.get(name) or Path(name).with_suffix(".json")
        print(with_speech(path, options.output or path.parent))
    if options.output is None:
        write_list()


def with_speech(path: Path, folder: Path) -> Path:
    """Write a model with the output `speech`, its heads, and its figures.

    Args:
        path: card of the model.
        folder: gets `<name>.onnx` and `<name>.json`, and heads in a subfolder.

    Returns:
        The path of the new card.
    """
    card, graph = read_card(path), path.with_suffix(".onnx").read_bytes()
    speech_map, threshold, figures = learn_speech(speech_data(graph, SMALL.get(card.name)))
    shares = {"kept": round(figures.kept, 4), "refused": round(figures.mean_refused, 4)}
    made, new = add_speech(graph, card, speech_map, threshold=threshold, **shares)
    before = write_with_speech(graph, card, FOLDER / "before")
    written = write_with_speech(made, new, folder)
    check_same(before, written, speech_map, threshold=threshold)
    assert check_golden(Model.load(written)) <= new.golden.tolerance
    for head in heads().values():
        if (read_card(head).encoder or CardEncoder("", "")).sha256 == card.sha256:
            move_head(head, new, folder / HEADS)
    shown = msgspec.json.format(msgspec.json.encode(figures)) + b"\n"
    write_whole(RESULTS / "speech" / f"{card.name}.json", shown, make_folder=True)
    say(card.name, figures)
    return written


def move_head(path: Path, encoder: ModelCard, folder: Path) -> Path:
    """Write a head for a model with another hash; nothing else of it changes."""
    card, proto = read_card(path), onnx.load(path.with_suffix(".onnx"))
    card = msgspec.structs.replace(card, encoder=CardEncoder(encoder.name, encoder.sha256))
    for entry in proto.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = embedded_card(card)
    graph = bytes(proto.SerializeToString())
    card = msgspec.structs.replace(card, sha256=hashlib.sha256(graph).hexdigest())
    write_whole(folder / f"{card.name}.onnx", graph, make_folder=True)
    write_whole(folder / f"{card.name}.json", encode_card(card))
    Model.load(folder / f"{card.name}.json")
    return folder / f"{card.name}.json"


def say(name: str, figures: SpeechFigures) -> None:
    """Print the figures of a model."""
    low = {kind: round(100 * share) for kind, share in figures.refused.items() if share < 0.95}
    print(
        f"{name}: speech kept {100 * figures.kept:.2f} %, changed {100 * figures.kept_changed:.2f} %; "
        f"other sounds without a label {100 * figures.mean_refused:.1f} %; below 95 %: {low}"
    )


def speech_data(graph: bytes, pooling: FramePooling | None) -> SpeechData:
    """Return what a graph computes from the pieces of all sounds; it is kept by the hashes of both."""
    notes, waves, key = material()
    made = hashlib.sha256(graph).hexdigest()[:16]
    path = FOLDER / f"values-{key}-{made}.npy"
    if not path.is_file():
        np.save(path, _computed(graph, waves, pooling))
    return SpeechData(notes, np.load(path), pooling)


def material() -> tuple[list[PieceNote], list[Steps], str]:
    """Return notes and samples (16 bit) of all pieces, and their key: they are made anew when the code has changed."""
    folder = Path(speech_sounds.__file__).parent
    code = b"".join((folder / name).read_bytes() for name in ("speech_sounds.py", "music.py", "synthetic.py"))
    key = hashlib.sha256(code + f"{PER_CORPUS} {PER_KIND} {SYNTHETIC} {SEEDS}".encode()).hexdigest()[:16]
    path = FOLDER / f"pieces-{key}.npz"
    if not path.is_file():
        made = [(note, samples) for note, samples in _made() if len(samples) >= STEP]
        path.parent.mkdir(parents=True, exist_ok=True)
        notes = np.frombuffer(msgspec.json.encode([note for note, _ in made]), np.uint8)
        ends = np.cumsum([len(samples) for _, samples in made])
        np.savez(path, notes=notes, samples=np.concatenate([samples for _, samples in made]), ends=ends)
    with np.load(path) as kept:
        notes = msgspec.json.decode(kept["notes"].tobytes(), type=list[PieceNote])
        return notes, np.split(kept["samples"], kept["ends"][:-1]), key


def _made() -> Iterator[tuple[PieceNote, Steps]]:
    clips = load_clips([name for name in CORPORA if (Path(os.environ["EMOVOX_CORPORA"]) / name).is_dir()])
    sounds = [
        *speech_sounds.speech_sounds(clips, per_corpus=PER_CORPUS, seed=SEEDS[0]),
        *speech_sounds.noise_sounds(Path(os.environ["EMOVOX_NOISE"])),
        *speech_sounds.made_sounds(per_kind=PER_KIND, seed=SEEDS[0]),
    ]
    first = [(note, _steps(samples)) for note, samples in pieces(sounds, seed=SEEDS[0])]
    yield from first
    known = [(note, _samples(steps)) for note, steps in first]
    for note, samples in more_pieces(known, synthetic=SYNTHETIC, seed=SEEDS[1]):
        yield note, _steps(samples)


def _steps(samples: Samples) -> Steps:
    return np.clip(np.rint(FULL_SCALE * samples), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def _samples(steps: Steps) -> Samples:
    return steps.astype(np.float32) / np.float32(FULL_SCALE)


def _computed(graph: bytes, waves: Sequence[Steps], pooling: FramePooling | None) -> Samples:
    """Return the statistics of all pieces, or their pooled frames, [n, p]."""
    proto, wanted = onnx.load_from_string(graph), STATISTICS
    if pooling is not None:
        wanted = frames_name(graph)
        proto.graph.output.append(onnx.helper.make_tensor_value_info(wanted, onnx.TensorProto.FLOAT, None))
    session = open_session(proto.SerializeToString(), threads=1, where=Path("speech"))
    lengths: dict[int, list[int]] = {}
    for row, wave in enumerate(waves):
        lengths.setdefault(len(wave), []).append(row)
    found: list[Samples] = [np.empty(0, np.float32)] * len(waves)
    for rows in lengths.values():
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH]
            (values,) = session.run([wanted], {INPUT: np.stack([_samples(waves[row]) for row in batch])})
            if pooling is not None:
                values = pooling(torch.from_numpy(values)).numpy()
            for row, value in zip(batch, values, strict=True):
                found[row] = value
    return np.stack(found)


if __name__ == "__main__":
    main()
