"""The cost of a model: parameters, bytes, and the time of its graph for 3 s of audio on one core.

    OMP_NUM_THREADS=1 python -m publish --cost svm [mobile …]

Processor time of one thread: the time of a free core, whatever else runs. The graph and a product of two
512 x 512 matrices are timed in turn, so that both suffer alike from others in the caches: where the product differs
from run to run, so do the figures. Time depends on the layers, not on what was learnt: of a model that is neither
shipped nor in a run folder, the network of its recipe is exported as it begins.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from emovox.benchmark.end_to_end import front_end_share
from emovox.benchmark.machine import describe_machine
from emovox.benchmark.turns import MATRIX, in_turn
from emovox.features.speech_like import speech_like
from emovox.runtime.graph_check import INPUT
from emovox.runtime.registry import read_card, shipped
from emovox.schema.files import write_whole
from emovox.schema.labels import EMOTIONS, merge_matrix
from emovox.training.cache import cache_folder
from emovox.workflow import read_recipe
from publish.laboratory import RECIPES, RESULTS, Cost

SECONDS = 3.0
REPEATS, WARM_UP = 200, 5
FURTHER = {"ravdess": "calm", "emodb": "boredom"}
"""Classes beside the seven that a corpus has."""


def write_cost(model: str, results: Path = RESULTS) -> Cost:
    """Measure a model and write its cost.json."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        graph, parameters = find_graph(model, Path(folder))
        times = in_turn({"graph": run_of(graph)}, repeats=REPEATS, warm_up=WARM_UP)
        share = front_end_share(graph, speech_like(SECONDS)[None])
        size = graph.stat().st_size
    machine = describe_machine(("numpy", "onnxruntime"))
    cost = Cost(
        parameters=parameters,
        size=size,
        milliseconds=round(times["graph"].median, 2),
        fastest=round(times["graph"].fastest, 2),
        matrix=round(times[MATRIX].median, 2),
        front_end=None if share is None else round(share, 3),
        machine=f"{machine.cpu}, onnxruntime {machine.versions['onnxruntime']}",
        command=f"python -m publish --cost {model}",
    )
    write_whole(results / model / "cost.json", f"{json.dumps(cost._asdict(), indent=2)}\n".encode(), make_folder=True)
    return cost


def find_graph(model: str, folder: Path) -> tuple[Path, int]:
    """Find the graph of a model, shipped or in its run folder, or export its network as it begins.

    Returns:
        The .onnx file, and the number of parameters.
    """
    for card in (shipped().get(model), cache_folder() / "runs" / model / f"{model}.json"):
        if card is not None and card.is_file():
            return card.with_suffix(".onnx"), read_card(card).parameters
    return _as_it_begins(model, folder)


def _as_it_begins(model: str, folder: Path) -> tuple[Path, int]:
    from emovox.export.onnx import to_onnx
    from emovox.models.encoders import build_encoder
    from emovox.models.head import Head
    from emovox.models.network import Network, Recogniser, count_parameters
    from emovox.training.network_recipe import NetworkRecipe

    recipe = read_recipe(RECIPES / f"{model}.toml")
    assert isinstance(recipe, NetworkRecipe), f"{model}: no network, and neither shipped nor trained"
    classes = (*EMOTIONS, *(name for corpus, name in FURTHER.items() if corpus in recipe.data.corpora))
    encoder = build_encoder(recipe.encoder)
    network = Network(encoder, Head(encoder.n_statistics, len(classes), recipe.head))
    recogniser = Recogniser(network, merge_matrix(classes, recipe.labels or classes), 1.0).eval()
    path = folder / f"{model}.onnx"
    path.write_bytes(to_onnx(recogniser, labels=recipe.labels or classes, metadata=""))
    return path, count_parameters(recogniser)


def run_of(graph: Path) -> Callable[[], object]:
    """Load a graph for one thread, and run it on 3 s."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    samples = speech_like(SECONDS)[None]
    return lambda: session.run(None, {INPUT: samples})
