"""The trust suite of a system of others: openSMILE's eGeMAPS functionals with a support vector machine.

    python -m studies.peer [--full] --output FOLDER

The system is fitted on the joint folds of our recipes, so each speaker is heard by a model that did not learn from the
voice. It needs `pip install opensmile`, whose licence allows research alone, and `$EMOVOX_CORPORA`. The functionals
take 0.1 s a clip and are kept in the cache folder.

Reference: Eyben et al., "The Geneva minimalistic acoustic parameter set (GeMAPS)", 2016.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.corpora.folds import speaker_key
from emovox.corpora.load import load_clips
from emovox.corpora.manifest import Clip
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.trust.run import SuitePlan, run_suite
from emovox.evaluation.trust.system import ANY, Hear, System, SystemAnswer
from emovox.schema.labels import EMOTIONS, SEVEN_MAP
from emovox.training.cache import cache_folder, save_arrays
from emovox.training.data.task import Indices, Task, make_task, task_folds
from emovox.training.recipe import Data
from studies.kit import print_suite

LEARNT, UNHEARD = ("ravdess", "casia", "emodb", "nemo", "emovo"), "tess"

RATE = 16000

COSTS = (0.3, 1.0, 3.0, 10.0)
"""Costs of the machine; the one that is best on held-out speakers of the first fold's training serves all folds."""

Table = npt.NDArray[np.float32]


def functionals(samples: Samples, rate: int) -> Table:
    """Return the 88 functionals of eGeMAPSv02; what it cannot compute is 0."""
    found = _smile().process_signal(samples, rate).to_numpy(np.float32)[0]
    return np.asarray(np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0))


@cache
def _smile() -> Any:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)


def table(clips: tuple[Clip, ...]) -> Table:
    """Return the functionals of clips, [n, 88], from the cache folder if they are there."""
    key = hashlib.sha256(" ".join(f"{clip.corpus}/{clip.id}" for clip in clips).encode()).hexdigest()[:16]
    path = cache_folder() / "peer" / f"egemaps-{key}.npz"
    if not path.is_file():
        rows = [functionals(load_audio(clip.path, sample_rate=RATE)[0], RATE) for clip in clips]
        save_arrays(path, rows=np.stack(rows))
    with np.load(path) as kept:
        return np.asarray(kept["rows"])


def machine(cost: float) -> Pipeline:
    """Return a machine that is not fitted; its probabilities are Platt's."""
    return make_pipeline(StandardScaler(), SVC(C=cost, class_weight="balanced", probability=True, random_state=0))


def best_cost(rows: Table, labels: npt.NDArray[np.str_], speakers: npt.NDArray[np.str_]) -> float:
    """Return the cost with the best UAR on speakers that are held out of these rows."""
    plain = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    search = GridSearchCV(plain, {"svc__C": list(COSTS)}, scoring="balanced_accuracy", cv=GroupKFold(4))
    return float(search.fit(rows, labels, groups=speakers).best_params_["svc__C"])


def hearing(fitted: Pipeline) -> Hear:
    """Return the answers of a fitted machine; it hears speech in everything."""
    order = [fitted.classes_.tolist().index(label) for label in EMOTIONS]

    def hear(samples: Samples, rate: int) -> SystemAnswer:
        """Return the answer for samples [n]."""
        scores = fitted.predict_proba(functionals(samples, rate)[None])[0][order]
        return SystemAnswer(EMOTIONS[int(scores.argmax())], tuple(scores.tolist()), len(samples) / rate)

    return hear


def peer() -> System:
    """Return the system, fitted on each fold."""
    data = Data(corpora=LEARNT, protocol="joint")
    task = make_task(load_clips(LEARNT), data)
    rows, folds = table(task.clips), task_folds(task, data, seed=0)
    labels = np.array([SEVEN_MAP.get(task.classes[label]) or "" for label in task.labels])
    speakers = np.array([speaker_key(clip) for clip in task.clips])
    known, cost = labels != "", 0.0
    hear: dict[str, Hear] = {}
    scores, fold_of = np.full((len(rows), len(EMOTIONS)), np.nan), np.full(len(rows), "", "U8")
    for fold in folds:
        train = np.array([clip for clip in fold.train if known[clip]])
        cost = cost or best_cost(rows[train], labels[train], speakers[train])
        fitted = machine(cost).fit(rows[train], labels[train])
        hear[str(fold.number)] = hearing(fitted)
        test = np.array(fold.test)
        order = [fitted.classes_.tolist().index(label) for label in EMOTIONS]
        scores[test], fold_of[test] = fitted.predict_proba(rows[test])[:, order], str(fold.number)
        print(f"fold {fold.number}: cost {cost:g}, {len(train)} clips", flush=True)
    made = {name: _predictions(task, name, labels, scores, fold_of) for name in LEARNT}
    first = next(iter(hear.values()))
    return System(
        name="openSMILE eGeMAPS + SVM",
        labels=EMOTIONS,
        digest=hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        hear={ANY: first, **hear},
        learnt=frozenset(LEARNT),
        out_of_fold=made,
        notes=("It has no detector of speech.",),
        threads=1,
    )


def _predictions(
    task: Task, corpus: str, labels: npt.NDArray[np.str_], scores: npt.NDArray[np.float64], fold: npt.NDArray[np.str_]
) -> Predictions:
    """Return the predictions of the clips of a corpus that have one of the seven labels."""
    rows: Indices = np.array(
        [i for i, clip in enumerate(task.clips) if clip.corpus == corpus and labels[i] and fold[i]], np.int64
    )
    clips = [task.clips[i] for i in rows]
    return Predictions(
        corpus=np.array([corpus] * len(rows)),
        utterance=np.array([clip.id for clip in clips]),
        speaker=np.array([clip.speaker for clip in clips]),
        fold=fold[rows],
        label=labels[rows],
        predicted=np.array(EMOTIONS)[scores[rows].argmax(axis=1)],
        scores=scores[rows],
        classes=EMOTIONS,
    )


def main() -> None:
    """Run the suite, and write its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the full form; default: the quick one")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    clips: dict[str, list[Clip]] = {}
    for clip in load_clips([*LEARNT, UNHEARD]):
        clips.setdefault(clip.corpus, []).append(clip)
    plan = SuitePlan(
        form="full" if options.full else "quick",
        noise=Path(os.environ["EMOVOX_NOISE"]),
        work=cache_folder() / "trust",
        resume=True,
        command="python -m studies.peer",
    )
    print_suite(run_suite(peer(), clips, plan), options.output)


if __name__ == "__main__":
    main()
