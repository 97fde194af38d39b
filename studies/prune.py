"""Pruning of `mobile` at several sizes, beside networks that are born at these sizes: UAR, size, work and time.

    python -m studies.prune RUN [--fold 1] [--keep 1.0 0.8 0.6 0.4] [--born …] [--steps 300] --output FOLDER
    python -m studies.prune RUN --first 500 --keep 0.6 --born 0.6 --steps 250 --output FOLDER
    python -m studies.prune recipes/mobile.toml

The last form trains nothing: sizes, work and time, which do not depend on weights.

All rows are one fold of a run of `emovox train`. A pruned network begins with the encoder of that fold, and learns
`--steps` further; keep 1.0 does the same without pruning. A born network has the small sizes from the start, and learns
as many steps as both together. All have the same teacher. With `--first` the encoder is trained here first, with that
many steps: born networks are then compared in less time. The scores are those of the fold's test speakers on the path
of `predict`. Times are those of ONNX Runtime on one core, all rows in turn in one run, as multiples of keep 1.0: the
fastest tenth of the rounds counts, since other work on the machine only slows down.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from emovox.corpora.folds import Fold
from emovox.corpora.load import load_clips
from emovox.evaluation.figures.metrics import uar
from emovox.export.onnx import to_onnx
from emovox.models.cost import multiply_adds
from emovox.models.encoders import build_encoder
from emovox.models.head import Head
from emovox.models.network import Network, Recogniser, count_parameters
from emovox.models.scores import softmax
from emovox.schema.text import json_document
from emovox.training.cache import cache_folder
from emovox.training.data.statistics import pooled
from emovox.training.data.task import make_task, task_folds
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe, Pruning, recipe_of_run
from emovox.training.stages.encoder import LearnEncoder
from emovox.training.stages.head import LearnHead, logits
from emovox.training.stages.prune import Prune
from emovox.training.stages.stage import Context, run_stages
from emovox.training.take_over import take_over_fit
from emovox.workflow import read_recipe

ROUNDS, SECONDS, RATE, CLASSES = 400, 3, 16000, 9


@dataclass(frozen=True, eq=False)
class Bench:
    """One fold of a run, prepared once for all rows."""

    method: NetworkMethod
    fold: Fold
    source: Path
    output: Path

    def row(self, name: str, recipe: NetworkRecipe, *, taken: bool) -> tuple[Network, dict[str, Any]]:
        """Train by a recipe, or read what is trained already, and return the network with its figures."""
        folder, train = self.output / name, np.array(self.fold.train, dtype=np.int64)
        if taken:
            take_over_fit(self.source, folder, train, before=self.method.recipe, after=recipe)
        else:
            take_teacher(self.source, folder)
        context = Context(self.method.task, self.method.inputs, recipe, train, folder, say, self.method.teacher_inputs)
        network = run_stages((LearnEncoder(), Prune(), LearnHead()), context).network
        found = {**measured(name, network), "uar": self.figures(network)}
        print(json.dumps(found), flush=True)
        return network, found

    def figures(self, network: Network) -> dict[str, float]:
        """Return the UAR in percent of the fold's test clips by corpus, over the classes of each."""
        task, inputs = self.method.task, self.method.inputs
        test = np.array(self.fold.test, dtype=np.int64)
        tiles = inputs.select(test)
        scores = softmax(logits(network.head, pooled(network.encoder, inputs, tiles)))
        means = inputs.clip_means(scores, tiles, test)
        means = np.where(task.allowed[test], means, -1)
        predicted = np.where(np.isnan(means).any(axis=1), -1, np.nan_to_num(means).argmax(axis=1))
        corpora = np.array([task.clips[clip].corpus for clip in test])
        labels = task.labels[test]
        return {
            corpus: round(100 * uar(labels[corpora == corpus], predicted[corpora == corpus]), 1)
            for corpus in dict.fromkeys(corpora.tolist())
        }


def trained_first(bench: Bench, recipe: NetworkRecipe) -> Path:
    """Train the first stage of a recipe, and return its folder."""
    folder = bench.output / "first"
    take_teacher(bench.source, folder)
    others = (say, bench.method.teacher_inputs)
    train = np.array(bench.fold.train, dtype=np.int64)
    run_stages((LearnEncoder(),), Context(bench.method.task, bench.method.inputs, recipe, train, folder, *others))
    return folder


def with_steps(recipe: NetworkRecipe, steps: int) -> NetworkRecipe:
    """Return a recipe whose first stage has another number of steps, and is judged once, at its end."""
    optimiser = msgspec.structs.replace(recipe.learning.optimiser, steps=steps)
    stopping = msgspec.structs.replace(recipe.learning.stopping, every=steps)
    learning = msgspec.structs.replace(recipe.learning, optimiser=optimiser, stopping=stopping)
    return msgspec.structs.replace(recipe, learning=learning)


def take_teacher(source: Path, folder: Path) -> None:
    """Copy the teacher of a fit."""
    if (source / "teacher").is_dir() and not (folder / "teacher").exists():
        shutil.copytree(source / "teacher", folder / "teacher")


def born_recipe(before: NetworkRecipe, keep: float, steps: int) -> NetworkRecipe:
    """Return the recipe of a network that has the small sizes from the start, and learns as long in all."""
    pruned = msgspec.structs.replace(before, prune=Pruning(keep=keep))
    longer = with_steps(before, before.learning.optimiser.steps + steps)
    return msgspec.structs.replace(longer, encoder=pruned.final_encoder)


class FromFrames(nn.Module):
    """A network from frames to scores, for its time without the front end."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Return the scores [1, classes] of frames [1, t, c]."""
        return torch.softmax(self.network(frames)["logits"], dim=1)


def sessions(network: Network, folder: Path) -> dict[str, Callable[[], object]]:
    """Return what runs 3 s through the whole graph, and through the network alone."""
    import onnxruntime

    classes = tuple(map(str, range(network.head.classify.out_features)))
    merge = np.eye(len(classes)).tolist()
    whole, alone = folder / "whole.onnx", folder / "alone.onnx"
    recogniser = Recogniser(network, merge, 1.0).eval()
    whole.write_bytes(to_onnx(recogniser, labels=classes, metadata=""))
    samples = np.random.default_rng(0).normal(scale=0.1, size=(1, SECONDS * RATE)).astype(np.float32)
    frames = network.encoder.inputs(torch.from_numpy(samples))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, which emovox.export.onnx uses too
        torch.onnx.export(FromFrames(network).eval(), (frames,), str(alone), dynamo=False, opset_version=17)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found: dict[str, Callable[[], object]] = {}
    for name, path, values in (("whole", whole, samples), ("network", alone, frames.numpy())):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: values}
        found[name] = lambda session=session, feed=feed: session.run(None, feed)  # type: ignore[misc]
    return found


def ratios(works: Sequence[Mapping[str, Callable[[], object]]]) -> list[dict[str, float]]:
    """Return the times of each row as multiples of the first row's; all run in turn, in `ROUNDS` rounds."""
    taken = {(row, part): np.empty(ROUNDS) for row, parts in enumerate(works) for part in parts}
    for number in range(-5, ROUNDS):  # the first rounds warm up
        for row, part in taken:
            began = time.perf_counter()
            works[row][part]()
            if number >= 0:
                taken[row, part][number] = time.perf_counter() - began
    fast = {key: float(np.quantile(values, 0.1)) for key, values in taken.items()}
    return [{part: round(fast[row, part] / fast[0, part], 3) for part in parts} for row, parts in enumerate(works)]


def untrained(recipe: NetworkRecipe, keeps: Sequence[float]) -> list[tuple[Network, dict[str, Any]]]:
    """Return networks of the sizes that pruning leaves, with random weights, and their sizes."""
    rows = []
    for keep in keeps:
        small = msgspec.structs.replace(recipe, prune=Pruning(keep=keep))
        encoder = build_encoder(small.final_encoder)
        network = Network(encoder, Head(encoder.n_statistics, CLASSES, recipe.head)).eval()
        rows.append((network, measured(f"keep-{keep:g}", network)))
    return rows


def measured(name: str, network: Network) -> dict[str, Any]:
    """Return the size of a network and its work on 3 s."""
    front_end, rest = multiply_adds(network.encoder)
    work = {"multiply_adds": rest, "front_end_multiply_adds": front_end}
    return {"row": name, "parameters": count_parameters(network), **work}


def say(done: int, total: int, message: str) -> None:
    """Print the progress of the loop."""
    print(f"{done}/{total} {message}", flush=True)


def print_timed(rows: Sequence[tuple[Network, dict[str, Any]]], folder: Path) -> None:
    """Add the times of all rows, as multiples of the first, and print them."""
    found = ratios([sessions(network, folder) for network, _ in rows])
    for (_, row), times in zip(rows, found, strict=True):
        row["time"] = times
        print(json.dumps(row), flush=True)


def main() -> None:
    """Train all rows, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--fold", type=int, default=1)
    parser.add_argument("--keep", type=float, nargs="+", default=[1.0, 0.8, 0.6, 0.4])
    parser.add_argument("--born", type=float, nargs="*", default=[])
    parser.add_argument("--criterion", default="l2")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("prune"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.run.suffix == ".toml":
        recipe = read_recipe(arguments.run)
        assert isinstance(recipe, NetworkRecipe)
        with tempfile.TemporaryDirectory() as folder:
            print_timed(untrained(recipe, arguments.keep), Path(folder))
        return
    before = recipe_of_run(arguments.run, need="prune")
    task = make_task(load_clips(before.data.corpora, name=before.data.name), before.data)
    (fold,) = (fold for fold in task_folds(task, before.data, seed=before.seed) if fold.number == arguments.fold)
    method = NetworkMethod.prepared(task, before, folder=cache_folder(), workers=1)
    bench = Bench(method, fold, arguments.run / "folds" / str(arguments.fold), arguments.output)
    if arguments.first:
        before = with_steps(before, arguments.first)
        method = replace(method, recipe=before)
        bench = replace(bench, method=method, source=trained_first(replace(bench, method=method), before))
    rows: list[tuple[Network, dict[str, Any]]] = []
    for keep in arguments.keep:
        pruning = Pruning(keep=keep, criterion=arguments.criterion, steps=arguments.steps)
        rows.append(bench.row(f"keep-{keep:g}", msgspec.structs.replace(before, prune=pruning), taken=True))
    for keep in arguments.born:
        rows.append(bench.row(f"born-{keep:g}", born_recipe(before, keep, arguments.steps), taken=False))
    print_timed(rows, arguments.output)
    (arguments.output / "prune.json").write_text(json_document([found for _, found in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
