"""Distillation: a student learns from the outputs of a teacher."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from torch import Tensor, nn

from emovox.models.head import Head
from emovox.models.network import BaseNetwork, Encoder, Network
from emovox.models.scores import softmax
from emovox.training.cache import load_arrays, save_arrays
from emovox.training.data.examples import DistillationTargets
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import measure, pooled
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import clip_means
from emovox.training.stages.head import embeddings, logits

TARGETS = "targets.npz"
"""File of the outputs of a teacher, in its folder."""


def distillation_targets(
    task: Task,
    inputs: Inputs,
    clips: Indices,
    network: BaseNetwork,
    *,
    share: float,
    temperature: float,
    unlabelled: Indices | None = None,
) -> DistillationTargets:
    """Return targets and embeddings of unchanged clips by a teacher; changed copies have those of their clip.

    Args:
        task: all clips.
        inputs: of the teacher.
        clips: [n] numbers of the clips that it scores; all others get zeros.
        network: the teacher, trained.
        share: of the target that comes from the teacher's scores, in [0, 1]; the rest is the label.
        temperature: divides the teacher's logits, > 0.
        unlabelled: those of `clips` whose target comes from the scores alone.

    Returns:
        Targets on the classes of the clip's corpus, and embeddings. The embeddings are centred in each dimension and
        divided by one number, so that their mean variance is 1. A clip without speech has its label, and zeros.
    """
    tiles = inputs.select(clips)
    voiced = np.unique(inputs.owner[tiles])  # clips in which no speech was found have no tile
    statistics = pooled(network.encoder, inputs, tiles)
    owner, seconds, total = inputs.owner[tiles], inputs.seconds[tiles], len(task.clips)
    means = clip_means(logits(network.head, statistics), owner, seconds, total)
    targets = np.zeros_like(means, dtype=np.float32)
    targets[clips, task.labels[clips]] = 1
    shares = np.full((total, 1), share, np.float32)
    if unlabelled is not None:
        shares[unlabelled] = 1
    targets[voiced] *= 1 - shares[voiced]
    targets[voiced] += shares[voiced] * softmax(means[voiced] / temperature, task.allowed[voiced])
    found = clip_means(embeddings(network.head, statistics), owner, seconds, total)[voiced].astype(np.float32)
    scale = measure(found)
    hints = np.zeros((total, found.shape[1]), np.float32)
    hints[voiced] = (found - scale.mean) / np.sqrt(np.square(scale.deviation).mean())
    return DistillationTargets(targets, hints)


def write_targets(path: Path, targets: DistillationTargets, *, key: str) -> None:
    """Write the outputs of a teacher; `key` identifies the teacher, its clips, and how targets are made of scores.

    Raises:
        ConfigError: the file cannot be written.
    """
    save_arrays(path, targets=targets.targets, hints=targets.hints, key=np.array(key))


def read_targets(path: Path, *, key: str) -> DistillationTargets | None:
    """Return what `write_targets` wrote; None if there is no such file, or one that is damaged or has another key."""
    try:
        found = load_arrays(path)
        return DistillationTargets(found["targets"], found["hints"]) if str(found["key"]) == key else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        return None


class Student(Network):
    """A network that in training also predicts its teacher's embedding, by a linear map of its statistics.

    Shape:
        - Input: inputs [b, t, c], mask [b, t].
        - Output: that of `Network`, and in training "hints" [b, d].

    Reference:
        Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, equation 3.
    """

    def __init__(self, encoder: Encoder, head: Head, n_hints: int) -> None:
        super().__init__(encoder, head)
        self.guess = nn.Sequential(
            nn.BatchNorm1d(encoder.n_statistics, affine=False), nn.Linear(encoder.n_statistics, n_hints)
        )

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the outputs."""
        outputs = super().forward(inputs, mask)
        return {**outputs, "hints": self.guess(outputs["statistics"])} if self.training else outputs
