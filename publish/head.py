"""Make a shipped head from a run: `python -m publish.head RUN --encoder accurate`.

The run's network shares its frozen encoder with a shipped model. The head is cut out of the exported graph and bound
to that model by the hash of its file. What is written: `src/emovox/pretrained/heads/NAME.onnx` and `NAME.json`.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import msgspec
import numpy as np

from emovox.runtime.golden import golden_input
from emovox.runtime.graph_check import HEAD_OUTPUTS
from emovox.runtime.graph_file import cut_graph
from emovox.runtime.model import Model
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS
from emovox.runtime.registry import HEADS, read_card, resolve
from emovox.schema.card import CardEncoder, encode_card
from emovox.schema.errors import ExportError
from emovox.schema.files import write_whole
from publish.laboratory import ROOT

FOLDER = ROOT / "src" / "emovox" / "pretrained" / HEADS

SAME = 1e-4
"""Largest difference between the statistics of both encoders, relative to their scale: rounding of float32."""


def main() -> None:
    """Write the head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run folder of emovox train, with an exported model")
    parser.add_argument("--encoder", default="accurate", help="shipped model with the same encoder")
    parser.add_argument("--licence", default="", help="terms of the head's weights")
    options = parser.parse_args()
    print(write_head(resolve(options.run), resolve(options.encoder), FOLDER, licence=options.licence))


def write_head(trained: Path, encoder: Path, folder: Path, *, licence: str = "") -> Path:
    """Write the head of a trained model as a head of another model with the same encoder.

    Args:
        trained: path of the card of the trained model.
        encoder: path of the card of the model that the head is for.
        folder: gets `<name>.onnx` and `<name>.json`.
        licence: terms of the head's weights; "" keeps those of the card.

    Returns:
        The path of the card.

    Raises:
        ExportError: the statistics of the two models differ.
    """
    card, other = read_card(trained), read_card(encoder)
    samples = np.array(golden_input(seconds=card.golden.seconds, sample_rate=card.sample_rate))[None]
    models = [Model.load(path) for path in (trained, encoder)]
    ours, theirs = (model.run(samples).statistics for model in models)
    gap = np.abs(ours - theirs) / models[0].default_profile.scale if ours.shape == theirs.shape else np.array([np.inf])
    if gap.max() > SAME:
        raise ExportError(
            f"{trained}: its statistics differ from those of '{other.name}' by {gap.max():.2g} of their scale, "
            "expected the same frozen encoder"
        )
    graph = trained.with_suffix(".onnx").read_bytes()
    head = cut_graph(graph, source=STATISTICS, inputs=SPEAKER_INPUTS, outputs=HEAD_OUTPUTS)
    card = msgspec.structs.replace(
        card,
        sha256=hashlib.sha256(head).hexdigest(),
        encoder=CardEncoder(other.name, other.sha256),
        licence=licence or card.licence,
        speech=None,  # the encoder's model tells speech
    )
    write_whole(folder / f"{card.name}.onnx", head, make_folder=True)
    write_whole(folder / f"{card.name}.json", encode_card(card))
    return folder / f"{card.name}.json"


if __name__ == "__main__":
    main()
