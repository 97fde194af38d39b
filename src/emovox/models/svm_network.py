"""The fitted baseline as one network: waveform in, calibrated probabilities out (docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from emovox.models.functionals import Functionals
from emovox.models.network import NetworkOutputs
from emovox.models.svm import CLIP, SvmModel
from emovox.schema.labels import merge_matrix


class SvmNetwork(nn.Module):
    """Waveform → functionals → standardise → PCA → RBF machines → temperature → softmax → labels.

    Args:
        model: the fitted baseline.
        labels: output labels in order; training classes beyond them are merged or dropped by the stated table.

    Shape:
        - Input: samples [batch, n] at 16 kHz; speaker_mean, speaker_scale [p], those of the training set by default.
        - Output: `NetworkOutputs`.
    """

    columns: Tensor
    mean: Tensor
    scale: Tensor
    components: Tensor
    support: Tensor
    reach: Tensor
    weights: Tensor
    bias: Tensor
    merge: Tensor

    def __init__(self, model: SvmModel, labels: Sequence[str]) -> None:
        super().__init__()
        self.front_end = Functionals()
        self.gamma, self.temperature = model.gamma, model.temperature
        self.n_statistics = len(model.projection.columns)
        self.register_buffer("columns", torch.from_numpy(model.projection.columns))
        # rounded to half precision, in which the file stores them (12 MB less 6 MB): kernel values move by about 1e-5
        support = model.support.astype(np.float16).astype(np.float64)
        arrays: dict[str, npt.NDArray[np.float64]] = {
            "mean": model.projection.mean,
            "scale": model.projection.scale,
            "components": model.projection.components,
            "support": support.T,
            "reach": -model.gamma * np.square(support).sum(axis=1),
            "weights": model.weights,
            "bias": model.bias,
            "merge": np.array(merge_matrix(model.classes, labels)),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array, np.float32)))

    def forward(
        self, samples: Tensor, speaker_mean: Tensor | None = None, speaker_scale: Tensor | None = None
    ) -> NetworkOutputs:
        """Score a batch of equal lengths."""
        values = self.front_end(samples)
        # nothing to gather where all are used: the graph then has one node less
        statistics = values if self.n_statistics == values.shape[1] else values.index_select(1, self.columns)
        mean = self.mean if speaker_mean is None else speaker_mean
        scale = self.scale if speaker_scale is None else speaker_scale
        embedding = ((statistics - mean) / scale).clamp(-CLIP, CLIP) @ self.components
        # exp(-gamma |x - s|²) with the squares of s folded in: four passes over the support vectors instead of seven
        near = self.reach + (2 * self.gamma * embedding) @ self.support
        kernel = torch.exp((near - self.gamma * embedding.square().sum(1, keepdim=True)).clamp(max=0))
        decisions = kernel @ self.weights + self.bias
        merged = torch.softmax(decisions / self.temperature, dim=1) @ self.merge
        return NetworkOutputs(merged / merged.sum(1, keepdim=True), embedding, statistics)
