"""Calm previews: one odd window does not change the label, two do."""

from __future__ import annotations

import numpy as np

from emovox.audio.types import Samples


class Smoother:
    """Mean of the scores of the latest two windows.

    When two windows in a row agree on the best label, that label has the highest mean, whatever came before: a change
    that lasts is shown one window late at most. A single window that disagrees changes the label only where its lead
    over the former label is larger than the lead that this one had in the window before.

    >>> smoother = Smoother()
    >>> [smoother.feed(np.array(scores)).argmax().item() for scores in ([0.9, 0.1], [0.2, 0.8], [0.4, 0.6])]
    [0, 0, 1]
    """

    def __init__(self) -> None:
        self._before: Samples | None = None

    def feed(self, scores: Samples) -> Samples:
        """Take the scores [labels] of the next window, which add up to 1, and give smoothed ones that do so as well."""
        before = scores if self._before is None else self._before
        self._before = scores
        mean: Samples = (before + scores) / np.float32(2)
        return mean
