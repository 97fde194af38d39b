"""Statistics of a corpus to check before training, such as the level of each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from emovox.corpora.manifest import Clip
from emovox.corpora.probe import measure
from emovox.schema.progress import Progress, no_progress, tracked

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Quantiles of the durations."""
DROPPED = "(dropped)"
UNKNOWN = "(unknown)"


class LabelStats(msgspec.Struct, frozen=True):
    """Statistics of one label.

    `level` is the mean of the levels of its clips in dBFS, None if all are silent. `hours` is their total length.
    `speakers` and `sexes` count clips.
    """

    label: str
    clips: int
    hours: float
    level: float | None
    sexes: dict[str, int]
    speakers: dict[str, int]


class CorpusStats(msgspec.Struct, frozen=True):
    """Statistics of a corpus.

    `durations` maps a quantile in [0, 1] to seconds, `sample_rates` a rate in Hz to a number of clips, `languages` a
    code to a number of clips.
    """

    corpus: str
    clips: int
    speakers: int
    hours: float
    labels: tuple[LabelStats, ...]
    durations: dict[str, float]
    sample_rates: dict[int, int]
    languages: dict[str, int]


def corpus_stats(clips: Sequence[Clip], *, progress: Progress = no_progress) -> CorpusStats:
    """Return the statistics of clips; every clip is decoded for its level.

    Args:
        clips: at least one.
        progress: called after each clip.

    Raises:
        AudioError: a clip cannot be decoded; `verify` lists all such clips.
    """
    levels = [measure(Path(clip.path)).level for clip in tracked(clips, progress, total=len(clips))]
    quantiles = np.quantile([clip.duration for clip in clips], QUANTILES)
    labels = sorted({clip.label or DROPPED for clip in clips}, key=lambda label: (label == DROPPED, label))
    return CorpusStats(
        corpus=", ".join(sorted({clip.corpus for clip in clips})),
        clips=len(clips),
        speakers=len({(clip.corpus, clip.speaker) for clip in clips if clip.speaker is not None}),
        hours=_hours(clips),
        labels=tuple(_label_stats(label, clips, levels) for label in labels),
        durations={f"{q:g}": round(float(seconds), 3) for q, seconds in zip(QUANTILES, quantiles, strict=True)},
        sample_rates=dict(sorted(Counter(clip.sample_rate for clip in clips).items())),
        languages=_count(clips, lambda clip: clip.language),
    )


def _label_stats(label: str, clips: Sequence[Clip], levels: Sequence[float | None]) -> LabelStats:
    chosen = [number for number, clip in enumerate(clips) if (clip.label or DROPPED) == label]
    members = [clips[number] for number in chosen]
    audible = [level for number in chosen if (level := levels[number]) is not None]
    return LabelStats(
        label=label,
        clips=len(members),
        hours=_hours(members),
        level=round(float(np.mean(audible)), 2) if audible else None,
        sexes=_count(members, lambda clip: clip.sex),
        speakers=_count(members, lambda clip: clip.speaker),
    )


def _hours(clips: Sequence[Clip]) -> float:
    return round(sum(clip.duration for clip in clips) / 3600, 4)


def _count(clips: Sequence[Clip], value: Callable[[Clip], str | None]) -> dict[str, int]:
    return dict(sorted(Counter(value(clip) or UNKNOWN for clip in clips).items()))
