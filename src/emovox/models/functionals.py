"""The utterance functionals of `emovox.features.functionals` as a network, for any batch size and length.

Percentiles come from sorting (TopK in ONNX), statistics over voiced frames from masks, so the graph has no loop and no
branch. A test holds every value equal to the Numba side within a named tolerance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emovox.features.functionals import (
    FRAMES,
    LEVEL_FLOOR,
    PITCH,
    PITCH_REFERENCE_HZ,
    UNVOICED_PITCH,
)
from emovox.features.modulation import FLOOR, GROUPS, RATES_PER_BAND, modulation_rates
from emovox.features.rhythm import PAUSE_DEPTH_DB
from emovox.features.statistics import MIN_FRAMES, PERCENTS, SHAPE_NAMES
from emovox.models.front_end.delta import Deltas
from emovox.models.front_end.frames import FrameFrontEnd, FrameTensors

FRAME_SECONDS = FRAMES.hop / FRAMES.sample_rate
PITCH_SECONDS = PITCH.hop / PITCH.sample_rate
LARGE = 1e9
"""Sorts behind every pitch: unvoiced frames come last."""


class Functionals(nn.Module):
    """Waveform → functionals.

    Shape:
        - Input: [batch, n] float32 at 16 kHz, 0.3 to 30 s.
        - Output: [batch, 609] float32, named by `features.functionals.functional_names`.
    """

    rates: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.front_end = FrameFrontEnd(FRAMES)
        self.deltas = Deltas(4, FRAMES.delta_width)
        self.register_buffer("rates", torch.from_numpy(modulation_rates()), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Compute the functionals of each row."""
        frames: FrameTensors = self.front_end(samples)
        level = 20 * torch.log10(frames.rms + LEVEL_FLOOR)
        other = torch.stack([level, frames.zcr, frames.centroid / 1000, frames.rolloff / 1000], dim=1)
        other_delta, _ = self.deltas(other)
        static = torch.cat([frames.mfcc, other.transpose(1, 2)], dim=2)
        moving = torch.cat([frames.delta, frames.delta2, other_delta.transpose(1, 2)], dim=2)
        shape = torch.cat([shape_statistics(static), slopes(static).unsqueeze(2)], dim=2)
        pitch = 12 * torch.log2(frames.f0 / PITCH_REFERENCE_HZ)
        voiced = frames.voiced
        return torch.cat(
            [
                shape.flatten(1),
                shape_statistics(moving).flatten(1),
                shape_statistics(_flux(frames.log_mel)).flatten(1),
                pitch_statistics(pitch, voiced),
                rhythm(level, voiced),
                self.modulation(frames.log_mel),
            ],
            dim=1,
        )

    def modulation(self, bands: Tensor) -> Tensor:
        """Compute log modulation energy [b, 80] of log-mel [b, t, 64]; see `features.modulation`."""
        groups = torch.unflatten(bands, 2, (GROUPS, bands.shape[2] // GROUPS)).mean(3)
        groups = (groups - groups.mean(1, keepdim=True)).transpose(1, 2)
        time = torch.cumsum(torch.ones_like(bands[0, :, :1]), dim=0) - 1
        phase = 2 * torch.pi * FRAME_SECONDS * time * self.rates
        real, imaginary = groups @ torch.cos(phase), groups @ torch.sin(phase)
        power = (real.square() + imaginary.square()) / _count(bands)
        energy = torch.unflatten(power, 2, (len(self.rates) // RATES_PER_BAND, RATES_PER_BAND)).mean(3)
        return torch.log(energy.transpose(1, 2).flatten(1) + FLOOR)


def shape_statistics(tracks: Tensor) -> Tensor:
    """Compute mean, deviation and percentiles [b, k, 7] of tracks [b, t, k]."""
    columns = tracks.transpose(1, 2)
    mean = columns.mean(2, keepdim=True)
    deviation = (columns - mean).square().mean(2, keepdim=True).sqrt()
    ordered = columns.sort(dim=2).values
    last = _count(tracks) - 1
    picked = []
    for percent in PERCENTS:
        position = percent / 100 * last
        below = torch.floor(position)
        above = torch.minimum(below + 1, last)
        share = position - below
        low = ordered.index_select(2, below.long().reshape(1))
        high = ordered.index_select(2, above.long().reshape(1))
        picked.append(low * (1 - share) + high * share)
    return torch.cat([mean, deviation, *picked], dim=2)


def slopes(tracks: Tensor) -> Tensor:
    """Compute the rise [b, k] of the least-squares line through tracks [b, t, k], from first to last frame."""
    time = _centred_time(tracks[:, :, :1])
    return (time * tracks).sum(1) / time.square().sum(1)


def pitch_statistics(pitch: Tensor, voiced: Tensor) -> Tensor:
    """Compute the pitch functionals [b, 15] of semitones [b, t] over the frames where voiced [b, t] is 1."""
    change = pitch[:, 1:] - pitch[:, :-1]
    both = voiced[:, 1:] * voiced[:, :-1]
    shape, moving = _masked_statistics(pitch, voiced), _masked_statistics(change, both)
    silence = torch.tensor([UNVOICED_PITCH, 0.0, *[UNVOICED_PITCH] * (len(SHAPE_NAMES) - 2)])
    enough = voiced.sum(1, keepdim=True) >= MIN_FRAMES
    enough_moving = both.sum(1, keepdim=True) >= MIN_FRAMES
    rise = torch.where(enough, _masked_slope(pitch, voiced), torch.zeros_like(shape[:, :1]))
    return torch.cat(
        [torch.where(enough, shape, silence), rise, torch.where(enough_moving, moving, torch.zeros_like(moving))], dim=1
    )


def rhythm(level: Tensor, voiced: Tensor) -> Tensor:
    """Compute pauses, voicing and peak rate [b, 7] of level [b, t] in dB and voiced [b, t2]; see `features.rhythm`."""
    silent = (level < level.max(1, keepdim=True).values - PAUSE_DEPTH_DB).to(level.dtype)
    seconds = _count(level.unsqueeze(2)) * FRAME_SECONDS
    inner = level[:, 1:-1]
    median = shape_statistics(level.unsqueeze(2))[:, 0, SHAPE_NAMES.index("p50")].unsqueeze(1)
    peaks = (inner > level[:, :-2]) & (inner >= level[:, 2:]) & (inner > median)
    pauses, stretches = _runs(silent), _runs(voiced)
    return torch.stack(
        [
            silent.mean(1),
            pauses / seconds,
            silent.sum(1) * FRAME_SECONDS / pauses.clamp(min=1),
            voiced.mean(1),
            stretches / seconds,
            voiced.sum(1) * PITCH_SECONDS / stretches.clamp(min=1),
            peaks.to(level.dtype).sum(1) / seconds,
        ],
        dim=1,
    )


def _flux(bands: Tensor) -> Tensor:
    return (bands[:, 1:] - bands[:, :-1]).square().mean(2, keepdim=True).sqrt()


def _runs(mask: Tensor) -> Tensor:
    return mask[:, 0] + (mask[:, 1:] * (1 - mask[:, :-1])).sum(1)


def _count(tracks: Tensor) -> Tensor:
    # a tensor, not a Python number: tracing must not freeze the length
    return torch.ones_like(tracks[0, :, 0]).sum()


def _centred_time(track: Tensor) -> Tensor:
    time = torch.cumsum(torch.ones_like(track), dim=1) - 1
    last = time[:, -1:]
    return time / last - 0.5


def _masked_statistics(track: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum(1, keepdim=True)
    some = count.clamp(min=1)
    mean = (track * mask).sum(1, keepdim=True) / some
    deviation = (((track - mean) * mask).square().sum(1, keepdim=True) / some).sqrt()
    ordered = torch.where(mask > 0, track, torch.full_like(track, LARGE)).sort(dim=1).values
    picked = []
    for percent in PERCENTS:
        position = percent / 100 * (some - 1)
        below = torch.floor(position)
        above = torch.minimum(below + 1, some - 1)
        share = position - below
        low, high = ordered.gather(1, below.long()), ordered.gather(1, above.long())
        picked.append(low * (1 - share) + high * share)
    return torch.cat([mean, deviation, *picked], dim=1)


def _masked_slope(track: Tensor, mask: Tensor) -> Tensor:
    some = mask.sum(1, keepdim=True).clamp(min=1)
    time = _centred_time(track)
    time = (time - (time * mask).sum(1, keepdim=True) / some) * mask
    mean = (track * mask).sum(1, keepdim=True) / some
    return (time * (track - mean)).sum(1, keepdim=True) / time.square().sum(1, keepdim=True).clamp(min=1e-9)
