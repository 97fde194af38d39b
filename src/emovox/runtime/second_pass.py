"""The second pass: stored statistics are scored again, adapted to the voices of the recording, without the encoder."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Literal

import msgspec
import numpy as np

from emovox.adaptation.estimator import VoiceStatistics
from emovox.adaptation.voice import AdaptedScorer, VoiceSums, measured
from emovox.audio.types import Samples
from emovox.runtime.first_pass import Heard
from emovox.runtime.model import Model
from emovox.runtime.timeline import make_segment
from emovox.schema.result import NOT_SPEECH, Adapted, Result, Segment

Adapt = Literal["off", "recording", "channel", "speaker"]
"""Which tiles of a recording share a voice: all of them, those of a channel, or those of a speaker."""

Group = Callable[[Segment], Hashable]
"""Returns the key of the voice that a segment belongs to."""

GROUPS: Mapping[str, Group] = {
    "recording": lambda _: None,
    "channel": lambda segment: segment.channel,
    "speaker": lambda segment: segment.speaker,
}
"""Choice of `Adapt` → group."""


def voices_of(model: Model, heard: Heard, group: Group, *, label: int | None = None) -> dict[Hashable, VoiceSums]:
    """Return the sums over the tiles of each voice; tiles that are not speech do not count.

    Args:
        model: the model of the first pass.
        heard: the recording, with its statistics.
        group: which segment belongs to which voice.
        label: index of the label of all tiles; None: unknown.

    Raises:
        ModelError: the model cannot adapt.
    """
    rows = _rows(heard, group)
    labels = model.card.labels
    return {
        key: measured(
            model.adaptation,
            model,
            heard.statistics[places],
            np.array([[heard.segments[place].scores[label] for label in labels] for place in places], np.float32),
            [heard.segments[place].end - heard.segments[place].start for place in places],
            label,
        )
        for key, places in rows.items()
    }


def adapted_result(
    model: Model,
    heard: Heard,
    voices: Mapping[Hashable, VoiceSums],
    *,
    group: Group,
    source: str,
    prior: VoiceStatistics | None = None,
) -> Result:
    """Return the result with scores that are adapted to the voices; the plain scores stay beside.

    Args:
        model: scores the statistics.
        heard: the recording, with its statistics.
        voices: sums over the clips of each voice, from this recording or from others too.
        group: which segment belongs to which voice.
        source: what the scores are adapted to, see `Adapted`.
        prior: sums over clips of other voices from the same room, line or folder.

    Raises:
        ModelError: the model cannot adapt.
    """
    segments = list(heard.segments)
    rows = _rows(heard, group)
    for key, places in rows.items():
        scorer = AdaptedScorer(model, model.adaptation, voices[key], source=prior)
        for place, scores in zip(places, scorer.scores(heard.statistics[places]), strict=True):
            segments[place] = _changed(segments[place], scores, heard.threshold)
    used = [voices[key] for key in rows]
    adapted = Adapted(source, sum(one.clips for one in used), round(sum(one.seconds for one in used), 3))
    return heard.result(segments, adapted)


def rescored_result(heard: Heard, scores: Samples, adapted: Adapted) -> Result:
    """Return the result with other scores; the plain scores stay beside.

    Args:
        heard: the recording.
        scores: [segments, labels], adapted.
        adapted: what they are adapted to.
    """
    pairs = zip(heard.segments, scores, strict=True)
    return heard.result([_changed(segment, row, heard.threshold) for segment, row in pairs], adapted)


def _rows(heard: Heard, group: Group) -> dict[Hashable, list[int]]:
    rows: dict[Hashable, list[int]] = {}
    for place, segment in enumerate(heard.segments):
        if segment.code != NOT_SPEECH:
            rows.setdefault(group(segment), []).append(place)
    return rows


def _changed(segment: Segment, scores: Samples, threshold: float) -> Segment:
    if segment.code == NOT_SPEECH:
        return segment
    plain = np.array(list(segment.scores.values()), np.float32)
    changed = make_segment(
        scores,
        labels=tuple(segment.scores),
        start=segment.start,
        end=segment.end,
        channel=segment.channel,
        threshold=threshold,
        plain=plain,
    )
    return msgspec.structs.replace(changed, speaker=segment.speaker)
