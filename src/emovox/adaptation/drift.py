"""Drift: whether a learner's errors have become larger than they were, by the test of Page and Hinkley."""

from __future__ import annotations

from dataclasses import dataclass

SLACK = 0.1
"""Rise of the mean error that is not drift."""

LIMIT = 4.0
"""Sum of errors above mean and slack that is drift; 13 clips in a row whose error is 0.4 larger reach it.

With errors that deviate by 0.35 around a fixed mean, a false alarm comes once in some thousand clips.
"""

LEAST = 10
"""Clips that the mean is known from, before errors are summed up."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The state of the test; `after` gives the next one. Page, "Continuous inspection schemes", Biometrika 1954.

    Attributes:
        clips: number of errors since the start or the last alarm.
        mean: their mean.
        above: sum of what exceeds mean and slack, >= 0; it starts again at 0.
        alarms: how often drift was noticed.
    """

    clips: int = 0
    mean: float = 0.0
    above: float = 0.0
    alarms: int = 0

    def after(self, error: float) -> Drift:
        """Return the state after an error in [0, 1]; an alarm starts the test anew."""
        clips = self.clips + 1
        above = max(0.0, self.above + error - self.mean - SLACK) if clips > LEAST else 0.0
        if above > LIMIT:
            return Drift(alarms=self.alarms + 1)
        return Drift(clips, self.mean + (error - self.mean) / clips, above, self.alarms)
