"""Maps from what a model computes anyway to the logit that a tile is speech."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emovox.models.frame_inputs import FrameEncoder
from emovox.models.network import Encoder

LAGS = (1, 2, 4, 8)
"""Distances of frames, at 20 ms each: a syllable lasts about ten. The shortest input has 15 frames."""

BAND, RHYTHM = 4, 12
"""Mel bands that are averaged, and the largest distance of frames over which their course is compared with itself."""

LONGEST_HOP = 400
"""Step between frames in samples at 16 kHz from which the shortest input, 0.3 s, has too few frames for the rhythm."""

FLAT = 1e-3
"""Added to the variance of a band's course before it is standardised: a constant one stays 0."""

LARGEST = 4.0
"""Largest distance of a value from its mean, in deviations: what is further away says no more."""


class FramePooling(nn.Module):
    """What describes how a sound moves, from the frames of the front end of a small network.

    Mean, deviation, least and largest value of each channel; the mean change over each of `LAGS`; products, third and
    fourth moments of the cepstra; the mean and the deviation of the slope from each mel band to the next; and the
    autocorrelation of wide bands, which tells the rhythm of syllables from that of clocks, barks and notes.

    Args:
        channels: c, those of the frames.
        mels: number of mel bands, which come first among the channels; a multiple of 4.
        cepstra: number of cepstra, which follow.

    Shape:
        - Input: [b, c, t].
        - Output: [b, p].
    """

    pairs: Tensor

    def __init__(self, channels: int, *, mels: int, cepstra: int) -> None:
        super().__init__()
        self.channels, self.mels, self.cepstra = channels, mels, cepstra
        rows, columns = torch.triu_indices(cepstra, cepstra)
        self.register_buffer("pairs", rows * cepstra + columns)

    @property
    def width(self) -> int:
        """Number of values, p."""
        rhythm = RHYTHM * (self.mels // BAND)
        return (4 + len(LAGS)) * self.channels + len(self.pairs) + 2 * self.cepstra + 2 * (self.mels - 1) + rhythm

    def forward(self, frames: Tensor) -> Tensor:
        """Return the pooled values."""
        parts = [frames.mean(2), _deviation(frames), frames.amin(2), frames.amax(2)]
        parts += [(frames[:, :, lag:] - frames[:, :, :-lag]).abs().mean(2) for lag in LAGS]
        cepstra = frames[:, self.mels : self.mels + self.cepstra]
        centred = cepstra - cepstra.mean(2, keepdim=True)
        products = (centred[:, :, None] * centred[:, None]).mean(3).flatten(1)
        parts += [products[:, self.pairs], (centred**3).mean(2), (centred**4).mean(2)]
        slope = frames[:, 1 : self.mels] - frames[:, : self.mels - 1]
        return torch.cat([*parts, slope.abs().mean(2), _deviation(slope), *self._rhythm(frames)], 1)

    def _rhythm(self, frames: Tensor) -> list[Tensor]:
        """Return the autocorrelation of wide bands, [b, mels / 4] for each distance up to `RHYTHM`."""
        bands = frames[:, : self.mels].unflatten(1, (-1, BAND)).mean(2)  # type: ignore[no-untyped-call]
        centred = bands - bands.mean(2, keepdim=True)
        course = centred / (centred.square().mean(2, keepdim=True) + FLAT).sqrt()
        return [(course[:, :, lag:] * course[:, :, :-lag]).mean(2) for lag in range(1, RHYTHM + 1)]


def pooling_for(encoder: Encoder) -> FramePooling | None:
    """Return what pools the frames of a small network for the map; None: the map takes statistics.

    Frames serve if mel bands, four or a multiple, and cepstra are among them, and the shortest input has enough.
    """
    if not isinstance(encoder, FrameEncoder):
        return None
    frames = encoder.front_end.config
    if not (frames.log_mel and frames.mfcc) or frames.n_mels % BAND or frames.hop > LONGEST_HOP:
        return None
    return FramePooling(encoder.n_inputs, mels=frames.n_mels, cepstra=frames.features().n_mfcc)


class SpeechMap(nn.Module):
    """An affine map of standardised values: of statistics before speaker normalisation, or of pooled frames.

    A large encoder has learnt what speech is, so its statistics are enough. Those of a small network say little about
    sounds that it has never met; there the frames say more.

    Args:
        width: number of values, p.
        pooling: computes the values from frames; None takes statistics.

    Shape:
        - Input: statistics [b, p] or frames [b, c, t].
        - Output: logits [b].
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, width: int, pooling: FramePooling | None = None) -> None:
        super().__init__()
        self.width, self.pooling = width, pooling
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("weight", torch.zeros(width))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, values: Tensor) -> Tensor:
        """Return logits; above 0 speech is likelier than not."""
        return self.of(values if self.pooling is None else self.pooling(values))

    def of(self, pooled: Tensor) -> Tensor:
        """Return the logits [b] of values [b, p]: statistics, or frames that are pooled already."""
        standard = ((pooled - self.mean) / self.scale).clamp(-LARGEST, LARGEST)
        return standard @ self.weight + self.bias


def _deviation(frames: Tensor) -> Tensor:
    centred = frames - frames.mean(2, keepdim=True)
    return centred.square().mean(2).sqrt()
