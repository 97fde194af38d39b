"""Interface of all networks (docs/architecture.md): waveform in; scores, embedding and statistics out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from emovox.models.head import BaseHead, Head


class NetworkOutputs(NamedTuple):
    """Outputs of an exported network.

    Attributes:
        scores: [b, labels] probabilities.
        embedding: [b, d], input of the last layer.
        statistics: [b, p], pooled over time.
    """

    scores: Tensor
    embedding: Tensor
    statistics: Tensor


class Encoder(nn.Module, ABC):
    """Encoder from the waveform to statistics over time, in two halves.

    `inputs` is the half that does not learn: front ends and frozen blocks. Its output is computed once for every clip
    and cached on disk. `pool` is the half that learns. It reduces the frames to one vector per clip.

    Attributes:
        n_inputs: width c of a frame of `inputs`.
        n_statistics: width p of the output of `pool`.
        inputs_dtype: precision of `inputs` on disk; half precision unless an encoder needs more.
    """

    n_inputs: int
    n_statistics: int
    inputs_dtype: np.dtype[np.floating] = np.dtype("<f2")

    @property
    def inputs_key(self) -> str:
        """Key of `inputs` in the cache, weights included: equal keys mean equal inputs."""
        raise NotImplementedError(f"{type(self).__name__} has no key for its inputs, so they cannot be kept on disk")

    @abstractmethod
    def inputs(self, samples: Tensor) -> Tensor:
        """Return the frames for `pool`.

        Args:
            samples: [b, n] at 16 kHz, all of one length, 0.3 to 30 seconds.

        Returns:
            Shape [b, t, c].
        """

    @abstractmethod
    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the statistics.

        Args:
            inputs: [b, t, c].
            mask: [b, t], true on the frames of a clip, false on the padding after them, which changes nothing.

        Returns:
            Shape [b, p].
        """

    def trim(self) -> None:
        """Remove what the statistics do not need; after training, when `inputs` is no longer used."""

    def depths(self) -> list[list[nn.Parameter]]:
        """Return the parameters that learn, in groups from input to output, for learning rates by depth."""
        return [[parameter for parameter in self.parameters() if parameter.requires_grad]]

    @property
    def learns(self) -> bool:
        """Return whether any parameter learns."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def forward(self, samples: Tensor) -> Tensor:
        """Return the statistics of samples [b, n], shape [b, p]."""
        return self.pool(self.inputs(samples))


class BaseNetwork(nn.Module):
    """Encoder and head, for any way of fitting."""

    def __init__(self, encoder: Encoder, head: BaseHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head


class Network(BaseNetwork):
    """Encoder and head in training: frames in, and named outputs out, from which objectives choose.

    Shape:
        - Input: inputs [b, t, c] of `Encoder.inputs`, mask [b, t].
        - Output: "statistics" [b, p], "embedding" [b, hidden], "logits" [b, classes].
    """

    head: Head

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__(encoder, head)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Return the outputs, one row per clip."""
        statistics = self.encoder.pool(inputs, mask)
        return {"statistics": statistics, **self.head(statistics)}


class Recogniser(nn.Module):
    """Fitted network for export: from the waveform to calibrated probabilities.

    Args:
        network: fitted encoder and head; `head.mean` and `head.scale` are the defaults of the speaker's.
        merge: [classes, labels], 0 or 1: the label of each class (`schema.labels.merge_matrix`).
        temperature: divides the logits, above 0.

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
        """Mean of the training set, shape [p]."""
        return self.head.mean

    @property
    def scale(self) -> Tensor:
        """Scale of the training set, shape [p]."""
        return self.head.scale

    def forward(
        self, samples: Tensor, speaker_mean: Tensor | None = None, speaker_scale: Tensor | None = None
    ) -> NetworkOutputs:
        """Score samples [b, n], one row per clip."""
        statistics = self.encoder(samples)
        embedding = self.head.embed(statistics, speaker_mean, speaker_scale)
        scores = torch.softmax(self.head.classify(embedding) / self.temperature, dim=1) @ self.merge
        return NetworkOutputs(scores / scores.sum(1, keepdim=True), embedding, statistics)


def count_parameters(module: nn.Module) -> int:
    """Return the number of weights, pretrained ones included; buffers such as filter banks do not count."""
    return sum(parameter.numel() for parameter in module.parameters())
