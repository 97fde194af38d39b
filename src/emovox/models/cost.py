"""How much a network computes."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from emovox.models.network import Encoder

SECONDS, RATE = 3.0, 16000


def multiply_adds(encoder: Encoder) -> tuple[int, int]:
    """Return the multiply-adds of 3 s in the front end (or frozen half), and in the rest of an encoder.

    Convolutions and matrix products count, those of an LSTM included; the head is small beside them.
    """
    samples = torch.zeros(1, round(SECONDS * RATE))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", UserWarning)  # of flags, on processors of other makers
        # without the fused LSTM of oneDNN, which the counter does not see
        with torch.backends.mkldnn.flags(enabled=False):
            return _counted(encoder.eval(), samples)


def _counted(encoder: Encoder, samples: Tensor) -> tuple[int, int]:
    with FlopCounterMode(display=False) as counter:
        frames = encoder.inputs(samples)
        front_end = counter.get_total_flops() // 2
        encoder.pool(frames)
        return front_end, counter.get_total_flops() // 2 - front_end
