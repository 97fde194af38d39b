"""INT8 beside float32, out of fold: the fold models of a run, quantised on training clips of their fold.

    python -m studies.int8 RUN --clips 1500 --output int8.csv
    python -m studies.int8 RUN --train --folds 1,2 --output int8.csv

Each fold's model hears test clips of speakers that it did not learn from. UAR is over the model's labels, with those
that a corpus lacks masked. All models hear the same tiles in turn, so the ratio of their times is that of one run. With
`--train` quantisation-aware training on training clips of the fold is a further column.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from emovox.audio.reader import load_audio
from emovox.compression.calibration import calibration_tiles
from emovox.compression.int8 import quantise
from emovox.compression.run_models import learnt_network
from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.predictions import Predictions, join
from emovox.export.fold_models import run_corpora
from emovox.export.network import export_trained
from emovox.models.trained import TrainedModel
from emovox.runtime.model import Model
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.figure import SEVEN, TILE
from emovox.training.run import Run
from emovox.training.run_folder import model_folder

CALIBRATE = 60
FLOAT, CALIBRATED, TRAINED = "float", "calibrated", "trained"

Row = tuple[str, str, str, str]
"""Corpus, utterance, label and fold of a clip."""


def shown(run: Run[TrainedModel]) -> list[Predictions]:
    """Return the out-of-fold predictions of all corpora over the labels of the model."""
    return [made for key, made in run.predictions.items() if key.labels == SEVEN and key.condition == TILE]


def drawn(run: Run[TrainedModel], clips: int, seed: int) -> Iterator[Row]:
    """Yield corpus, utterance, label and fold of test clips, the same share of each label of each corpus."""
    found = shown(run)
    total = sum(len(made.label) for made in found)
    rng = np.random.default_rng(seed)
    for made in found:
        for label in np.unique(made.label):
            rows = rng.permutation(np.flatnonzero(made.label == label))
            for row in rows[: max(1, round(len(rows) * min(1.0, clips / total)))]:
                yield tuple(str(getattr(made, name)[row]) for name in ("corpus", "utterance", "label", "fold"))  # type: ignore[misc]


def forms(
    folder: Path, run: Run[TrainedModel], fold: str, train: list[Clip], work: Path, *, trains: bool
) -> dict[str, Model]:
    """Return the float32 and the INT8 models of a fold; training clips of the fold give the ranges."""
    path = export_trained(TrainedModel.load(model_folder(folder, int(fold))), run.predictions, work / fold)
    model = Model.load(path)
    chosen = np.random.default_rng(int(fold)).permutation(len(train))[:CALIBRATE]
    tiles = calibration_tiles([Path(train[i].path) for i in chosen], model.card)
    made = {FLOAT: model, CALIBRATED: Model.load(quantise(path, tiles, work / fold / "int8.onnx").path)}
    if trains:
        learnt = learnt_network(folder, int(fold))
        made[TRAINED] = Model.load(quantise(path, tiles, work / fold / "trained.onnx", learnt=learnt).path)
    return made


def heard(models: Sequence[Model], path: str) -> tuple[list[np.ndarray], list[float]] | None:
    """Return the scores of all models for a clip, and their seconds; None: no speech."""
    audio, rate = load_audio(path)
    tiles = cut_tiles([audio[0]], SegmenterConfig(sample_rate=rate))
    shortest = round(models[0].card.shortest * rate)
    batches = [(tile.end - tile.start, tile.samples[None]) for tile in tiles if len(tile.samples) >= shortest]
    if not batches:
        return None
    scores, seconds = [], []
    for model in models:
        start = perf_counter()
        rows = np.stack([model.run(batch).scores[0] for _, batch in batches])
        seconds.append(perf_counter() - start)
        scores.append(np.average(rows, axis=0, weights=[length for length, _ in batches]))
    return scores, seconds


def scored(
    fold: str, rows: Sequence[Row], clips: Mapping[tuple[str, str], Clip], models: dict[str, Model]
) -> Iterator[list[object]]:
    """Yield for each clip of a fold its names and label, and label, change of scores and seconds by each model."""
    labels = models[FLOAT].card.labels
    for corpus, utterance, label, _ in (row for row in rows if row[3] == fold):
        known = {row[2] for row in rows if row[0] == corpus}
        answer = heard(list(models.values()), clips[corpus, utterance].path)
        if answer is None:
            continue
        mask = np.array([one in known for one in labels])
        said = [labels[int(np.argmax(np.where(mask, scores, -1)))] for scores in answer[0]]
        changes = [f"{np.abs(scores - answer[0][0]).max():.4f}" for scores in answer[0]]
        yield [corpus, fold, utterance, label, *said, *changes, *answer[1]]


def main() -> None:
    """Score the drawn clips, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--clips", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--folds", default="", help="numbers of folds, such as 1,2; default: all")
    parser.add_argument("--output", type=Path, default=Path("int8.csv"))
    options = parser.parse_args()
    run = Run.load(options.run)
    corpora, name = run_corpora(options.run)
    clips = {(clip.corpus, clip.id): clip for clip in load_clips(corpora, name=name)}
    rows = list(drawn(run, options.clips, options.seed))
    rows = [row for row in rows if not options.folds or row[3] in options.folds.split(",")]
    found = join(shown(run))
    keys = zip(found.corpus.tolist(), found.utterance.tolist(), strict=True)
    unheard = {key.corpus for key in run.predictions if key.protocol == "unheard"}
    tested = dict(zip(keys, found.fold.tolist(), strict=True))
    learnt = {key: fold for key, fold in tested.items() if key[0] not in unheard}
    names = (FLOAT, CALIBRATED, *([TRAINED] if options.train else []))
    columns = [*names, *(f"{name}_{of}" for of in ("change", "s") for name in names)]
    with options.output.open("w", newline="") as file, TemporaryDirectory() as work:
        writer = csv.writer(file)
        writer.writerow(["corpus", "fold", "utterance", "label", *columns])
        for fold in sorted({row[3] for row in rows}):
            train = [clips[key] for key in sorted(learnt) if learnt[key] != fold]
            models = forms(options.run, run, fold, train, Path(work), trains=options.train)
            writer.writerows(scored(fold, rows, clips, models))
            file.flush()
    print_table(options.output)


def print_table(path: Path) -> None:
    """Print for each corpus and form the UAR, the unchanged labels, the change of scores, and the ratio of times."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    print("corpus    clips  float32  form        INT8  unchanged  p95 change  × time")
    for corpus in [*sorted({row["corpus"] for row in rows}), ""]:
        part = [row for row in rows if corpus in ("", row["corpus"])]
        for form in (name for name in (CALIBRATED, TRAINED) if name in rows[0]):
            same = np.mean([row[FLOAT] == row[form] for row in part])
            change = np.quantile([float(row[f"{form}_change"]) for row in part], 0.95)
            ratio = np.median([float(row[f"{form}_s"]) / float(row[f"{FLOAT}_s"]) for row in part])
            print(
                f"{corpus or 'all':9} {len(part):5} {_uar(part, FLOAT):8.1f}  {form:10} {_uar(part, form):5.1f} "
                f"{100 * same:10.1f} {change:11.3f} {ratio:7.2f}"
            )


def _uar(rows: list[dict[str, str]], column: str) -> float:
    labels = sorted({row["label"] for row in rows})
    return 100 * float(
        np.mean([np.mean([row[column] == one for row in rows if row["label"] == one]) for one in labels])
    )


if __name__ == "__main__":
    main()
