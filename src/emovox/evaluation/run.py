"""Predict the clips of a manifest on the path of `predict`; a killed run can resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from emovox.corpora.folds import make_folds
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.files import header_line, read_predictions, row_line
from emovox.evaluation.figures.predictions import NO_ANSWER, Floats, Predictions, Row
from emovox.schema.errors import AudioError, PredictionsError, ProtocolError
from emovox.schema.labels import SEVEN_MAP
from emovox.schema.progress import Progress, no_progress, tracked
from emovox.schema.result import Failure, Notice, Result

EXACT_DIGITS = 17
"""Significant digits of the work file: enough for the same predictions after a resume."""

OnFailure = Callable[[Failure], None]


class FilePredictor(Protocol):
    """A predictor that can be evaluated, such as `emovox.runtime.predictor.Predictor`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels, in the order of the scores."""

    def predict(self, source: str) -> Result:
        """Return the analysis of the recording at this path."""


def evaluate(
    predictor: FilePredictor,
    clips: Sequence[Clip],
    *,
    folds: Sequence[str] | None = None,
    masked: bool = True,
    work: Path | None = None,
    progress: Progress = no_progress,
    on_failure: OnFailure | None = None,
) -> Predictions:
    """Return the predictions of a model for all clips.

    Clips are left out if the model lacks their label and `SEVEN_MAP` drops it (boredom); `dropped` counts them. A
    recording that cannot be used is a clip without an answer, which counts as wrong.

    Args:
        predictor: the model.
        clips: of one or more corpora.
        folds: the fold of each clip, for mean and deviation over folds. Default: "1" for all.
        masked: keep only the classes of the corpus (docs/protocols.md, rule 8); otherwise all labels, as shipped.
        work: file to which each finished clip is added. Clips that it already has are not predicted again.
        progress: called after each clip.
        on_failure: called with each recording that cannot be used.

    Returns:
        Predictions over the model's labels, in the order of `clips`.

    Raises:
        ProtocolError: a label that the model does not have, or nothing to predict.
        PredictionsError: the work file belongs to another model.
    """
    labels = labels_for(clips, predictor.labels)
    folds = ["1"] * len(clips) if folds is None else folds
    tasks = [(clip, label, fold) for clip, label, fold in zip(clips, labels, folds, strict=True) if label is not None]
    if not tasks:
        raise ProtocolError(f"none of the {len(clips)} clips has a label that the model has; check the label map")
    known = {} if work is None else _resume(work, predictor.labels)
    rows = []
    for clip, label, fold in tracked(tasks, progress, total=len(tasks)):
        scores = known[_key(clip)] if _key(clip) in known else _predict(predictor, clip, on_failure)
        row = _row(clip, label, fold, scores, predictor.labels)
        if work is not None and _key(clip) not in known:
            _append(work, row, predictor.labels)
        rows.append(row)
    found = Predictions.from_rows(rows, predictor.labels)
    return mask(found) if masked else found


def mask(predictions: Predictions) -> Predictions:
    """Return predictions with only the classes of each corpus: other scores become 0, the rest is renormalised.

    Clips without an answer stay so. If all scores of the allowed classes are 0, they become equal.
    """
    scores = predictions.scores.copy()
    predicted = predictions.predicted_index.copy()
    for corpus in predictions.corpora:
        rows = predictions.corpus == corpus
        allowed = np.zeros(len(predictions.classes), dtype=bool)
        allowed[predictions.label_index[rows]] = True
        scores[rows] = _renormalised(scores[rows], allowed)
        chosen = np.where(allowed, np.nan_to_num(scores[rows], nan=0.0), -1.0).argmax(axis=1)
        predicted[rows] = np.where(predicted[rows] >= 0, chosen, -1)
    names = np.array([*predictions.classes, NO_ANSWER])
    return Predictions(
        corpus=predictions.corpus,
        utterance=predictions.utterance,
        speaker=predictions.speaker,
        fold=predictions.fold,
        label=predictions.label,
        predicted=names[predicted],
        scores=scores,
        classes=predictions.classes,
    )


def labels_for(clips: Sequence[Clip], labels: Sequence[str]) -> tuple[str | None, ...]:
    """Return the clips' labels as those of a model: kept if it has them, calm as neutral, boredom dropped.

    Returns:
        One of `labels` for each clip; None if the clip is dropped.

    Raises:
        ProtocolError: a label is neither the model's nor in `SEVEN_MAP`.
    """
    return tuple(_translate(clip, labels) for clip in clips)


def dropped(clips: Sequence[Clip], labels: Sequence[str]) -> Mapping[tuple[str, str], int]:
    """Count the clips that a model with these labels cannot classify, by (corpus, label of the corpus)."""
    counts: dict[tuple[str, str], int] = {}
    for clip, label in zip(clips, labels_for(clips, labels), strict=True):
        if label is None:
            key = (clip.corpus, clip.label or clip.native)
            counts[key] = counts.get(key, 0) + 1
    return counts


def fold_names(protocol: str, clips: Sequence[Clip], labels: Sequence[str | None]) -> list[str]:
    """Return the fold of a protocol that tests each clip; "1" for "unheard" and "zero-shot", which have one fold.

    Args:
        protocol: a key of `emovox.schema.figure.PROTOCOLS`.
        clips: of one or more corpora; "joint" divides them together, the others one by one.
        labels: the label of each clip; None if the clip is dropped.

    Raises:
        ProtocolError: speakers are missing or the protocol does not fit the corpus.
    """
    names = ["1"] * len(clips)
    if protocol in ("unheard", "zero-shot"):
        return names
    groups = [list(range(len(clips)))]
    if protocol != "joint":
        groups = [[n for n, clip in enumerate(clips) if clip.corpus == name] for name in {c.corpus for c in clips}]
    for group in groups:
        part = make_folds(protocol, [clips[n] for n in group], labels=[labels[n] for n in group])
        for fold in part:
            for n in fold.test:
                names[group[n]] = str(fold.number)
    return names


def _translate(clip: Clip, labels: Sequence[str]) -> str | None:
    if clip.label is None or clip.label in labels:
        return clip.label
    if clip.label not in SEVEN_MAP:
        raise ProtocolError(
            f"{clip.corpus} {clip.id}: has the label '{clip.label}', the model has {', '.join(labels)}; map the label "
            "to one of them when indexing the corpus, or evaluate a model that was trained on it"
        )
    target = SEVEN_MAP[clip.label]
    return target if target in labels else None


def _predict(predictor: FilePredictor, clip: Clip, on_failure: OnFailure | None) -> list[float] | None:
    try:
        scores = predictor.predict(clip.path).scores
    except AudioError as error:
        if on_failure is not None:
            on_failure(Failure(clip.path, Notice(error.code, str(error))))
        return None
    return None if scores is None else [scores[label] for label in predictor.labels]


def _row(clip: Clip, label: str, fold: str, scores: Sequence[float] | None, labels: Sequence[str]) -> Row:
    predicted = NO_ANSWER if scores is None else labels[int(np.argmax(scores))]
    return Row(clip.corpus, clip.id, clip.speaker or "", fold, label, predicted, scores)


def _key(clip: Clip) -> tuple[str, str]:
    return clip.corpus, clip.id


def _append(work: Path, row: Row, labels: Sequence[str]) -> None:
    if row.scores is None:
        return  # predicted again after a resume: that is quick, and the failure is reported again
    fresh = not work.exists()
    with work.open("a", encoding="utf-8", newline="") as file:
        file.write((header_line(labels) if fresh else "") + row_line(row, labels, digits=EXACT_DIGITS))


def _resume(work: Path, labels: Sequence[str]) -> dict[tuple[str, str], list[float]]:
    """Return the scores of an earlier run, without a last line that was cut off when the run was killed."""
    work.parent.mkdir(parents=True, exist_ok=True)
    if not work.exists():
        return {}
    data = work.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole.count(b"\n") < 2:
        work.unlink()
        return {}
    if whole != data:
        work.write_bytes(whole)
    done = read_predictions(work)
    if done.classes != tuple(labels):
        raise PredictionsError(
            f"{work}: has scores for {', '.join(done.classes)}, the model gives {', '.join(labels)}; delete this "
            "file of an earlier run"
        )
    keys = zip(done.corpus.tolist(), done.utterance.tolist(), strict=True)
    return dict(zip(keys, done.scores.tolist(), strict=True))


def _renormalised(scores: Floats, allowed: npt.NDArray[np.bool_]) -> Floats:
    kept = np.where(allowed, scores, np.where(np.isnan(scores), np.nan, 0.0))
    total = kept.sum(axis=1, keepdims=True)
    shares: Floats = np.where(total == 0, allowed / allowed.sum(), kept / np.where(total == 0, 1.0, total))
    return shares
