"""A head in training as a scorer of statistics, with the scores that the exported model gives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.models.head import Head


class HeadScorer:
    """Scores of a head: temperature, softmax, and the labels of the exported model.

    It is an `emovox.adaptation.rescoring.SplitScorer`; it computes on the device of the head.

    Args:
        head: a fitted one; in eval mode afterwards.
        merge: [classes, labels], 0 or 1: the label of each class.
        temperature: divides the logits, above 0.
    """

    def __init__(self, head: Head, merge: Sequence[Sequence[float]], temperature: float) -> None:
        self._head, self._temperature = head.eval(), temperature
        self._merge = torch.tensor(merge, dtype=torch.float32, device=head.mean.device)
        self._profile = Profile(_array(head.mean), _array(head.scale))

    @property
    def default_profile(self) -> Profile:
        """Mean and scale of the training set, each of shape [p]."""
        return self._profile

    def scores(self, statistics: Samples, profiles: Sequence[Profile | None] = ()) -> Samples:
        """Return the probabilities, shape [n, labels], of statistics [n, p] under one profile; default: the own one."""
        return self.finish(self.hidden(statistics, next(iter(profiles), None)))

    def hidden(self, statistics: Samples, profile: Profile | None = None) -> Samples:
        """Return the values of the first affine map, shape [n, h], of statistics [n, p] under a profile."""
        used = self._profile if profile is None else profile
        with torch.inference_mode():
            return _array(self._head.hidden[:2](self._tensor((statistics - used.mean) / used.scale)))

    def finish(self, hidden: Samples) -> Samples:
        """Return the probabilities, shape [n, labels], of values of the first affine map [n, h]."""
        with torch.inference_mode():
            logits = self._head.classify(self._head.hidden[2:](self._tensor(hidden)))
            scores = torch.softmax(logits / self._temperature, dim=1) @ self._merge
            return _array(scores / scores.sum(dim=1, keepdim=True))

    def _tensor(self, values: Samples) -> Tensor:
        return torch.from_numpy(values).to(self._merge.device)


def _array(values: Tensor) -> Samples:
    array: Samples = values.detach().cpu().numpy()
    return array
