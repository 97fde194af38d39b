"""The words of a transcript as a modality beside the voice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from emovox.fusion.modalities import TEXT, OtherModality
from emovox.fusion.text.emotion import TextEmotion
from emovox.fusion.transcript import Line
from emovox.schema.result import Segment

TEXT_WEIGHT = 0.5
"""Weight of the logarithm of the words' scores; that of the voice is 1. Nothing here measures it: no corpus at hand has
emotional voices with words. `recipes/fusion.toml` learns it from recordings of your own."""


_AT_ONCE = 64
"""Lines between two calls of `check`: about a second."""


def words_of(
    lines: Sequence[Line],
    emotion: TextEmotion,
    *,
    weight: float = TEXT_WEIGHT,
    check: Callable[[], None] = lambda: None,
) -> OtherModality:
    """Return the words as a modality: a segment has the mean scores of the lines, by the seconds that both share.

    Args:
        lines: of the transcript.
        emotion: scores a line.
        weight: at least 0; see `TEXT_WEIGHT`.
        check: called often; what it raises ends this.
    """
    table = np.array([list(row.values()) for row in _scored(lines, emotion, check)])
    starts, ends = (np.array([getattr(line, side) for line in lines]) for side in ("start", "end"))

    def scores(segment: Segment) -> Mapping[str, float] | None:
        shared = np.maximum(0.0, np.minimum(ends, segment.end) - np.maximum(starts, segment.start))
        if not shared.any():
            return None
        mean = np.average(table, axis=0, weights=shared)
        return dict(zip(emotion.labels, mean.tolist(), strict=True))

    return OtherModality(TEXT, weight, scores)


def _scored(lines: Sequence[Line], emotion: TextEmotion, check: Callable[[], None]) -> Iterator[dict[str, float]]:
    for start in range(0, len(lines), _AT_ONCE):
        check()
        yield from emotion.scores([line.text for line in lines[start : start + _AT_ONCE]])
