"""Pruning of `mobile` at several sizes, beside networks that are born at these sizes: UAR, size, work and time.

    python -m studies.prune RUN [--fold 1] [--keep 1.0 0.8 0.6 0.4] [--born …] [--steps 300] --output FOLDER
    python -m studies.prune RUN --first 500 --keep 0.6 --born 0.6 --steps 250 --output FOLDER

All rows are one fold of a run of `emovox train`. A pruned network begins with the encoder of that fold, and learns
`--steps` further; keep 1.0 does the same without pruning. A born network has the small sizes from the start, and learns
as many steps as both together. All have the same teacher. With `--first` the encoder is trained here first, with that
many steps: born networks are then compared in less time. The scores are those of the fold's test speakers on the path
of `predict`. Times are those of ONNX Runtime on one core, in one run, in turn; the ratios to keep 1.0 are what counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Mapping
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
from emovox.models.network import Network, Recogniser, count_parameters
from emovox.models.scores import softmax
from emovox.schema.text import json_document
from emovox.training.cache import cache_folder
from emovox.training.data.statistics import pooled
from emovox.training.data.task import make_task, task_folds
from emovox.training.network import NetworkMethod
from emovox.training.network_recipe import NetworkRecipe, Pruning
from emovox.training.stages.encoder import LearnEncoder
from emovox.training.stages.head import LearnHead, logits
from emovox.training.stages.prune import Prune
from emovox.training.stages.stage import Context, run_stages
from emovox.training.take_over import run_recipe, take_over_fit

ROUNDS, SECONDS, RATE = 60, 3, 16000


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
        front_end, rest = multiply_adds(network.encoder)
        found = {
            "row": name,
            "parameters": count_parameters(network),
            "multiply_adds": rest,
            "front_end_multiply_adds": front_end,
            "uar": self.figures(network),
        }
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


def sessions(network: Network, classes: tuple[str, ...], folder: Path) -> dict[str, Callable[[], object]]:
    """Return what runs 3 s through the whole graph, and through the network alone."""
    import onnxruntime

    merge = np.eye(len(classes)).tolist()
    whole, alone = folder / "whole.onnx", folder / "alone.onnx"
    recogniser = Recogniser(network, merge, 1.0).eval()
    whole.write_bytes(to_onnx(recogniser, labels=classes, metadata=""))
    samples = np.random.default_rng(0).normal(scale=0.1, size=(1, SECONDS * RATE)).astype(np.float32)
    frames = network.encoder.inputs(torch.from_numpy(samples))
    torch.onnx.export(FromFrames(network).eval(), (frames,), str(alone), dynamo=False, opset_version=17)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found: dict[str, Callable[[], object]] = {}
    for name, path, values in (("whole", whole, samples), ("network", alone, frames.numpy())):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: values}
        found[name] = lambda session=session, feed=feed: session.run(None, feed)  # type: ignore[misc]
    return found


def times(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median of milliseconds of each work, all in turn in one run."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 5):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number >= 5:
                taken[name].append(time.perf_counter() - began)
    return {name: 1000 * float(np.median(values)) for name, values in taken.items()}


def say(done: int, total: int, message: str) -> None:
    """Print the progress of the loop."""
    print(f"{done}/{total} {message}", flush=True)


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
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    before = run_recipe(arguments.run)
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
    works = {}
    for network, found in rows:
        for part, work in sessions(network, task.classes, arguments.output / found["row"]).items():
            works[f"{found['row']} {part}"] = work
    found_times = times(works)
    for _, found in rows:
        for part in ("whole", "network"):
            own = found_times[f"{found['row']} {part}"]
            found[part] = {"ms": round(own, 3), "ratio": round(own / found_times[f"{rows[0][1]['row']} {part}"], 3)}
        print(json.dumps(found))
    (arguments.output / "prune.json").write_text(json_document([found for _, found in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
