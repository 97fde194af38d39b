"""The method of networks: fit on a fold's training clips, score its test clips as `predict` does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from emovox.augment.conditions import check_conditions
from emovox.augment.config import rounds
from emovox.augment.sources import noise_folder
from emovox.corpora.folds import Fold, speaker_key
from emovox.corpora.manifest import Clip
from emovox.corpora.provenance import card_corpora
from emovox.corpora.registry import CORPORA
from emovox.evaluation.adaptation.counts import AdaptationCounts
from emovox.models.encoders import build_encoder
from emovox.models.scores import Matrix, softmax
from emovox.models.trained import NetworkCard, TrainedModel
from emovox.schema.errors import RecipeError
from emovox.schema.labels import merge_matrix
from emovox.schema.progress import Progress, no_progress
from emovox.training.adaptation_scores import AdaptationScorer
from emovox.training.cross_validation import FoldScores
from emovox.training.data.inputs import Inputs, recipe_inputs
from emovox.training.data.statistics import Values, measure, pooled
from emovox.training.data.task import Indices, Task, task_folds
from emovox.training.data.views import SPEAKER, TILE, scored_views
from emovox.training.fold_file import SPEECH_KEPT
from emovox.training.log import Report
from emovox.training.network_recipe import NetworkRecipe
from emovox.training.quantisation import save_quantised
from emovox.training.recipe import UNLABELLED
from emovox.training.run_folder import MODEL, QUANTISED, model_folder
from emovox.training.speech import held_groups
from emovox.training.speech_material import SpeechMaterial, recipe_material
from emovox.training.stages.adaptation import LearnAdaptation
from emovox.training.stages.adversary import origins
from emovox.training.stages.calibrate import Calibrate
from emovox.training.stages.encoder import LearnEncoder, held_out
from emovox.training.stages.familiarity import LearnFamiliarity
from emovox.training.stages.head import LearnHead, logits
from emovox.training.stages.prune import Prune
from emovox.training.stages.quantise import LearnQuantisation
from emovox.training.stages.speech import LearnSpeech
from emovox.training.stages.stage import Context, Fitted, Stage, named, run_stages
from emovox.training.stages.start import read_start, starting_encoder
from emovox.training.stages.unlabelled import unlabelled_clips
from emovox.training.teacher import check_teacher_run, check_teacher_size

LEAST_CORPORA = 2
"""Corpora that an adaptation learns from, at least: each is heard by a head that has not learnt from it."""

STAGES: tuple[Stage, ...] = (
    *(LearnEncoder(), Prune(), LearnHead(), Calibrate()),
    *(LearnAdaptation(), LearnFamiliarity(), LearnSpeech(), LearnQuantisation()),
)
"""Stages of a network, run in each fold and once on all clips."""


@dataclass(frozen=True, eq=False)
class NetworkMethod:
    """Trains encoder and head; see `emovox.training.run.Method`."""

    task: Task
    inputs: Inputs
    recipe: NetworkRecipe
    report: Report | None = None
    teacher_inputs: Inputs | None = None
    sounds: SpeechMaterial | None = None
    unlabelled: tuple[Clip, ...] = ()
    versions = ("emovox", "numpy", "scipy", "scikit-learn", "torch", "lightning-fabric", "soundfile", "soxr")

    @classmethod
    def prepared(
        cls,
        task: Task,
        recipe: NetworkRecipe,
        *,
        folder: Path,
        workers: int = 2,
        progress: Progress = no_progress,
        report: Report | None = None,
    ) -> NetworkMethod:
        """Check the recipe against the clips, then compute the encoder's inputs or read them from the cache.

        Args:
            task: the clips.
            recipe: of a network.
            folder: the cache folder.
            workers: processes that compute inputs.
            progress: called after each clip whose inputs were computed.
            report: called with the progress of the loop.

        Raises:
            RecipeError: the recipe names corpora or classes that the clips lack, holds out speakers where there are too
                few, starts from weights that were trained on one of the corpora, or learns an adaptation from a single
                corpus or from clips without a speaker; its teacher is smaller than the student, or knows test clips; or
                it learns speech, and there are no other sounds.
            WeightsError: the weights that the recipe starts from are missing, or those of another encoder.
            CorpusError: clips that cannot be read or decoded.
        """
        for table in rounds(recipe.augment) if recipe.conditions else ():
            check_conditions(recipe.conditions, learnt=noise_folder(table))
        _check_names(task, recipe)
        _check_start(task, recipe)
        _check_held_out(task, recipe)
        _check_adaptation(task, recipe)
        _check_teacher(task, recipe)
        sounds = None
        if recipe.speech:
            sounds = recipe_material(task.clips, folder=folder / "speech", progress=progress)
        teacher = recipe.teacher
        unlabelled = () if teacher is None else unlabelled_clips(teacher.unlabelled, task)
        compute = partial(recipe_inputs, (*task.clips, *unlabelled), folder=folder, workers=workers, progress=progress)
        teacher_inputs = None if teacher is None else compute(teacher.recipe)
        inputs = compute(recipe, conditions=recipe.conditions)
        return cls(task, inputs, recipe, report, teacher_inputs, sounds, unlabelled)

    def fold(self, fold: Fold, folder: Path) -> FoldScores:
        """Fit on the fold's training clips and score its test clips."""
        fitted, _ = self._fit(np.array(fold.train, dtype=np.int64), folder, fold.number)
        test = np.array(fold.test, dtype=np.int64)
        rows = {view: self.inputs.select(test, (view,)) for view in scored_views(self.recipe.conditions)}
        statistics = {view: pooled(fitted.network.encoder, self.inputs, some) for view, some in rows.items()}
        scores = {view: self._scores(fitted, test, rows[view], statistics[view]) for view in rows}
        if self._adapts:
            scores[SPEAKER] = self._scores_by_speaker(fitted, test, rows[TILE], statistics[TILE])
        counts = self._adaptation_counts(fitted, rows[TILE], statistics[TILE])
        chosen = {"held_out_uar": fitted.held_out_uar}
        if fitted.speech is not None:
            chosen |= {SPEECH_KEPT: fitted.speech.about.kept, "speech_refused": fitted.speech.about.refused}
        return FoldScores(fold.number, test, scores, fitted.temperature, chosen, counts)

    def fit(self, trained: Indices, folder: Path) -> TrainedModel:
        """Run the stages on these clips, and return the network."""
        return self._fit(trained, folder, None)[1]

    def _fit(self, trained: Indices, folder: Path, fold: int | None) -> tuple[Fitted, TrainedModel]:
        """Run the stages, and save the network."""
        report = named(self.report, "final model" if fold is None else f"fold {fold}")
        context = Context(self.task, self.inputs, self.recipe, trained, folder, report, self.teacher_inputs)
        context = replace(context, fold=fold, unlabelled=self.unlabelled)
        if self.sounds is not None:
            n_folds = len(task_folds(self.task, self.recipe.data, seed=self.recipe.seed))
            context = replace(context, sounds=replace(self.sounds, held=held_groups(fold, n_folds)))
        fitted = run_stages(STAGES, context)
        speech = None if fitted.speech is None else fitted.speech.map
        model = TrainedModel(fitted.network, self._card(trained, fitted, fold), fitted.adaptation, speech)
        model.save(folder / MODEL)
        if fitted.quantised is not None:
            save_quantised(fitted.quantised, model, folder / QUANTISED, source=folder / MODEL)
        return fitted, model

    def _card(self, trained: Indices, fitted: Fitted, fold: int | None) -> NetworkCard:
        recipe, task = self.recipe, self.task
        starts = [recipe.start, *([] if recipe.teacher is None else [recipe.teacher.recipe.start])]
        before = [read_start(start).corpora for start in dict.fromkeys(starts) if start]
        labels = recipe.labels or task.classes
        own = card_corpora([task.clips[clip] for clip in trained])
        if recipe.teacher is not None and recipe.teacher.run:
            taught = TrainedModel.load(model_folder(Path(recipe.teacher.run).expanduser(), fold)).card.corpora
            before.append(tuple(corpus for corpus in taught if corpus.name not in {one.name for one in own}))
        return NetworkCard(
            name=recipe.name,
            recipe=msgspec.to_builtins(recipe),
            recipe_sha256=recipe.sha256(),
            encoder=recipe.final_encoder,
            classes=task.classes,
            labels=labels,
            merge=tuple(map(tuple, merge_matrix(task.classes, labels))),
            temperature=fitted.temperature,
            adaptable=recipe.head_learning is not None,
            corpora=(*own, *(one for each in before for one in each)),
            fold=fold,
            familiarity=fitted.familiarity,
            speech=None if fitted.speech is None else fitted.speech.about,
        )

    def sentence(self, scores: FoldScores) -> str:
        """Return a message with the UAR on held-out training speakers, and the temperature."""
        uar = scores.chosen["held_out_uar"]
        if np.isnan(uar):
            return "no speaker held out, so the scores are not calibrated"
        return f"UAR {uar:.1f} on held-out training speakers, temperature {scores.temperature:.2f}"

    @property
    def _adapts(self) -> bool:
        """Return whether the head learns with speakers' statistics too, and all speakers are known."""
        return self.recipe.head_learning is not None and all(clip.speaker for clip in self.task.clips)

    def _adaptation_counts(self, fitted: Fitted, rows: Indices, statistics: Values) -> tuple[AdaptationCounts, ...]:
        if fitted.adaptation is None:
            return ()
        labels = self.recipe.labels or self.task.classes
        network, temperature, seed = fitted.network, fitted.temperature, self.recipe.seed
        judge = AdaptationScorer(self.task, self.inputs, network, temperature, fitted.adaptation, labels, seed)
        return tuple(judge.counts(rows, statistics))

    def _scores(self, fitted: Fitted, test: Indices, rows: Indices, statistics: Values) -> Matrix:
        return self._means(fitted, test, rows, logits(fitted.network.head, statistics))

    def _scores_by_speaker(self, fitted: Fitted, test: Indices, rows: Indices, statistics: Values) -> Matrix:
        """Score tiles, standardised by all tiles of their speaker as by a profile; no label is used."""
        speakers = np.array([speaker_key(self.task.clips[owner]) for owner in self.inputs.owner[rows]])
        values = np.empty((len(rows), len(self.task.classes)))
        for speaker in np.unique(speakers):
            tiles = speakers == speaker
            scale = measure(statistics[tiles])
            values[tiles] = logits(fitted.network.head, statistics[tiles], scale.mean, scale.deviation)
        return self._means(fitted, test, rows, values)

    def _means(self, fitted: Fitted, test: Indices, rows: Indices, values: Matrix) -> Matrix:
        return self.inputs.clip_means(softmax(values / fitted.temperature), rows, test)


def _check_names(task: Task, recipe: NetworkRecipe) -> None:
    """Refuse unknown names, and an adversary with nothing to guess, before inputs are computed for hours.

    Corpora that the task lacks are allowed in copies.
    """
    alphas = {
        f"{name}.loss.alpha": (plan.loss.alpha, task.classes, task.classes) for name, plan in recipe.plans.items()
    }
    copies = {"copies": (recipe.copies, (*task.corpora, *CORPORA, UNLABELLED), task.corpora)}
    for key, (names, known, expected) in (copies | alphas).items():
        if unknown := sorted(set(names) - set(known)):
            raise RecipeError(f"{recipe.name}: {key} has {', '.join(unknown)}, expected some of {', '.join(expected)}")
    for plan in recipe.plans.values():
        if plan.adversary.on:
            origins(task, plan.adversary)


def _check_teacher(task: Task, recipe: NetworkRecipe) -> None:
    if recipe.teacher is None:
        return
    if recipe.head_learning is not None and not build_encoder(recipe.encoder).learns:
        raise RecipeError(f"{recipe.name}: got a teacher, but nothing of the encoder learns; leave the teacher out")
    check_teacher_size(recipe, recipe.teacher, len(task.classes))
    if recipe.teacher.run:
        check_teacher_run(task, recipe, recipe.teacher.run)
        return
    _check_names(task, recipe.teacher.recipe)
    _check_start(task, recipe.teacher.recipe)


def _check_held_out(task: Task, recipe: NetworkRecipe) -> None:
    """Refuse folds with too few speakers for the share that the first stage holds out."""
    both = (recipe, *([] if recipe.teacher is None or recipe.teacher.run else [recipe.teacher.recipe]))
    holding = [each for each in both if each.learning.stopping.share]
    holding = [each for each in holding if each.head_learning is None or build_encoder(each.encoder).learns]
    for fold in task_folds(task, recipe.data, seed=recipe.seed) if holding else ():
        learnt = np.array(fold.train, dtype=np.int64)
        for each in holding:
            learnt, _ = held_out(task, learnt, each)


def _check_adaptation(task: Task, recipe: NetworkRecipe) -> None:
    """Refuse to learn an adaptation from one corpus, or from clips whose speaker is not known."""
    for fold in task_folds(task, recipe.data, seed=recipe.seed) if recipe.adaptation else ():
        learnt = [task.clips[clip] for clip in fold.train]
        corpora = sorted({clip.corpus for clip in learnt})
        if len(corpora) < LEAST_CORPORA:
            raise RecipeError(
                f"adaptation is true, but fold {fold.number} trains on {', '.join(corpora)} alone, expected "
                f"{LEAST_CORPORA} corpora or more, so that a head can leave one out; add one, or set adaptation = false"
            )
        if unknown := [clip.id for clip in learnt if not clip.speaker]:
            raise RecipeError(
                f"adaptation is true, but {len(unknown)} clips have no speaker ({unknown[0]} is the first), expected "
                "one for each; add them, or set adaptation = false"
            )


def _check_start(task: Task, recipe: NetworkRecipe) -> None:
    """Refuse weights that do not fit, and weights that were trained on a corpus of the task."""
    if not recipe.start:
        return
    starting_encoder(recipe.encoder, recipe.start)
    trained_on = {corpus.name for corpus in read_start(recipe.start).corpora}
    if known := sorted(trained_on & set(task.corpora)):
        raise RecipeError(
            f"start is '{recipe.start}', which was pretrained on {', '.join(known)}: the encoder would know the voices "
            "that are tested; expected other corpora; pretrain without it"
        )
