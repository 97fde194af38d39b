"""What the tests work on: clips, predictions and answers of a system, by corpus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA
from emovox.evaluation.figures.predictions import NO_ANSWER, Predictions, Row
from emovox.evaluation.trust.hearing import Heard, Hearing, Key, clip_stimulus, troubles
from emovox.evaluation.trust.outcome import TrustTest, Where, failed, not_testable
from emovox.evaluation.trust.sample import Form, Sizes, sample_clips
from emovox.evaluation.trust.suite import FEWEST_CLIPS, Check
from emovox.evaluation.trust.system import System, SystemAnswer
from emovox.schema.figure import TILE
from emovox.schema.labels import SEVEN_MAP
from emovox.schema.progress import Progress, no_progress

OUT_OF_FOLD, UNHEARD = "out of fold", "unheard"
"""How a corpus is tested: by models that did not learn from the speaker, or that learnt nothing of the corpus."""


@dataclass(frozen=True, eq=False)
class CorpusUnderTest:
    """A corpus under test.

    Attributes:
        name: its name.
        how: `OUT_OF_FOLD` or `UNHEARD`; "" if it does not count.
        clips: clips with a recording, of those that may be heard; none if it does not count.
        predictions: of the unchanged clips with a label that the system has; None if there are none.
        sexes: sex by speaker, where known.
        why: why nothing that needs labels can be tested; "" if it can.
        error: whether that is a failure of the system.
    """

    name: str
    how: str
    clips: tuple[Clip, ...] = ()
    predictions: Predictions | None = None
    sexes: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    error: bool = False

    def refuse(self, check: Check, what: str = "") -> TrustTest:
        """Return the outcome of a test of this corpus that needs labels, when there are none."""
        where = Where(self.name, what)
        return failed(check, where, self.why) if self.error else not_testable(check, where, self.why)


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that the tests work on.

    Attributes:
        system: the system under test.
        hearing: asks it.
        corpora: the corpora, in the order of the tables.
        form: full or quick.
        sizes: of the samples.
        seed: of samples, conditions and intervals.
    """

    system: System
    hearing: Hearing
    corpora: tuple[CorpusUnderTest, ...]
    form: Form
    sizes: Sizes
    seed: int

    def rng(self, *numbers: int) -> np.random.Generator:
        """Return a generator for the intervals of a test."""
        return np.random.default_rng([self.seed, *numbers])

    @property
    def scored(self) -> bool:
        """Return whether every answer with a label has scores too."""
        return all(not np.isnan(found.scores[found.answered]).any() for _, found in self.labelled)

    @property
    def labelled(self) -> Iterator[tuple[CorpusUnderTest, Predictions]]:
        """Yield the corpora that can be tested with labels, and their predictions."""
        for corpus in self.corpora:
            if corpus.predictions is not None and not corpus.why:
                yield corpus, corpus.predictions


def label_of(clip: Clip, labels: Sequence[str]) -> str | None:
    """Return the label of a clip in the words of a system; None if the system has no such label.

    >>> calm = Clip(corpus="c", id="1", path="1", native="calm", label="calm", duration=1, sample_rate=8000)
    >>> label_of(calm, ("neutral", "sad")), label_of(calm, ("high", "low"))
    ('neutral', None)
    """
    known = clip.label if clip.label in labels else SEVEN_MAP.get(clip.label or "")
    return known if known in labels else None


def make_corpora(
    system: System,
    hearing: Hearing,
    clips: Mapping[str, Sequence[Clip]],
    *,
    sizes: Sizes,
    seed: int,
    progress: Progress = no_progress,
) -> tuple[CorpusUnderTest, ...]:
    """Return the corpora under test.

    A system hears a sample of what it did not learn from, since unfamiliar recordings lose confidence on the path of
    `predict`. Predictions on file stand for a corpus that it learnt from, or that has no recordings here.

    Args:
        system: the system.
        hearing: asks it.
        clips: corpus → its clips with recordings; may be empty for a corpus with out-of-fold predictions.
        sizes: of the samples.
        seed: of the samples.
        progress: called after each clip that is heard.
    """
    found = []
    for name, of_corpus in clips.items():
        if why := system.why_seen(name):
            found.append(CorpusUnderTest(name, "", why=why))
        elif name in system.out_of_fold and (name in system.learnt or not of_corpus):
            found.append(_known(system, name, of_corpus))
        else:
            sample = sample_clips(of_corpus, sizes.heard, seed=seed)
            found.append(heard_corpus(system, hearing, name, sample, progress))
    return tuple(found)


def _known(system: System, name: str, clips: Sequence[Clip]) -> CorpusUnderTest:
    predictions = system.out_of_fold[name]
    tested = set(predictions.utterance.tolist())
    usable = tuple(clip for clip in clips if clip.id in tested)
    how = UNHEARD if name not in system.learnt else OUT_OF_FOLD
    return CorpusUnderTest(name, how, usable, predictions, _published(name) | _sexes(clips), _too_few(predictions))


def heard_corpus(
    system: System, hearing: Hearing, name: str, clips: Sequence[Clip], progress: Progress
) -> CorpusUnderTest:
    """Return a corpus with the answers of a system to these clips."""
    heard = hearing.hear([clip_stimulus(clip, system) for clip in clips], [TILE], progress)
    trouble = troubles(heard, [Key(TILE, clip.corpus, clip.id) for clip in clips])
    rows = [row for clip in clips if (row := _row(clip, heard, system)) is not None]
    sexes, every = _sexes(clips), tuple(clips)
    if trouble:
        return CorpusUnderTest(name, UNHEARD, every, None, sexes, trouble, error=True)
    if not rows:
        labels = ", ".join(sorted({clip.label for clip in clips if clip.label is not None})) or "none"
        why = f"the system has the labels {', '.join(system.labels)}, the clips have {labels}"
        return CorpusUnderTest(name, UNHEARD, every, None, sexes, why)
    predictions = Predictions.from_rows(rows, system.labels)
    return CorpusUnderTest(name, UNHEARD, every, predictions, sexes, _too_few(predictions))


def _row(clip: Clip, heard: Heard, system: System) -> Row | None:
    label, answer = label_of(clip, system.labels), heard[Key(TILE, clip.corpus, clip.id)]
    if label is None or not isinstance(answer, SystemAnswer):
        return None
    return Row(clip.corpus, clip.id, clip.speaker or "", "1", label, answer.label or NO_ANSWER, answer.scores)


def _too_few(predictions: Predictions) -> str:
    if len(predictions) < FEWEST_CLIPS:
        return f"{len(predictions)} clips, at least {FEWEST_CLIPS} are needed"
    if len(predictions.present) < 2:
        return f"all clips have the label {predictions.present[0]}, at least two labels are needed"
    return ""


def _published(name: str) -> dict[str, str]:
    """Return the sex of the speakers of a published corpus, which is known without its recordings."""
    known = CORPORA[name].layout.speakers if name in CORPORA else {}
    return {speaker: sex for speaker, sex in known.items() if sex}


def _sexes(clips: Sequence[Clip]) -> dict[str, str]:
    return {clip.speaker: clip.sex for clip in clips if clip.speaker and clip.sex}
