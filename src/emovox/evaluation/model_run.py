"""Evaluate a finished model on corpora, in both label views, with notes for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.comparison import Entry
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.report.embedding import embedding_pictures
from emovox.evaluation.report.page import Facts
from emovox.evaluation.run import dropped, evaluate, fold_names, labels_for, mask
from emovox.runtime.predictor import Predictor
from emovox.schema.figure import PROTOCOLS
from emovox.schema.progress import Progress, no_progress
from emovox.schema.result import Failure


@dataclass(frozen=True)
class ModelRun:
    """The result: entries for the tables, facts for the report, and the recordings that could not be used."""

    entries: tuple[Entry, ...]
    facts: Facts
    failures: tuple[Failure, ...]


def evaluate_model(
    predictor: Predictor,
    clips: Sequence[Clip],
    *,
    protocol: str | None = None,
    command: str = "",
    work: Path | None = None,
    progress: Progress = no_progress,
    pictures: bool = False,
) -> ModelRun:
    """Predict the clips, and return the entries and facts of a report.

    A shipped model was trained on all speakers of its corpora, so these do not test it. The facts then name the corpora
    for a warning.

    Args:
        predictor: the model.
        clips: of one or more corpora.
        protocol: divides the clips into folds, for mean and deviation over folds. Default: one fold.
        command: the command line, for the report.
        work: file that keeps finished clips, so that a killed run can resume.
        progress: called after each clip.
        pictures: whether to draw the embedding of the clips; it takes some seconds.

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
    facts = Facts(
        command=command,
        model=name,
        parameters={name: predictor.card.parameters},
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


def _notes(clips: Sequence[Clip], labels: Sequence[str], failures: Sequence[Failure]) -> tuple[str, ...]:
    notes = [
        f"{count} clips of {corpus} with the label {label} are left out: the model has no such label."
        for (corpus, label), count in dropped(clips, labels).items()
    ]
    notes += [
        f"`{failure.file}` could not be used and counts as wrong: {failure.error.message}" for failure in failures
    ]
    return tuple(notes)
