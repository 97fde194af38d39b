"""Limits of the figures: warnings for every table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from emovox.corpora.registry import CORPORA
from emovox.evaluation.figures.comparison import Measured
from emovox.evaluation.report.document import Alert, Block, Heading, Items

_SENTENCES: Mapping[str, tuple[str, int]] = {"ravdess": ("RAVDESS", 2), "emodb": ("EMO-DB", 10), "casia": ("CASIA", 50)}

_TEXT = "Speaker-independent is not text-independent: {} different sentences, all of them in every fold."
_SPEECH = (
    "Acted speech: actors show an emotion on demand, clearly and in a studio. Spontaneous speech is harder, and a "
    "score says how a voice sounds, not what a person feels."
)
_INFLATED = (
    "Speaker-dependent figures are inflated: the model was trained on other clips of the same speakers. Compare them "
    "only with speaker-dependent figures."
)
_UTTERANCES = (
    "Where a corpus has fewer than five known speakers, intervals are over utterances; they do not cover what other "
    "speakers would change."
)
_UNANSWERED = "Clips in which no speech was found count as wrong, and take no part in calibration."
_METRICS = (
    "UAR is the mean of the recalls of the classes that a corpus has. Intervals are 95 %, percentile bootstrap with "
    "1,000 draws. Chance is a uniform guess; its ECE is 0, since it claims no more than it knows."
)


def caveats(measured: Sequence[Measured]) -> list[Block]:
    """Return the limits that apply to these corpora and protocols."""
    known = {re.sub(r"-\d$", "", each.corpus) for each in measured}  # "ravdess-8" and "ravdess" are one corpus
    sentences = [f"{title} has {count}" for name, (title, count) in _SENTENCES.items() if name in known]
    notes = (
        (bool(sentences), _TEXT.format(", ".join(sentences))),
        (any(CORPORA[name].acted for name in known & CORPORA.keys()), _SPEECH),
        (any("(inflated)" in each.protocol for each in measured), _INFLATED),
        (any(each.summary.resampled != "speakers" for each in measured), _UTTERANCES),
        (any(each.summary.unanswered for each in measured), _UNANSWERED),
        (True, _METRICS),
    )
    return [Heading("What these figures do not say"), Items(tuple(text for applies, text in notes if applies))]


def training_alert(corpora: Sequence[str], *, model: str) -> Alert:
    """Return the warning for a model that was trained on the test speakers."""
    return Alert(
        f"{model} was trained on {', '.join(corpora)}: these speakers were in training, so this is not a "
        "speaker-independent figure. For one, see the cross-validated figures on the model card."
    )
