"""The profile of a speaker: it standardises the statistics in place of the training set's mean and scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emovox.audio.types import Samples
from emovox.schema.errors import ModelError


@dataclass(frozen=True, eq=False, slots=True)
class Profile:
    """Mean and scale of the statistics of one speaker.

    Attributes:
        mean: shape [p], float32; subtracted from the statistics.
        scale: shape [p], float32, above 0; divides them.

    Raises:
        ModelError: the type or shape is wrong, a value is not finite, or a scale is 0 or less.
    """

    mean: Samples
    scale: Samples

    def __post_init__(self) -> None:
        """Raise an error for arrays that cannot standardise statistics."""
        for name in ("mean", "scale"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 1:
                got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
                raise ModelError(f"{name} of a profile is {got}, expected float32 [p]")
            if not np.isfinite(array).all():
                raise ModelError(f"{name} of a profile holds NaN or infinity, expected finite numbers")
        if self.mean.shape != self.scale.shape:
            raise ModelError(f"mean has {self.mean.size} numbers and scale {self.scale.size}, expected the same number")
        if not (self.scale > 0).all():
            raise ModelError(f"scale of a profile has the minimum {self.scale.min():g}, expected numbers above 0")
