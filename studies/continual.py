"""Learning while in use: a stream of labelled clips of several speakers, or languages, that a head has not heard.

    python -m studies.continual [MODEL] [--draws 3] [--clips 3] [--steps 400] [--joint]

Statistics, heads and their limits are those of `studies.adaptation`. A stream has stages: five speakers of one corpus
one after the other, or three languages. Of each speaker `--clips` clips of each mood are learnt, in random order, and
the others are scored. Of a language one or two speakers are learnt, and its other speakers are scored.

Prints UAR in %, means over draws:

    before     each clip as it comes, before its label is learnt; the first stage is left out
    current    a stage right after it was learnt
    next       the next stage before any of it is learnt
    first      the first two stages at the end; in brackets, the change since each of them was learnt
    end        all stages at the end
    others     speakers of the corpus that were never learnt

Then come streams with wrong labels, alarms of the test of drift, and what learning costs beside a prediction. The
constants of `emovox.adaptation.learning`, and the step sizes of the other methods, were chosen on RAVDESS, EMO-DB and
CASIA. nEMO, EMOVO and TESS chose none, but the size of the memory was raised after a first look at all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from emovox.adaptation.learning import HeadLearner
from emovox.audio.types import Samples
from emovox.evaluation.report.document import Table, to_markdown
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.schema.labels import EMOTIONS
from emovox.training.adaptation import LabelledStatistics, fit_moods
from studies.adaptation import CORPORA, fit_head, project, read_clips, without
from studies.online import Descent, Joint, Learner, Method, Nothing, Places, Prototypes, River, Unheard

Indices = npt.NDArray[np.int64]

SPEAKERS = 5
"""Speakers of a stream of one corpus."""

IN_SEQUENCE = ("ravdess", "emodb", "nemo", "emovo")
"""Corpora with more than that."""

LANGUAGES = (("casia", "emovo", "tess"), ("emodb", "nemo", "ravdess"))
"""Corpora of three languages each."""

WIDTH = 1024

METHODS: Mapping[str, Callable[[Unheard], Method]] = {
    "no update": Nothing,
    "fine-tuning, a step of 0.3": lambda data: Descent(data, rate=0.3),
    "fine-tuning, ten steps of 1": lambda data: Descent(data, rate=1, steps=10),
    "river, softmax regression": River,
    "replay, ten steps of 1": lambda data: Descent(data, rate=1, steps=10, replay=16),
    "prototypes, all together": lambda data: Prototypes(data, together=True),
    "prototypes of each speaker": Prototypes,
    "learner": Learner,
    "… without clips of earlier speakers": lambda data: Learner(data, forgets=True),
    "… with prototypes of each speaker": lambda data: Prototypes(data, learner=True),
}
JOINT = "trained again with all clips"

COLUMNS = ("before", "current", "next", "first", "end", "others")


@dataclass(frozen=True, eq=False)
class Stage:
    """Clips to learn, in order, and clips to score."""

    learnt: Indices
    scored: Indices


def main() -> None:
    """Print the tables."""
    options = _options()
    torch.set_num_threads(1)  # more threads than free cores make everything slower
    clips = project(read_clips(options.model, CORPORA), WIDTH)
    methods = {**METHODS, JOINT: Joint} if options.joint else METHODS
    spoilt: list[tuple[str, Unheard, list[Stage]]] = []
    for corpora in (*((corpus,) for corpus in IN_SEQUENCE), *LANGUAGES):
        data = unheard(clips, corpora, steps=options.steps)
        streams = [_stages(data, corpora, options.clips, seed) for seed in range(options.draws)]
        spoilt += [(corpora[0], data, stages) for stages, _ in streams if len(corpora) == 1]
        rows = []
        for name, make in methods.items():
            found = [judge(make(data), data, stages, others, final=name == JOINT) for stages, others in streams]
            rows.append((name, *_cells({key: _mean([one[key] for one in found]) for key in found[0]})))
        print(to_markdown(", ".join(corpora), [Table(("UAR in %", *COLUMNS), tuple(rows))]), flush=True)
    print(to_markdown("Wrong labels, and drift", [wrong_labels(spoilt)]))
    print(cost(options.model))


def unheard(clips: LabelledStatistics, corpora: Sequence[str], *, steps: int) -> Unheard:
    """Return the clips of corpora, and a head that learnt from the others."""
    known = without(clips, corpora)
    head = fit_head(known, steps=steps)
    moods = fit_moods(known, head.default_profile, len(EMOTIONS))
    return Unheard(clips.select(np.isin(clips.corpora, corpora)), head, known, moods, steps)


def _stages(data: Unheard, corpora: Sequence[str], size: int, seed: int) -> tuple[list[Stage], Indices]:
    rng = np.random.default_rng(seed)
    if len(corpora) == 1:
        return speaker_stages(data.clips, size, rng)
    return language_stages(data.clips, [*corpora[seed % 3 :], *corpora[: seed % 3]], size, rng), np.empty(0, np.int64)


def speaker_stages(
    clips: LabelledStatistics, size: int, rng: np.random.Generator, speakers: int = SPEAKERS
) -> tuple[list[Stage], Indices]:
    """Return a stage for each of some speakers, and the clips of all others."""
    names = rng.permutation(np.unique(clips.speakers))
    stages = []
    for name in names[:speakers]:
        here = np.flatnonzero(clips.speakers == name)
        learnt = drawn(clips, here, size, rng)
        stages.append(Stage(learnt, np.setdiff1d(here, learnt)))
    return stages, np.flatnonzero(np.isin(clips.speakers, names[speakers:]))


def language_stages(
    clips: LabelledStatistics, corpora: Sequence[str], size: int, rng: np.random.Generator
) -> list[Stage]:
    """Return a stage for each corpus: two of its speakers are learnt, one if it has two; the others are scored."""
    stages = []
    for corpus in corpora:
        names = rng.permutation(np.unique(clips.speakers[clips.corpora == corpus]))
        chosen = names[: 2 if len(names) > 2 else 1]
        learnt = [drawn(clips, np.flatnonzero(clips.speakers == name), size, rng) for name in chosen]
        scored = (clips.corpora == corpus) & ~np.isin(clips.speakers, chosen)
        stages.append(Stage(np.concatenate(learnt), np.flatnonzero(scored)))
    return stages


def drawn(clips: LabelledStatistics, places: Indices, size: int, rng: np.random.Generator) -> Indices:
    """Return some clips of each mood, at most half of them, in random order."""
    found = []
    for label in np.unique(clips.labels[places]):
        rows = rng.permutation(places[clips.labels[places] == label])
        found.append(rows[: min(size, len(rows) // 2)])
    return np.asarray(rng.permutation(np.concatenate(found)))


def judge(
    method: Method, data: Unheard, stages: Sequence[Stage], others: Indices, *, final: bool = False
) -> dict[str, float]:
    """Return the figures of `COLUMNS`, and "lost"; `final` asks the method at the end only.

    A figure that there is not is NaN.
    """
    before, after = [], []
    for stage in stages:
        predicted = []
        for place in stage.learnt.tolist():
            if not final:
                predicted.append(method.scores([place])[0])
            method.learn(place)
        if not final:
            before.append(uar(np.stack(predicted), data, stage.learnt))
            after.append([uar(method.scores(other.scored), data, other.scored) for other in stages])
    last = [uar(method.scores(stage.scored), data, stage.scored) for stage in stages] if final else after[-1]
    own = [row[place] for place, row in enumerate(after)]
    ahead = [row[place + 1] for place, row in enumerate(after[:-1])]
    return {
        "before": _mean(before[1:]),
        "current": _mean(own),
        "next": _mean(ahead),
        "first": _mean(last[:2]),
        "end": _mean(last),
        "others": uar(method.scores(others), data, others) if len(others) else float("nan"),
        "lost": _mean(last[:2]) - _mean(own[:2]),
    }


def uar(scores: npt.NDArray[np.floating], data: Unheard, places: Places) -> float:
    """Return UAR in % of the scores of clips."""
    labels = data.clips.labels[np.asarray(places)]
    right = scores.argmax(axis=1) == labels
    return 100 * float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def wrong_labels(streams: Sequence[tuple[str, Unheard, Sequence[Stage]]]) -> Table:
    """Return what wrong labels change at the end, in points, and alarms of the test of drift for each stream."""
    kinds: Mapping[str, Callable[[Unheard, Sequence[Stage]], tuple[list[int], list[int]]]] = {
        "right labels": lambda data, stages: _order(data, stages),
        "one label in five drawn": lambda data, stages: _redrawn(data, stages, 0.2),
        "all labels drawn": lambda data, stages: _redrawn(data, stages, 1),
        "each clip twice, once wrong": _twice,
        "wrong from the fourth speaker on": lambda data, stages: _turned(data, stages, 3),
    }
    rows = []
    for name, spoil in kinds.items():
        changes, kept, alarms = [], [], []
        for _, data, stages in streams:
            learner = HeadLearner.empty(data.embeddings.shape[1], len(EMOTIONS))
            for place, label in zip(*spoil(data, stages), strict=True):
                learner = learner.learn(data.embeddings[[place]], data.scores[[place]], [label])
            scored = np.concatenate([stage.scored for stage in stages])
            after = learner.corrected(data.embeddings[scored], data.scores[scored])
            changes.append(uar(after, data, scored) - uar(data.scores[scored], data, scored))
            kept.append(learner.learnt)
            alarms.append(learner.drift.alarms)
        rows.append((name, f"{_mean(changes):+.1f}", f"{100 * _mean(kept):.0f} %", f"{_mean(alarms):.1f}"))
    return Table(("learner", "UAR against no update", "streams that end with a correction", "alarms"), tuple(rows))


def _order(data: Unheard, stages: Sequence[Stage]) -> tuple[list[int], list[int]]:
    places = np.concatenate([stage.learnt for stage in stages])
    return places.tolist(), data.clips.labels[places].tolist()


def _redrawn(data: Unheard, stages: Sequence[Stage], share: float) -> tuple[list[int], list[int]]:
    places, labels = _order(data, stages)
    rng = np.random.default_rng(0)
    return places, [int(rng.choice(labels)) if rng.random() < share else label for label in labels]


def _twice(data: Unheard, stages: Sequence[Stage]) -> tuple[list[int], list[int]]:
    places, labels = _order(data, stages)
    turned = [(label + 1) % len(EMOTIONS) for label in labels]
    return list(np.repeat(places, 2)), [label for pair in zip(labels, turned, strict=True) for label in pair]


def _turned(data: Unheard, stages: Sequence[Stage], stage: int) -> tuple[list[int], list[int]]:
    places, labels = _order(data, stages)
    since = sum(len(one.learnt) for one in stages[:stage])
    return places, [(label + 3 * (n >= since)) % len(EMOTIONS) for n, label in enumerate(labels)]


def cost(name: str) -> str:
    """Return the time of a prediction of 3 s of audio by the shipped model, and of learning with a full memory."""
    model, rng = Model.load(resolve(name)), np.random.default_rng(0)
    audio = (0.1 * rng.standard_normal((1, 3 * model.card.sample_rate))).astype(np.float32)
    outputs = model.run(audio)
    learner = HeadLearner.empty(outputs.embedding.shape[1], outputs.scores.shape[1])
    while len(learner.replay) < learner.capacity:
        learner = learner.learn(_like(outputs.embedding, rng), outputs.scores, [len(learner.replay) % len(EMOTIONS)])
    predict, learn, correct = (
        _median_ms(work)
        for work in (
            lambda: model.run(audio),
            lambda: learner.learn(_like(outputs.embedding, rng), outputs.scores, [0]),
            lambda: learner.corrected(outputs.embedding, outputs.scores),
        )
    )
    return (
        f"{name}: prediction of 3 s {predict:.1f} ms; learning with {learner.capacity} clips in the memory {learn:.1f} "
        f"ms, {learn / predict:.2f} of it; correction {correct:.2f} ms"
    )


def _like(embedding: Samples, rng: np.random.Generator) -> Samples:
    return np.asarray(embedding + embedding.std() * rng.standard_normal(embedding.shape), np.float32)


def _median_ms(work: Callable[[], object], rounds: int = 30) -> float:
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - start))
    return float(np.median(spent))


def _cells(row: Mapping[str, float]) -> list[str]:
    cells = [f"{row[column]:.1f}" if np.isfinite(row[column]) else "–" for column in COLUMNS]
    if np.isfinite(row["lost"]):
        cells[COLUMNS.index("first")] += f" ({row['lost']:+.1f})"
    return cells


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="accurate")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--clips", type=int, default=3, help="of each mood of a speaker")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--joint", action="store_true", help="also train a head again at the end of each stream")
    return parser.parse_args()


if __name__ == "__main__":
    main()
