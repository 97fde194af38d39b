"""The one interface of all networks (docs/architecture.md): waveform in; scores, embedding and statistics out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from emovox.models.head import BaseHead, Head


class NetworkOutputs(NamedTuple):
    """What every exported network gives.

    scores [b, labels] probabilities; embedding [b, d] what the last affine map sees; statistics [b, p] over time.
    """

    scores: Tensor
    embedding: Tensor
    statistics: Tensor


class Encoder(nn.Module, ABC):
    """From the waveform to statistics over time, in two halves.

    `inputs` is the half that never learns: front ends and frozen blocks. What it gives is computed once for every clip
    and kept on disk. `pool` is the half that learns, and reduces the frames to one vector a clip.

    Attributes:
        n_inputs: c, width of a frame that `inputs` gives.
        n_statistics: p, width of what `pool` gives.
        inputs_dtype: precision in which `inputs` are kept on disk; half unless an encoder needs more.
    """

    n_inputs: int
    n_statistics: int
    inputs_dtype: np.dtype[np.floating] = np.dtype("<f2")

    @property
    def inputs_key(self) -> str:
        """Name what `inputs` computes, weights included: equal keys, equal inputs."""
        raise NotImplementedError(f"{type(self).__name__} names no inputs that could be kept on disk")

    @abstractmethod
    def inputs(self, samples: Tensor) -> Tensor:
        """[b, n] at 16 kHz, all of one length, 0.3 to 30 s → [b, t, c]."""

    @abstractmethod
    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """[b, t, c] → [b, p]; `mask` [b, t] is true on a clip's own frames, and what follows them changes nothing."""

    def trim(self) -> None:
        """Take off what the statistics do not need, once learning is over and `inputs` are no longer wanted."""

    def depths(self) -> list[list[nn.Parameter]]:
        """Return the parameters that learn, in groups from input to output, for rates that differ by depth."""
        return [[parameter for parameter in self.parameters() if parameter.requires_grad]]

    @property
    def learns(self) -> bool:
        """Whether anything of it does."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def forward(self, samples: Tensor) -> Tensor:
        """[b, n] → [b, p]."""
        return self.pool(self.inputs(samples))


class BaseNetwork(nn.Module):
    """Encoder and head, whatever they are fitted by."""

    def __init__(self, encoder: Encoder, head: BaseHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head


class Network(BaseNetwork):
    """Encoder and head, as they learn: frames in, named outputs out, for objectives to choose from.

    Shape:
        - Input: inputs [b, t, c] of `Encoder.inputs`, mask [b, t].
        - Output: "statistics" [b, p], "embedding" [b, hidden], "logits" [b, classes].
    """

    head: Head

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__(encoder, head)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the outputs."""
        statistics = self.encoder.pool(inputs, mask)
        return {"statistics": statistics, **self.head(statistics)}


class Recogniser(nn.Module):
    """A finished network as it is exported: waveform → calibrated probabilities.

    Args:
        network: fitted; its buffers `head.mean` and `head.scale` are the defaults of the speaker's.
        merge: [classes, labels], 0 or 1: which class counts for which label (`schema.labels.merge_matrix`).
        temperature: divides the logits.

    Shape:
        - Input: samples [b, n] at 16 kHz; speaker_mean, speaker_scale [p], those of the training set by default.
        - Output: `NetworkOutputs`.
    """

    merge: Tensor

    def __init__(self, network: BaseNetwork, merge: Sequence[Sequence[float]], temperature: float) -> None:
        super().__init__()
        self.encoder, self.head, self.temperature = network.encoder, network.head, temperature
        self.register_buffer("merge", torch.tensor(merge, dtype=torch.float32))

    @property
    def mean(self) -> Tensor:
        """[p], of the training set."""
        return self.head.mean

    @property
    def scale(self) -> Tensor:
        """[p], of the training set."""
        return self.head.scale

    def forward(
        self, samples: Tensor, speaker_mean: Tensor | None = None, speaker_scale: Tensor | None = None
    ) -> NetworkOutputs:
        """Score a batch of equal lengths."""
        statistics = self.encoder(samples)
        embedding = self.head.embed(statistics, speaker_mean, speaker_scale)
        scores = torch.softmax(self.head.classify(embedding) / self.temperature, dim=1) @ self.merge
        return NetworkOutputs(scores / scores.sum(1, keepdim=True), embedding, statistics)


def count_parameters(module: nn.Module) -> int:
    """Count the weights, learnt here or before; buffers such as filter banks follow from a formula."""
    return sum(parameter.numel() for parameter in module.parameters())
