"""The utterance functionals of `emovox.features.functionals` as a network, for any batch size and length.

Percentiles come from sorting (TopK in ONNX), statistics over voiced frames from masks, so the graph has no loop and no
branch. Time is the last axis, which ONNX Runtime sorts and sums fastest. A test holds every value equal to the Numba
side within a named tolerance.

For 3 s of audio the front end takes about 2 ms on one core, and this 1.3 ms, of which 0.9 ms go into sorting 68 tracks.
"""

from __future__ import annotations

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.features.functionals import (
    FRAMES,
    LEVEL_FLOOR,
    PITCH,
    PITCH_REFERENCE_HZ,
    STATIC_NAMES,
    UNVOICED_PITCH,
    functional_names,
)
from emovox.features.modulation import FLOOR, GROUPS, RATES_PER_BAND, modulation_rates
from emovox.features.rhythm import PAUSE_DEPTH_DB
from emovox.features.statistics import MIN_FRAMES, PERCENTS, SHAPE_NAMES
from emovox.models.front_end.delta import Deltas
from emovox.models.front_end.frames import FrameFrontEnd, FrameTensors
from emovox.models.network import Encoder

FRAME_SECONDS = FRAMES.hop / FRAMES.sample_rate
PITCH_SECONDS = PITCH.hop / PITCH.sample_rate
VERSION = 1
"""Version of the functionals; it rises when those of the same audio change, and cached inputs are then not used."""

LARGE = 1e9
"""Sorts behind every pitch: unvoiced frames come last."""

N_STATIC = len(STATIC_NAMES)


class Functionals(nn.Module):
    """Waveform → functionals.

    Shape:
        - Input: [batch, n] float32 at 16 kHz, 0.3 to 30 s.
        - Output: [batch, 609] float32, named by `features.functionals.functional_names`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.front_end = FrameFrontEnd(FRAMES)
        self.deltas = Deltas(N_STATIC, FRAMES.delta_width)
        self.modulation = Modulation(FRAMES.n_mels)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the functionals of each row."""
        frames: FrameTensors = self.front_end.time_last(samples)
        level = 20 * torch.log10(frames.rms + LEVEL_FLOOR)
        other = torch.stack([level, frames.zcr, frames.centroid / 1000, frames.rolloff / 1000], dim=1)
        static = torch.cat([frames.mfcc, other], dim=1)
        # the derivatives of all tracks are computed at once; those of the front end, now unused, leave the graph
        delta, delta2 = self.deltas(static)
        n = FRAMES.n_mfcc
        tracks = torch.cat([static, delta[:, :n], delta2[:, :n], delta[:, n:]], dim=1)
        shape = shape_statistics(tracks)
        static_shape = torch.cat([shape[:, :N_STATIC], slopes(static).unsqueeze(2)], dim=2)
        median = shape[:, STATIC_NAMES.index("level"), SHAPE_NAMES.index("p50")]
        pitch = 12 * torch.log2(frames.f0 / PITCH_REFERENCE_HZ)
        return torch.cat(
            [
                static_shape.flatten(1),
                shape[:, N_STATIC:].flatten(1),
                shape_statistics(_flux(frames.log_mel)).flatten(1),
                pitch_statistics(pitch, frames.voiced),
                rhythm(level, frames.voiced, median=median),
                self.modulation(frames.log_mel),
            ],
            dim=1,
        )


class FunctionalsConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="name", tag="functionals"
):
    """All functionals, without options; a recipe of kind svm selects by its table [features]."""


class FunctionalsEncoder(Encoder):
    """Waveform → functionals, without weights that learn: a clip is one frame, and pooling returns it.

    Shape:
        - Input: samples [b, n] at 16 kHz.
        - Output: [b, 609].
    """

    inputs_dtype = np.dtype("<f4")

    def __init__(self) -> None:
        super().__init__()
        self.front_end = Functionals()
        self.n_inputs = self.n_statistics = len(functional_names())

    @property
    def inputs_key(self) -> str:
        """Return a key of the functionals and their version."""
        return f"functionals {VERSION} {','.join(functional_names())}"

    def inputs(self, samples: Tensor) -> Tensor:
        """Return the functionals of samples [b, n] as one frame [b, 1, 609]."""
        values: Tensor = self.front_end(samples)
        return values[:, None]

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the one frame of inputs [b, 1, 609], [b, 609]."""
        return inputs[:, 0]

    def forward(self, samples: Tensor) -> Tensor:
        """Return the functionals [b, 609] of samples [b, n], without a frame axis that the graph would remove again."""
        values: Tensor = self.front_end(samples)
        return values


class Modulation(nn.Module):
    """Log modulation energy of log-mel bands [b, n_mels, t] → [b, 80]; see `features.modulation`.

    Averages over neighbouring bands and rates are products with small matrices.

    Args:
        n_mels: bands, a multiple of `GROUPS`.
    """

    rates: Tensor
    groups: Tensor
    pool: Tensor

    def __init__(self, n_mels: int) -> None:
        super().__init__()
        rates = torch.from_numpy(modulation_rates())
        groups = torch.eye(GROUPS).repeat_interleave(n_mels // GROUPS, dim=1) * (GROUPS / n_mels)
        pool = torch.eye(len(rates) // RATES_PER_BAND).repeat_interleave(RATES_PER_BAND, dim=0) / RATES_PER_BAND
        self.register_buffer("rates", 2 * torch.pi * FRAME_SECONDS * rates, persistent=False)
        self.register_buffer("groups", groups, persistent=False)
        self.register_buffer("pool", torch.cat([pool, pool]), persistent=False)

    def forward(self, bands: Tensor) -> Tensor:
        """Compute the energies [b, 80]."""
        tracks = self.groups @ bands
        count = bands.shape[2]
        phase = torch.arange(count, dtype=bands.dtype, device=bands.device).unsqueeze(1) * self.rates
        waves = torch.cat([torch.cos(phase), torch.sin(phase)], dim=1)
        spectrum = (tracks - tracks.mean(2, keepdim=True)) @ waves
        energy = (spectrum * spectrum) @ self.pool / count
        return torch.log(energy.transpose(1, 2).flatten(1) + FLOOR)


def shape_statistics(tracks: Tensor) -> Tensor:
    """Compute mean, deviation and percentiles [b, k, 7] of tracks [b, k, t]."""
    mean = tracks.mean(2, keepdim=True)
    centred = tracks - mean
    deviation = (centred * centred).mean(2, keepdim=True).sqrt()
    last = torch.zeros_like(mean) + (tracks.shape[2] - 1)
    return torch.cat([mean, deviation, _percentiles(tracks, last)], dim=2)


def slopes(tracks: Tensor) -> Tensor:
    """Compute the rise [b, k] of the least-squares line through tracks [b, k, t], from first to last frame."""
    time = _centred_time(tracks)
    return (tracks @ time) / (time * time).sum()


def pitch_statistics(pitch: Tensor, voiced: Tensor) -> Tensor:
    """Compute the pitch functionals [b, 15] of semitones [b, t] over the frames where voiced [b, t] is 1."""
    change, both = pitch[:, 1:] - pitch[:, :-1], _neighbours(voiced)
    # one more step, which is masked, so that both tracks are sorted together
    tracks = torch.stack([pitch, functional.pad(change, (0, 1))], dim=1)
    mask = torch.stack([voiced, functional.pad(both, (0, 1))], dim=1)
    count = mask.sum(2, keepdim=True)
    some = count.clamp(min=1)
    mean = (tracks * mask).sum(2, keepdim=True) / some
    centred = (tracks - mean) * mask
    deviation = ((centred * centred).sum(2, keepdim=True) / some).sqrt()
    percentiles = _percentiles(torch.where(mask > 0, tracks, LARGE), some - 1)
    rise = _masked_rise(centred[:, 0], voiced, some[:, 0])
    silence = [[UNVOICED_PITCH, 0.0, *[UNVOICED_PITCH] * len(PERCENTS)], [0.0] * len(SHAPE_NAMES)]
    enough = count >= MIN_FRAMES
    shape = torch.where(enough, torch.cat([mean, deviation, percentiles], dim=2), pitch.new_tensor(silence))
    return torch.cat([shape[:, 0], torch.where(enough[:, 0], rise, 0.0), shape[:, 1]], dim=1)


def rhythm(level: Tensor, voiced: Tensor, *, median: Tensor) -> Tensor:
    """Compute pauses, voicing and peak rate [b, 7]; see `features.rhythm`.

    Args:
        level: [b, t] in dB.
        voiced: [b, t2], 0 or 1.
        median: [b], of `level`.
    """
    silent = (level < level.amax(1, keepdim=True) - PAUSE_DEPTH_DB).to(level.dtype)
    seconds = level.shape[1] * FRAME_SECONDS
    inner = level[:, 1:-1]
    peaks = (inner > level[:, :-2]) & (inner >= level[:, 2:]) & (inner > median.unsqueeze(1))
    n_silent, n_voiced = silent.sum(1), voiced.sum(1)
    # a run is a frame that counts and whose neighbour before it does not
    pauses, stretches = n_silent - _neighbours(silent).sum(1), n_voiced - _neighbours(voiced).sum(1)
    return torch.stack(
        [
            silent.mean(1),
            pauses / seconds,
            n_silent * FRAME_SECONDS / pauses.clamp(min=1),
            voiced.mean(1),
            stretches / seconds,
            n_voiced * PITCH_SECONDS / stretches.clamp(min=1),
            peaks.to(level.dtype).sum(1) / seconds,
        ],
        dim=1,
    )


def _flux(bands: Tensor) -> Tensor:
    """Return the root mean square over the bands [b, n_mels, t] of their change, [b, 1, t - 1]."""
    change = bands[:, :, 1:] - bands[:, :, :-1]
    return (change * change).mean(1, keepdim=True).sqrt()


def _neighbours(mask: Tensor) -> Tensor:
    return mask[:, 1:] * mask[:, :-1]


def _centred_time(tracks: Tensor) -> Tensor:
    # from the shape and not from len(): tracing must not freeze the length
    count = tracks.shape[-1]
    return torch.arange(count, dtype=tracks.dtype, device=tracks.device) / (count - 1) - 0.5


def _percentiles(tracks: Tensor, last: Tensor) -> Tensor:
    """Return percentiles [b, k, 5] of sorted tracks [b, k, t], of which frames up to `last` [b, k, 1] count."""
    ordered = tracks.sort(dim=2).values
    position = last * (tracks.new_tensor(PERCENTS) / 100)
    below = torch.floor(position)
    places = torch.cat([below, torch.minimum(below + 1, last)], dim=2)
    picked = ordered.gather(2, places.long())
    low, high = picked[:, :, : len(PERCENTS)], picked[:, :, len(PERCENTS) :]
    return low + (high - low) * (position - below)


def _masked_rise(centred: Tensor, mask: Tensor, some: Tensor) -> Tensor:
    """Return the rise [b, 1] of a track [b, t] whose masked frames are centred and whose other frames are 0."""
    time = _centred_time(mask)
    time = (time - (time * mask).sum(1, keepdim=True) / some) * mask
    return (time * centred).sum(1, keepdim=True) / (time * time).sum(1, keepdim=True).clamp(min=1e-9)
