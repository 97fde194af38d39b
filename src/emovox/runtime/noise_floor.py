"""Track the level of the background noise: the minimum of the power around each frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.framing import frame

Power = npt.NDArray[np.float32]
"""Mean square of each frame, shape [frames], float32, >= 0."""


class NoiseFloor:
    """The minimum of the frame powers from `past` frames before to `ahead` frames after each frame.

    The power of speech dips to the background within a fraction of a second, that of steady noise does not. So the
    minimum follows the room and not the speaker. If a recording begins in the middle of a word, the look-ahead takes
    the floor from the first dip. The result is a minimum, not a sum, so it does not depend on how the input is cut.

    Args:
        past: number of frames before a frame, >= 0.
        ahead: number of frames after a frame, >= 0; also the delay of the output.

    Reference: R. Martin, Noise power spectral density estimation based on optimal smoothing and minimum statistics,
        IEEE Trans. Speech and Audio Processing 9(5), 2001.
    """

    def __init__(self, *, past: int, ahead: int) -> None:
        self._past = past
        self._ahead = ahead
        self._history: Power = np.full(past, np.inf, np.float32)

    def feed(self, power: Power) -> tuple[Power, Power]:
        """Take the powers of the next frames and return the floors that are now certain.

        Args:
            power: [frames] float32, mean squares of samples (20 ms per frame in `Vad`), any number of frames.

        Returns:
            (power, floor), both of shape [decided]: the frames whose look-ahead is complete, `ahead` frames late.
        """
        known = np.concatenate([self._history, power])
        decided = max(0, known.size - self._past - self._ahead)
        self._history = known[decided:].copy()
        if decided == 0:
            return known[:0], known[:0]
        around = frame(known, length=self._past + 1 + self._ahead, hop=1)
        return known[self._past : self._past + decided], around.min(axis=1)

    def flush(self) -> tuple[Power, Power]:
        """Return (power, floor) of the frames that still wait, shape [frames], with the look-ahead that there is."""
        return self.feed(np.full(self._ahead, np.inf, np.float32))
