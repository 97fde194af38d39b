"""The words of a transcript as a modality beside the voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emovox.fusion.modalities import TEXT, OtherModality
from emovox.fusion.text.emotion import TextEmotion
from emovox.fusion.transcript import Line
from emovox.schema.result import Segment

TEXT_WEIGHT = 0.5
"""Weight of the logarithm of the words' scores; that of the voice is 1. Nothing here measures it: no corpus at hand has
emotional voices with words. `recipes/fusion.toml` learns it from recordings of your own."""


def words_of(lines: Sequence[Line], emotion: TextEmotion, *, weight: float = TEXT_WEIGHT) -> OtherModality:
    """Return the words as a modality: a segment has the mean scores of the lines, by the seconds that both share.

    Args:
        lines: of the transcript.
        emotion: scores a line.
        weight: at least 0; see `TEXT_WEIGHT`.
    """
    table = emotion.scores([line.text for line in lines])

    def scores(segment: Segment) -> Mapping[str, float] | None:
        shared = [max(0.0, min(line.end, segment.end) - max(line.start, segment.start)) for line in lines]
        if not any(shared):
            return None
        mean = np.average([list(row.values()) for row in table], axis=0, weights=shared)
        return dict(zip(emotion.labels, mean.tolist(), strict=True))

    return OtherModality(TEXT, weight, scores)
