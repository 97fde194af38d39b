"""Track the level of the background from the quietest moments around each frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.framing import frame

Power = npt.NDArray[np.float32]
"""Mean square of each frame: [frames] float32, >= 0."""


class NoiseFloor:
    """Minimum of the frame powers from `past` frames before to `ahead` frames after each frame.

    Speech dips to the background within a fraction of a second, steady noise does not leave it, so the minimum follows
    the room and not the talker. The look ahead makes a recording that begins in the middle of a word start with a
    floor from its first dip. Only a minimum is taken, no sum: the result does not depend on how the input is cut.

    Args:
        past: frames before a frame that count, >= 0.
        ahead: frames after a frame that count, >= 0; also the delay of the output.

    Reference: R. Martin, Noise power spectral density estimation based on optimal smoothing and minimum statistics,
        IEEE Trans. Speech and Audio Processing 9(5), 2001.
    """

    def __init__(self, *, past: int, ahead: int) -> None:
        self._past = past
        self._ahead = ahead
        self._history: Power = np.full(past, np.inf, np.float32)

    def feed(self, power: Power) -> tuple[Power, Power]:
        """Take the powers of the next frames and give the floors that are now certain.

        Args:
            power: [frames] float32, mean squares of samples (20 ms each in `Vad`), any count, also none.

        Returns:
            (power, floor), both [decided]: the frames whose look ahead is complete, delayed by `ahead` frames.
        """
        known = np.concatenate([self._history, power])
        decided = max(0, known.size - self._past - self._ahead)
        self._history = known[decided:].copy()
        if decided == 0:
            return known[:0], known[:0]
        around = frame(known, length=self._past + 1 + self._ahead, hop=1)
        return known[self._past : self._past + decided], around.min(axis=1)

    def flush(self) -> tuple[Power, Power]:
        """Give the frames that still wait, with as much look ahead as there is."""
        return self.feed(np.full(self._ahead, np.inf, np.float32))
