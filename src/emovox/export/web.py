"""Write a model for onnxruntime-web: its graph, its head alone, and what the page must know of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import onnx

from emovox.export.output import check_output
from emovox.export.wasm.description import description, short, tile_lengths
from emovox.runtime.graph_file import cut_graph, read_initialiser
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS
from emovox.runtime.registry import read_card, read_part
from emovox.schema.errors import ExportError
from emovox.schema.files import write_whole


class WebFiles(NamedTuple):
    """The written files.

    Attributes:
        graph: from samples of any length to scores.
        head: from statistics, mean and scale to scores, for the adaptation to a voice.
        card: what the page must know, as JSON.
    """

    graph: Path
    head: Path
    card: Path


def write_web(path: Path, folder: Path | None = None) -> WebFiles:
    """Write the files of a model for onnxruntime-web.

    Args:
        path: path of the model's card or graph.
        folder: folder of the new files, which is made if it is missing; None: this folder.

    Raises:
        ExportError: the model is a head alone, or the new files would replace its own or those of another.
        ConfigError: a file cannot be written.
        CardError: the model cannot be read.
    """
    card, source = read_card(path.with_suffix(".json")), path.with_suffix(".onnx")
    folder = folder or Path()
    names = (f"{card.name}.onnx", f"{card.name}-head.onnx", f"{card.name}.web.json")
    made = WebFiles(*(folder / name for name in names))
    if made.graph.resolve() == source.resolve():
        raise ExportError(f"{made.graph}: is the model's own file; give another folder with --output")
    graph = read_part(source)
    try:
        mean, scale = (read_initialiser(graph, name) for name in SPEAKER_INPUTS)
        head = cut_graph(graph, source=STATISTICS, inputs=SPEAKER_INPUTS, outputs=["scores"])
    except KeyError as error:
        raise ExportError(f"{source}: the graph has no {error}; take a network, such as hybrid") from error
    known = description(path, card, lengths=tile_lengths(card), p=mean.size, exact=True)
    profile = {"mean": short(mean.astype(np.float64), 9), "scale": short(scale.astype(np.float64), 9)}
    for file in made:
        check_output(file, make_folder=True)
    write_whole(made.graph, source.read_bytes())
    write_whole(made.head, _with_inputs(head))
    write_whole(made.card, msgspec.json.encode({**known, "profile": profile}))
    return made


def _with_inputs(head: bytes) -> bytes:
    """Return a head whose profile has no values: onnxruntime-web overrides no initialisers, so they become inputs."""
    proto = onnx.load_from_string(head)
    kept = [one for one in proto.graph.initializer if one.name not in SPEAKER_INPUTS]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    return bytes(proto.SerializeToString())
