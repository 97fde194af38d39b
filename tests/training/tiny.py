"""A network of a few hundred weights, and clips that it can learn: two corpora, one of which lacks a class."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from emovox.models.head import Head, HeadConfig
from emovox.models.network import Encoder, Network
from emovox.training.data.batch import Batch, Lesson, collate
from emovox.training.loop import Learnt
from emovox.training.plan import Loss, Mixup, Optimiser, Plan, SpecAugment, Stopping

CLASSES = ("happy", "sad", "angry")
WIDTH = 5


@dataclass(frozen=True, eq=False)
class Clips:
    """24 clips in two views of 3 to 9 frames; "casia" has no angry ones."""

    inputs: list[npt.NDArray[np.float32]]
    labels: npt.NDArray[np.int64]
    allowed: npt.NDArray[np.bool_]
    owner: npt.NDArray[np.int64]
    group: npt.NDArray[np.str_]
    classes: tuple[str, ...] = CLASSES
    lesson: Lesson | None = None

    def values(self, row: int) -> npt.NDArray[np.float32]:
        return self.inputs[row]

    def name(self, row: int) -> str:
        return f"{self.group[row]} {self.owner[row]:02d}"


def clips() -> Clips:
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(24), 2)
    group = np.where(owner < 12, "ravdess", "casia")
    labels = np.where(owner < 12, owner % 3, owner % 2)
    allowed = np.ones((48, 3), dtype=np.bool_)
    allowed[group == "casia", 2] = False
    inputs = [
        (rng.random((3 + row % 7, WIDTH)) - 0.5 + 0.3 * np.eye(3, WIDTH)[label]).astype(np.float32)
        for row, label in enumerate(labels)
    ]
    return Clips(inputs, labels, allowed, owner, group)


def batch_of(rows: list[int]) -> Batch:
    return collate(clips(), rows)


class TinyEncoder(Encoder):
    """Two maps of every frame, and the mean over a clip's own frames."""

    n_inputs, n_statistics = WIDTH, 8

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.upper = nn.Linear(WIDTH, 8), nn.Linear(8, 8)

    def inputs(self, samples: Tensor) -> Tensor:
        """Frames of as many samples as there are channels."""
        return samples[:, : samples.shape[1] // WIDTH * WIDTH].reshape(len(samples), -1, WIDTH)

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        frames = torch.tanh(self.upper(torch.tanh(self.lower(inputs))))
        own = torch.ones(inputs.shape[:2]) if mask is None else mask.float()
        pooled: Tensor = (frames * own[:, :, None]).sum(1) / own.sum(1, keepdim=True)
        return pooled

    def depths(self) -> list[list[nn.Parameter]]:
        return [list(self.lower.parameters()), list(self.upper.parameters())]


class PlainHead(Head):
    """Neither batch normalisation nor dropout: rows know nothing of each other."""

    def __init__(self) -> None:
        super().__init__(8, len(CLASSES), HeadConfig(hidden=6))
        self.hidden = nn.Sequential(nn.Linear(8, 6), nn.GELU())

    def forward(self, statistics: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.hidden(statistics))
        return logits


def network(*, plain: bool = False) -> Network:
    """The same weights on every machine; plain: see `PlainHead`."""
    head = PlainHead() if plain else Head(8, len(CLASSES), HeadConfig(hidden=6, dropout_in=0.2, dropout=0.3))
    made = Network(TinyEncoder(), head)
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            count = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_(0.5 * torch.sin(1.7 * count + number).reshape(parameter.shape))
    return made


def small_plan(steps: int = 12, **optimiser: object) -> Plan:
    settings = {"steps": steps, "batch": 8, "rate": 0.02, "average": 0.9, **optimiser}
    return Plan(optimiser=Optimiser(**settings), checkpoint_seconds=0.0)  # type: ignore[arg-type]


def whole_plan() -> Plan:
    """12 steps with everything random switched on."""
    return msgspec.structs.replace(
        small_plan(),
        loss=Loss(gamma=1.0, alpha={"sad": 2.0}, smoothing=0.1),
        mixup=Mixup(probability=0.5),
        crop=6,
        spec_augment=SpecAugment(probability=0.5, time=0.3, channels=0.3),
        stopping=Stopping(every=3, patience=9),
    )


def losses(learnt: Learnt) -> list[float]:
    return [row.loss for row in learnt.history]


def share_right(network: Network) -> float:
    """What `validate` is in these tests: the share of clips that are recognised."""
    batch = batch_of(list(range(48)))
    found = network(batch.inputs, batch.mask).masked_fill(~batch.allowed, -torch.inf).argmax(1)
    return float((found == batch.targets.argmax(1)).float().mean())
