"""Stage: the parameters that adapt the network to a voice, from its training speakers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from emovox.corpora.folds import speaker_key
from emovox.models.head import Head
from emovox.models.head_scorer import HeadScorer
from emovox.schema.labels import NEUTRAL, merge_matrix
from emovox.training.adaptation import LabelledStatistics, fit_adaptation
from emovox.training.data.statistics import clip_averages
from emovox.training.stages.head import fit_head
from emovox.training.stages.stage import UNHEARD, Context, Fitted


@dataclass(frozen=True)
class LearnAdaptation:
    """Learns the adaptation, with heads that each leave one corpus out; skipped unless the recipe has `adaptation`.

    These heads have one member. The scores of all heads are those of an exported model.
    """

    def run(self, context: Context, fitted: Fitted) -> Fitted:
        """Return the network with its adaptation; see `Stage`."""
        if not context.recipe.adaptation:
            return fitted
        scorer = exported_scorer(context, fitted.network.head, fitted.temperature)
        labels = context.recipe.labels or context.task.classes
        neutral = labels.index(NEUTRAL) if NEUTRAL in labels else -1
        clips = labelled_statistics(context, fitted)
        unheard = dict(_unheard_scorers(context, fitted))
        found = fit_adaptation(clips, scorer, unheard, neutral=neutral)
        return replace(fitted, adaptation=found, unheard=unheard)


def exported_scorer(context: Context, head: Head, temperature: float) -> HeadScorer:
    """Return a scorer with the labels of the exported model."""
    return HeadScorer(head, label_of_class(context), temperature)


def labelled_statistics(context: Context, fitted: Fitted) -> LabelledStatistics:
    """Return the mean statistics over the clean tiles of each training clip whose class the exported model has."""
    merge, task = np.array(label_of_class(context)), context.task
    known = context.train[merge[task.labels[context.train]].any(axis=1)]
    rows = context.inputs.select(known)
    clips, values = clip_averages(context.inputs.owner[rows], context.statistics(fitted.network.encoder).values(rows))
    return LabelledStatistics(
        statistics=values,
        labels=merge[task.labels[clips]].argmax(axis=1),
        speakers=np.array([speaker_key(task.clips[clip]) for clip in clips]),
        corpora=np.array([task.clips[clip].corpus for clip in clips]),
    )


def label_of_class(context: Context) -> list[list[float]]:
    """Return [classes, labels], 0 or 1: the label of each class in the exported model."""
    classes = context.task.classes
    return merge_matrix(classes, context.recipe.labels or classes)


def _unheard_scorers(context: Context, fitted: Fitted) -> Iterator[tuple[str, HeadScorer]]:
    """Yield each training corpus with a head that learnt from the others."""
    plan, encoder = context.recipe.head_learning, fitted.network.encoder
    assert plan is not None
    corpora = np.array([context.task.clips[clip].corpus for clip in context.train])
    for number, corpus in enumerate(np.unique(corpora), start=1):
        others, name = context.train[corpora != corpus], f"without-{corpus}"
        head = fit_head(context, encoder, plan, others, UNHEARD + number, name, members=1)
        yield str(corpus), exported_scorer(context, head, fitted.temperature)
