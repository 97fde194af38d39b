"""A network of a few hundred weights, and clips that it can learn: two corpora, one of which lacks a class."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from emovox.corpora.manifest import Clip
from emovox.models.head import Head, HeadConfig
from emovox.models.network import Encoder, Network
from emovox.training.data.examples import Batch, Examples, pad
from emovox.training.data.task import Task
from emovox.training.loop import Learnt
from emovox.training.plan import Loss, Mixup, Optimiser, Plan, SpecAugment, Stopping

CLASSES = ("happy", "sad", "angry")
WIDTH = 5


Values = list[npt.NDArray[np.float32]]


def task() -> Task:
    """24 clips of two corpora and six speakers; "casia" has no angry ones, and another language."""
    labels = [number % 3 if number < 12 else number % 2 for number in range(24)]
    made = tuple(
        Clip(
            corpus="ravdess" if number < 12 else "casia",
            id=f"{number:02d}",
            path=f"{number}.wav",
            speaker=f"s{number // 4}",
            language="en" if number < 12 else "zh",
            native=CLASSES[label],
            label=CLASSES[label],
            duration=1.0,
            sample_rate=16000,
        )
        for number, label in enumerate(labels)
    )
    allowed = np.ones((24, 3), dtype=np.bool_)
    allowed[12:, 2] = False
    return Task(made, CLASSES, np.array(labels), allowed)


def drawn() -> Values:
    """Two views of each clip, of 3 to 9 frames."""
    rng, labels = np.random.default_rng(0), np.repeat(task().labels, 2)
    return [
        (rng.random((3 + row % 7, WIDTH)) - 0.5 + 0.3 * np.eye(3, WIDTH)[label]).astype(np.float32)
        for row, label in enumerate(labels)
    ]


def examples_of(values: Values, task: Task, read: Callable[[int], npt.NDArray[np.float32]] | None = None) -> Examples:
    """Two rows a clip; `read` gives a row instead."""
    reading = read or values.__getitem__
    return Examples(task, np.repeat(np.arange(len(task.clips)), 2), lambda rows: pad([reading(row) for row in rows]))


def clips(read: Callable[[int], npt.NDArray[np.float32]] | None = None) -> Examples:
    """The clips of `task` as examples."""
    return examples_of(drawn(), task(), read)


def batch_of(rows: list[int]) -> Batch:
    return clips().batch(np.array(rows))


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
        super().__init__(8, len(CLASSES), HeadConfig(hidden=6, dropout=0.0))
        self.hidden = nn.Sequential(nn.Linear(8, 6), nn.GELU())

    def forward(self, statistics: Tensor) -> dict[str, Tensor]:
        return self.outputs(statistics)


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
    settings = {"steps": steps, "batch": 8, "learning_rate": 0.02, "average": 0.9, **optimiser}
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
    found = network(batch.inputs, batch.mask)["logits"].masked_fill(~batch.allowed, -torch.inf).argmax(1)
    return float((found == batch.targets.argmax(1)).float().mean())
