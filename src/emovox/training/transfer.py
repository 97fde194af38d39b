"""Transfer between corpora: models that learn from one corpus, or from all in other languages, score the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from emovox.adaptation.estimator import Adaptation, WeightedProfile
from emovox.corpora.folds import speaker_key
from emovox.evaluation.adaptation.draws import draw_sets
from emovox.evaluation.figures.bootstrap import FEWEST_SPEAKERS
from emovox.evaluation.figures.predictions import NO_ANSWER, Predictions, Row
from emovox.evaluation.figures.transfer import OTHERS, Transfer, measure_transfer
from emovox.models.scores import Matrix
from emovox.models.trained import TrainedModel
from emovox.schema.errors import ProtocolError
from emovox.schema.labels import NEUTRAL, SEVEN_MAP, merge_matrix
from emovox.training.adaptation import LabelledStatistics, fit_adaptation
from emovox.training.data.inputs import Inputs
from emovox.training.data.task import Indices, Task
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.recipe import Recipe
from emovox.training.run import Report
from emovox.training.run_folder import MODEL
from emovox.training.tile_scorer import Tiles, TileScorer

SOURCE_CLIPS, SPEAKER_CLIPS, DRAWS = 60, 10, 5
"""Clips of other speakers for the view "source"; clips of the speaker for "speaker" and "mixture"; draws of these."""

FROM_EACH = 6
"""Clips of a speaker and class that the mixture learns from, at most."""

Scored = tuple[Indices, Matrix]
"""Clips [n], and their probabilities [n, classes of the task]."""


class Fits(Protocol):
    """A method that is fitted on any clips, as `emovox.training.run.Method`."""

    @property
    def inputs(self) -> Inputs:
        """Return the rows of all clips."""

    def fit(self, trained: Indices, folder: Path) -> TrainedModel:
        """Fit on these clips."""


@dataclass(frozen=True, eq=False)
class TransferFit:
    """What one model learns from.

    Attributes:
        learnt: the name of a corpus, or `OTHERS`.
        key: a unique name, for files.
        train: numbers of the clips.
        tests: the corpora that the model scores.
    """

    learnt: str
    key: str
    train: Indices
    tests: tuple[str, ...]


R = TypeVar("R", bound=Recipe)


def transfer_recipe(recipe: R) -> R:
    """Return the recipe of all models of a transfer; its name keeps the folder apart from one of a training.

    What serves an exported model alone is not learnt.
    """
    if isinstance(recipe, NetworkRecipe):
        recipe = msgspec.structs.replace(recipe, adaptation=False, speech=False)
    data = msgspec.structs.replace(recipe.data, protocol="si", view="own", target=None)
    name = f"{recipe.name}-transfer"
    return msgspec.structs.replace(recipe, name=name, data=data, labels=(), export=False, conditions=())


def transfer_fits(task: Task, *, pairs: bool) -> tuple[TransferFit, ...]:
    """Return what is learnt: each corpus with two speakers or more, if `pairs`; then for each language all others.

    Raises:
        ProtocolError: there are fewer than two corpora, or clips without a speaker or a language.
    """
    corpora = task.corpora
    if len(corpora) < 2:
        raise ProtocolError(f"transfer: got only {corpora[0]}, expected two corpora or more; name others by --with")
    for field in ("speaker", "language"):
        if lacking := sorted({clip.corpus for clip in task.clips if not getattr(clip, field)}):
            raise ProtocolError(
                f"transfer: clips of {', '.join(lacking)} have no {field}, expected one for each; add it to the table "
                "and index it again"
            )
    languages = {clip.corpus: str(clip.language) for clip in task.clips}
    several = [name for name in corpora if len(np.unique(task.speaker[clips_of(task, name)])) > 1]
    found = [
        TransferFit(name, name, clips_of(task, name), tuple(one for one in corpora if one != name))
        for name in (several if pairs else ())
    ]
    for language in dict.fromkeys(languages.values()):
        here = tuple(name for name in corpora if languages[name] == language)
        train = clips_of(task, *(set(corpora) - set(here)))
        if len(train):
            found.append(TransferFit(OTHERS, f"without-{language}", train, here))
    return tuple(found)


def clips_of(task: Task, *corpora: str) -> Indices:
    """Return the numbers of the clips of corpora, ascending."""
    return np.flatnonzero([clip.corpus in corpora for clip in task.clips])


def transferred(
    task: Task, method: Fits, planned: Sequence[TransferFit], folder: Path, *, report: Report | None = None
) -> list[Transfer]:
    """Fit all models, and return the figures of their tests under each kind of adaptation.

    A model that is in the folder is used again, so a run that was stopped continues.

    Args:
        task: clips and classes.
        method: fits on clips of the task.
        planned: from `transfer_fits`.
        folder: of the run; models are in its folder `models`.
        report: called after each model.

    Raises:
        WeightsError: a model in the folder is damaged.
    """
    scorers: dict[str, TileScorer] = {}
    tiles: Tiles | None = None
    for number, fit in enumerate(planned, start=1):
        place = folder / "models" / fit.key
        known = (place / MODEL).is_dir()
        model = TrainedModel.load(place / MODEL) if known else method.fit(fit.train, place)
        if tiles is None or model.network.encoder.learns:  # a frozen encoder gives the same statistics to all models
            tiles = Tiles.of(task, method.inputs, model)
        scorers[fit.key] = TileScorer(tiles, model)
        if report is not None:
            report(number, len(planned), f"learnt from {fit.learnt}, for {', '.join(fit.tests)}")
    return [figure for fit in planned for figure in _figures(task, fit, scorers)]


def _figures(task: Task, fit: TransferFit, scorers: Mapping[str, TileScorer]) -> Iterator[Transfer]:
    """Yield the figures of a model: each test, each kind of adaptation."""
    scorer, adaptation = scorers[fit.key], _adaptation(task, fit, scorers)
    for tested in fit.tests:
        everything = clips_of(task, tested)
        shared = _Shared(task, fit.train, everything)
        if len(shared.labels) < 2:
            continue
        parts: dict[str, list[Scored]] = {"plain": [(shared.clips, scorer.clip_scores(shared.clips))]}
        for view, left, mixture in _adapted(task, scorer, everything, adaptation):
            clips = np.intersect1d(left, shared.clips)
            parts.setdefault(view, []).append((clips, scorer.clip_scores(clips, mixture)))
        for view, scored in parts.items():
            yield measure_transfer(shared.predictions(scored), learnt=fit.learnt, tested=tested, view=view)


def _adapted(
    task: Task, scorer: TileScorer, clips: Indices, adaptation: Adaptation | None
) -> Iterator[tuple[str, Indices, Sequence[WeightedProfile]]]:
    """Yield the kind of adaptation, the clips of one speaker that may be scored, and the profiles for them."""
    rng, speakers = np.random.default_rng(0), task.speaker[clips]
    for speaker in np.unique(speakers):
        own, others = clips[speakers == speaker], clips[speakers != speaker]
        if len(others):
            yield "source", own, scorer.without_mean(np.sort(rng.permutation(others)[:SOURCE_CLIPS]))
        for _ in range(DRAWS):
            sets = draw_sets(list(task.labels[own]), neutral=_neutral(task), rng=rng, sizes=[SPEAKER_CLIPS])
            for drawn in (np.sort(own[one.clips]) for one in sets if one.mix == "all"):
                left, heard = np.setdiff1d(own, drawn), scorer.tiles.statistics(drawn)
                yield "speaker", left, scorer.without_mean(drawn)
                if adaptation is not None:
                    voice = adaptation.measure(scorer, heard[~np.isnan(heard[:, 0])])
                    yield "mixture", left, adaptation.mixture(scorer, voice)


def _adaptation(task: Task, fit: TransferFit, scorers: Mapping[str, TileScorer]) -> Adaptation | None:
    """Return the adaptation of a model that learnt from other languages; None without models of its single corpora.

    It needs scores of each of its corpora by a model that did not learn from it: that of another corpus alone serves.
    """
    learnt = dict.fromkeys(task.clips[clip].corpus for clip in fit.train)
    corpora = [name for name in learnt if name in scorers]
    if fit.learnt != OTHERS or len(corpora) < 2:
        return None
    scorer, clips = scorers[fit.key], _some(task, fit.train)
    statistics = scorer.tiles.statistics(clips)
    known = ~np.isnan(statistics[:, 0])
    names = np.array([task.clips[clip].corpus for clip in clips])
    speakers = np.array([speaker_key(task.clips[clip]) for clip in clips])
    labelled = LabelledStatistics(statistics, task.labels[clips], speakers, names).select(known)
    unheard = {name: scorers[corpora[place - 1]] for place, name in enumerate(corpora)}
    return fit_adaptation(labelled, scorer, unheard, neutral=_neutral(task))


def _some(task: Task, clips: Indices) -> Indices:
    """Return at most `FROM_EACH` clips of each speaker and class, ascending."""
    counts: dict[tuple[int, int], int] = {}
    kept = []
    for clip in np.random.default_rng(0).permutation(clips):
        key = int(task.speaker[clip]), int(task.labels[clip])
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= FROM_EACH:
            kept.append(clip)
    return np.sort(np.array(kept, np.int64))


def _neutral(task: Task) -> int:
    return task.classes.index(NEUTRAL) if NEUTRAL in task.classes else -1


class _Shared:
    """The labels that training and test clips both have, and the test clips of these; calm is neutral, boredom none.

    Attributes:
        labels: their names.
        clips: [n] test clips that have one, ascending.
    """

    def __init__(self, task: Task, train: Indices, test: Indices) -> None:
        self._task = task
        mapped = dict.fromkeys(SEVEN_MAP.get(name, name) for name in task.classes)
        names = np.array([name for name in mapped if name is not None])
        merge = np.array(merge_matrix(task.classes, names.tolist(), SEVEN_MAP))
        both = np.flatnonzero((merge[task.labels[train]].sum(axis=0) > 0) & (merge[task.labels[test]].sum(axis=0) > 0))
        self.labels = tuple(names[both].tolist())
        self._merge = merge[:, both]
        self.clips = test[self._merge[task.labels[test]].any(axis=1)]
        self._few = len(np.unique(task.speaker[test])) < FEWEST_SPEAKERS

    def predictions(self, scored: Sequence[Scored]) -> Predictions:
        """Return the predictions of scores over all classes of the task, with only the shared labels.

        Below five speakers each utterance counts as a speaker, so that its draws stay together in the bootstrap.
        """
        return Predictions.from_rows(
            [
                self._row(int(clip), row)
                for clips, scores in scored
                for clip, row in zip(clips, scores @ self._merge, strict=True)
            ],
            self.labels,
        )

    def _row(self, number: int, scores: Matrix) -> Row:
        clip, label = self._task.clips[number], self.labels[int(self._merge[self._task.labels[number]].argmax())]
        speaker = clip.id if self._few else str(clip.speaker)
        if np.isnan(scores).any():
            return Row(clip.corpus, clip.id, speaker, "1", label, NO_ANSWER, None)
        shares = (scores / scores.sum()).tolist()
        return Row(clip.corpus, clip.id, speaker, "1", label, self.labels[int(scores.argmax())], shares)
