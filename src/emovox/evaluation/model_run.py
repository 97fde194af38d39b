"""Evaluate a finished model on corpora: both label views, latency, and what must be said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.comparison import Entry
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.latency import Latency, front_end_share, measure_latency, summarise_latency
from emovox.evaluation.report.embedding import embedding_pictures
from emovox.evaluation.report.page import Facts
from emovox.evaluation.run import dropped, evaluate, fold_names, labels_for, mask
from emovox.runtime.predictor import Predictor
from emovox.schema.figure import PROTOCOLS
from emovox.schema.progress import Progress, no_progress
from emovox.schema.result import Failure

TIMED_CLIPS = 50


@dataclass(frozen=True)
class ModelRun:
    """What came of it: entries for the tables, facts for the report, and the recordings that could not be used."""

    entries: tuple[Entry, ...]
    facts: Facts
    failures: tuple[Failure, ...]


def evaluate_model(
    predictor: Predictor,
    clips: Sequence[Clip],
    *,
    protocol: str | None = None,
    graph: Path | None = None,
    command: str = "",
    work: Path | None = None,
    progress: Progress = no_progress,
    pictures: bool = False,
) -> ModelRun:
    """Predict the clips and gather what a report needs.

    A shipped model has been trained on all speakers of its corpora, so on these it is not tested at all: the facts then
    name the corpora, for the warning.

    Args:
        predictor: the model.
        clips: of one or more corpora.
        protocol: divides the clips into folds, for mean and deviation over folds; none unless given.
        graph: the model's .onnx file, to tell front end and network apart.
        command: the command line, for the report.
        work: file that keeps what is done, so that a killed run goes on.
        progress: called after each clip.
        pictures: whether to draw the embedding of the clips, which takes some seconds.

    Raises:
        ProtocolError: the clips do not fit the model or the protocol.
    """
    labels = labels_for(clips, predictor.labels)
    folds = None if protocol is None else fold_names(protocol, clips, labels)
    failures: list[Failure] = []
    seven = evaluate(
        predictor, clips, folds=folds, masked=False, work=work, progress=progress, on_failure=failures.append
    )
    trained_on = tuple(name for name in seven.corpora if name in {corpus.name for corpus in predictor.card.corpora})
    name = predictor.card.name
    failed = {failure.file for failure in failures}
    facts = Facts(
        command=command,
        model=name,
        parameters={name: predictor.card.parameters},
        latency=_latency(predictor, [clip.path for clip in clips if clip.path not in failed], graph),
        trained_on=trained_on,
        sexes={(clip.corpus, clip.speaker): clip.sex for clip in clips if clip.speaker is not None},
        notes=_notes(clips, predictor.labels, failures),
        pictures=embedding_pictures(predictor, clips) if pictures else (),
    )
    return ModelRun(_entries(name, seven, protocol or "unheard", trained_on), facts, tuple(failures))


def _entries(name: str, seven: Predictions, protocol: str, trained_on: Sequence[str]) -> tuple[Entry, ...]:
    entries = []
    for corpus in seven.corpora:
        words = PROTOCOLS["training" if corpus in trained_on else protocol]
        part = seven.select(seven.corpus == corpus)
        entries.append(Entry(name, mask(part), words))
        if part.present != part.classes:
            entries.append(Entry(f"{name}, all labels", part, f"{words}, no class masked", detailed=False))
    return tuple(entries)


def _latency(predictor: Predictor, paths: Sequence[str], graph: Path | None) -> Latency | None:
    if not paths:
        return None
    chosen = [paths[n] for n in np.unique(np.linspace(0, len(paths) - 1, TIMED_CLIPS).round().astype(int))]
    card = predictor.card
    samples = np.random.default_rng(0).normal(scale=0.1, size=(1, round(card.window * card.sample_rate)))
    share = None if graph is None else front_end_share(graph, samples.astype(np.float32))
    return summarise_latency(measure_latency(predictor, chosen), front_end_share=share)


def _notes(clips: Sequence[Clip], labels: Sequence[str], failures: Sequence[Failure]) -> tuple[str, ...]:
    notes = [
        f"{count} clips of {corpus} with the label {label} are left out: the model has no such label."
        for (corpus, label), count in dropped(clips, labels).items()
    ]
    notes += [
        f"`{failure.file}` could not be used and counts as wrong: {failure.error.message}" for failure in failures
    ]
    return tuple(notes)
