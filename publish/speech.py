"""Add the output `speech` to shipped models: learn which tiles are speech, and test it on what was not heard.

    python -m publish.speech [MODEL …] [--output FOLDER]

It needs the corpora (`$EMOVOX_CORPORA`), the noises (`$EMOVOX_NOISE`) and fluidsynth with FluidR3. Without models
it takes all shipped ones. Scores stay as they are, bit for bit. Heads are written again for the new hash of their
model. Without `--output` the shipped files and the list of `emovox models fetch` are replaced. Figures go to
`results/speech`. Sounds and statistics are kept in the cache folder, so a second run takes minutes. A network that
`emovox train` makes by a recipe with `speech = true` has the output already.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

import msgspec
import onnx
import torch

from emovox.audio.types import Samples
from emovox.corpora.load import load_clips
from emovox.corpora.registry import CORPORA
from emovox.export.speech_output import add_speech, check_same, frames_name, write_with_speech
from emovox.models.encoders import empty_encoder
from emovox.models.speech_map import FramePooling, pooling_for
from emovox.runtime.golden import check_golden
from emovox.runtime.graph_check import INPUT
from emovox.runtime.model import Model
from emovox.runtime.model_head import STATISTICS
from emovox.runtime.registry import HEADS, heads, read_card, shipped
from emovox.runtime.session import open_session
from emovox.schema.card import METADATA_KEY, CardEncoder, ModelCard, embedded_card, encode_card
from emovox.schema.files import write_whole
from emovox.training.cache import cache_folder
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.speech import SpeechData, SpeechFigures, learn_speech
from emovox.training.speech_material import Compute, speech_material
from emovox.workflow import read_recipe
from publish.fetch import write_list
from publish.laboratory import RESULTS

FOLDER = cache_folder() / "speech"


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
    speech_map, threshold, figures = learn_speech(speech_data(graph, card))
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


def speech_data(graph: bytes, card: ModelCard) -> SpeechData:
    """Return what a graph computes from the pieces of all sounds; it is kept."""
    clips = load_clips([name for name in CORPORA if (Path(os.environ["EMOVOX_CORPORA"]) / name).is_dir()])
    material = speech_material(clips, noise=Path(os.environ["EMOVOX_NOISE"]), folder=FOLDER)
    pooling = _pooling(card)
    of = f"graph {hashlib.sha256(graph).hexdigest()}"
    return SpeechData(material.notes, material.values(_compute(graph, pooling), of=of), pooling)


def _pooling(card: ModelCard) -> FramePooling | None:
    """Return what pools the frames of a network, by the encoder of its recipe; None: the map takes statistics."""
    recipe = read_recipe(Path(__file__).parents[1] / "recipes" / f"{card.recipe}.toml")
    return pooling_for(empty_encoder(recipe.encoder)) if isinstance(recipe, NetworkRecipe) else None


def _compute(graph: bytes, pooling: FramePooling | None) -> Compute:
    """Return what gives the statistics of samples by a graph, or their pooled frames."""
    proto, wanted = onnx.load_from_string(graph), STATISTICS
    if pooling is not None:
        wanted = frames_name(graph)
        proto.graph.output.append(onnx.helper.make_tensor_value_info(wanted, onnx.TensorProto.FLOAT, None))
    session = open_session(proto.SerializeToString(), threads=1, where=Path("speech"))

    def compute(samples: Samples) -> Samples:
        """Return the values [b, p] of samples [b, n]."""
        (values,) = session.run([wanted], {INPUT: samples})
        found: Samples = values if pooling is None else pooling(torch.from_numpy(values)).numpy()
        return found

    return compute


if __name__ == "__main__":
    main()
