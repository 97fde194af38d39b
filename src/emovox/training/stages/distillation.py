"""A small network learns from a larger one: what the teacher says of clips, and the student that listens."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from emovox.models.head import Head
from emovox.models.network import Encoder, Network
from emovox.models.scores import softmax
from emovox.training.data.batch import Lesson
from emovox.training.data.inputs import Inputs
from emovox.training.data.statistics import measure, pooled
from emovox.training.data.task import Indices, Task
from emovox.training.held_out import clip_means
from emovox.training.stages.head import embeddings, logits


def make_lesson(
    task: Task, inputs: Inputs, clips: Indices, network: Network, *, share: float, temperature: float
) -> Lesson:
    """Ask a network that has learnt about clips, as they are; their changed copies are to be heard alike.

    Args:
        task: all clips.
        inputs: the teacher's.
        clips: [n] those that it is asked about; of others there is nothing but zeros.
        network: the teacher.
        share: of the target that its scores take from the label.
        temperature: divides its logits.

    Returns:
        Targets, all on the classes of the clip's corpus, and embeddings, moved and divided as a whole so that their
        values have mean 0 in each place and variance 1 over all. A clip without speech has its label and zeros.
    """
    tiles = inputs.select(clips)
    heard = np.unique(inputs.owner[tiles])  # clips in which no speech was found have no tile
    statistics = pooled(network.encoder, inputs, tiles)
    owner, seconds, total = inputs.owner[tiles], inputs.seconds[tiles], len(task.clips)
    means = clip_means(logits(network.head, statistics), owner, seconds, total)
    targets = np.zeros_like(means, dtype=np.float32)
    targets[clips, task.labels[clips]] = 1
    targets[heard] *= 1 - share
    targets[heard] += share * softmax(means[heard] / temperature, task.allowed[heard])
    found = clip_means(embeddings(network.head, statistics), owner, seconds, total)[heard].astype(np.float32)
    scale = measure(found)
    hints = np.zeros((total, found.shape[1]), np.float32)
    hints[heard] = (found - scale.mean) / np.sqrt(np.square(scale.deviation).mean())
    return Lesson(targets, hints)


class Student(Network):
    """A network that also says, while it learns, what its teacher's embedding would be: a linear map of its statistics.

    Shape:
        - Input: inputs [b, t, c], mask [b, t].
        - Output: logits and hints [b, classes + d] while it learns, then logits [b, classes].

    Reference:
        Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, equation 3.
    """

    def __init__(self, encoder: Encoder, head: Head, n_hints: int) -> None:
        super().__init__(encoder, head)
        self.guess = nn.Sequential(
            nn.BatchNorm1d(encoder.n_statistics, affine=False), nn.Linear(encoder.n_statistics, n_hints)
        )

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute both, or the logits alone."""
        statistics = self.encoder.pool(inputs, mask)
        logits: Tensor = self.head(statistics)
        return torch.cat([logits, self.guess(statistics)], dim=1) if self.training else logits
