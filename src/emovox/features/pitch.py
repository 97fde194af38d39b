"""Fundamental frequency by YIN; the autocorrelation is summed in blocks of one hop, not by Fourier transforms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.features.compiled import CONTRACT, compiled
from emovox.features.signal import mono, n_frames, pad
from emovox.features.spectrum import Frames
from emovox.schema.errors import ConfigError

Doubles = npt.NDArray[np.float64]

UNROLL = 4
"""Samples per pass of the inner loop, which loads and stores the sums of all lags once (1: 1.1 ms, 4: 0.4 ms)."""

CHUNK = 512
"""Frames processed together: their block sums take 1 MB for any length, and chunks share only a dozen blocks."""

TINY = float(np.finfo(np.float32).tiny)
"""Added to the denominator, so that silence gives 0 / TINY = 0, as in librosa."""

SILENCE_POWER = 1e-10
"""Mean square (-100 dBFS) below which a frame is digital silence; its root is a third of a step of 16-bit audio."""


def yin(
    samples: Samples,
    *,
    sample_rate: int = 16000,
    fmin: float = 65.0,
    fmax: float = 500.0,
    length: int = 2048,
    hop: int = 160,
    threshold: float = 0.1,
) -> tuple[Frames, npt.NDArray[np.bool_]]:
    """Estimate F0 and voicing of centred frames; the estimates are those of librosa.yin 0.11.

    The period is the first local minimum of the cumulative-mean-normalised difference below `threshold`, or else its
    global minimum, refined by a parabola. Every frame has an estimate; only those of voiced frames are reliable.

    Args:
        samples: shape [n], float32.
        sample_rate: Hz.
        fmin: lowest F0 in Hz; the longest lag is ceil(sample_rate / fmin), at most length - 1.
        fmax: highest F0 in Hz, at most sample_rate / 2.
        length: frame length in samples, even.
        hop: step between frames in samples.
        threshold: voicing threshold of the normalised difference, in (0, 1); 0.1 in the paper.

    Returns:
        F0 in Hz, shape [t], float32, and voicing, shape [t], bool; t = 1 + n // hop. A frame is voiced if it has a
        minimum below the threshold and a mean square of at least `SILENCE_POWER`.

    Raises:
        AudioError: `samples` is not one channel of finite numbers (see `signal.mono`).
        ConfigError: `length` or `sample_rate` does not allow the frequency range.

    Reference:
        de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111 (2002),
        equations 7 and 8.
    """
    shortest, longest = lags(sample_rate=sample_rate, fmin=fmin, fmax=fmax, length=length)
    samples = mono(samples)
    count = n_frames(samples.size, hop)
    padded = pad(samples, length=length, hop=hop, extra=2 * hop + longest + UNROLL)
    periods, voiced = np.empty(count), np.empty(count, np.bool_)
    for start in range(0, count, CHUNK):
        rows, here = slice(start, min(start + CHUNK, count)), padded[start * hop :]
        sums, tails = _block_sums(here, rows.stop - start, longest + 1, length, hop)
        periods[rows], voiced[rows] = _search(here, sums, tails, length, hop, shortest, threshold)
    return (sample_rate / periods).astype(np.float32), voiced


def lags(*, sample_rate: int, fmin: float, fmax: float, length: int) -> tuple[int, int]:
    """Return the shortest and the longest period of the search in samples.

    Args:
        sample_rate: Hz.
        fmin: lowest F0 in Hz.
        fmax: highest F0 in Hz.
        length: frame length in samples.

    Raises:
        ConfigError: not 0 < fmin < fmax <= sample_rate / 2, or fewer than three lags fit into `length`.

    >>> lags(sample_rate=16000, fmin=65, fmax=500, length=2048)
    (32, 247)
    """
    if not 0 < fmin < fmax <= sample_rate / 2:
        raise ConfigError(f"got fmin {fmin}, fmax {fmax} Hz; expected 0 < fmin < fmax <= {sample_rate / 2:g} Hz")
    shortest, longest = int(sample_rate / fmax), min(int(np.ceil(sample_rate / fmin)), length - 1)
    if longest - shortest < 2:
        raise ConfigError(f"got lags {shortest} to {longest}, expected three or more; widen fmin to fmax or the frame")
    return shortest, longest


# The autocorrelation of frame t at lag k sums x[n] x[n + k] over the length - k samples n with both factors inside the
# frame. Frames start at multiples of hop. So the sum consists of (length - k) // hop whole blocks of hop samples, which
# the next frames share, and of a tail: one more block up to the split (length - k) % hop. One pass over a block handles
# all lags side by side, contiguous in memory, so the loop is vectorised. It gives the whole sums, and the tail of a lag
# when n reaches its split. About 12 products per sample and lag become 1.


@compiled(CONTRACT)
def _block_sums(padded: Samples, count: int, n_lags: int, length: int, hop: int) -> tuple[Frames, Frames]:
    n_blocks = count + length // hop
    sums = np.zeros((n_blocks, n_lags), np.float32)
    tails = np.zeros((count, n_lags), np.float32)
    for block in range(n_blocks):
        row = sums[block]
        split_lag, frame = length % hop, block - length // hop
        for start in range(0, hop, UNROLL):
            here = padded[block * hop + start : block * hop + start + n_lags + UNROLL]
            step = min(UNROLL, hop - start)
            for i in range(step):
                _store_tails(tails, row, here, i, split_lag, frame, hop)
                split_lag -= 1
                if split_lag < 0:
                    split_lag += hop
                    frame += 1
            a, b, c, d = here[0], here[1], here[2], here[3]
            if step < UNROLL:
                b, c, d = b * (step > 1), c * (step > 2), np.float32(0)
            for k in range(n_lags):
                row[k] += a * here[k] + b * here[k + 1] + c * here[k + 2] + d * here[k + 3]
    return sums, tails


@compiled(CONTRACT, inline=True)  # 50 000 calls for 3 s of audio: 0.3 ms of 1.0
def _store_tails(tails: Frames, row: Samples, here: Samples, done: int, split_lag: int, frame: int, hop: int) -> None:
    # Lags split_lag, split_lag + hop, … end here, in frames frame, frame + 1, …: a longer lag has one block fewer.
    for k in range(split_lag, tails.shape[1], hop):
        if 0 <= frame < tails.shape[0]:
            tail = row[k]
            for i in range(done):
                tail += here[i] * here[i + k]
            tails[frame, k] = tail
        frame += 1


@compiled()
def _search(
    padded: Samples, sums: Frames, tails: Frames, length: int, hop: int, shortest: int, threshold: float
) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    count, n_lags = tails.shape
    periods, voiced = np.empty(count), np.zeros(count, np.bool_)
    correlation, difference = np.empty(n_lags), np.empty(n_lags)
    for t in range(count):
        correlation[:] = tails[t]
        for i in range(length // hop):
            row = sums[t + i]
            for k in range(min(n_lags, length - (i + 1) * hop + 1)):
                correlation[k] += row[k]
        _normalise(padded[t * hop : t * hop + length], correlation, difference)
        period, found = _first_trough(difference, shortest, threshold)
        periods[t] = period + _vertex(difference, period, shortest)
        voiced[t] = found and correlation[0] >= SILENCE_POWER * length
    return periods, voiced


@compiled()
def _normalise(frame: Samples, correlation: Doubles, difference: Doubles) -> None:
    energy, total = 0.0, 0.0
    for k in range(1, correlation.size):
        energy += np.float64(frame[k - 1]) * np.float64(frame[k - 1])
        value = 2 * (correlation[0] - correlation[k]) - energy
        total += value
        difference[k] = value / (total / k + TINY)


@compiled()
def _first_trough(difference: Doubles, shortest: int, threshold: float) -> tuple[int, bool]:
    # As in librosa: a trough is strictly below its left neighbour and not above its right one. At the ends of the range
    # the only neighbour must be strictly above.
    last = difference.size - 1
    lowest = shortest
    for k in range(shortest, last + 1):
        left = k == shortest or difference[k] < difference[k - 1]
        right = k == last or difference[k] < difference[k + 1] or (k > shortest and difference[k] == difference[k + 1])
        if left and right and difference[k] < threshold:
            return k, True
        if difference[k] < difference[lowest]:
            lowest = k
    return lowest, False


@compiled()
def _vertex(difference: Doubles, period: int, shortest: int) -> float:
    # A shift by a sample or more does not refine this minimum, and the ends have only one neighbour.
    if period == shortest or period == difference.size - 1:
        return 0.0
    curvature = difference[period + 1] + difference[period - 1] - 2 * difference[period]
    slope = (difference[period + 1] - difference[period - 1]) / 2
    return -slope / curvature if abs(slope) < abs(curvature) else 0.0
