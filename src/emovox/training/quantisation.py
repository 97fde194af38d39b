"""Quantisation-aware training: an encoder learns to give the float network's outputs when it computes in INT8.

The network is its own teacher, so no label is needed. It hears tiles of training clips. Statistics stay close to those
of the float network, and so do the probabilities; the head stays as it is. So profiles of voices work as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.models.network import Encoder, Network
from emovox.models.quantised_encoder import LearntRanges, from_tensors, learnt_encoder, prepare, to_tensors
from emovox.models.trained import TrainedModel, weights_hash
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.schema.errors import TrainingError, WeightsError
from emovox.schema.files import write_whole
from emovox.training.data.examples import Batch, Examples
from emovox.training.data.task import Indices, Task
from emovox.training.log import Report
from emovox.training.loop import learn
from emovox.training.objectives import Outputs, Weighted
from emovox.training.quantise_plan import SHORTEST, Quantise

CALIBRATE = 60
"""Number of tiles that give the first ranges."""

LEAST = 8
"""Tiles, at least: the ranges of fewer are those of a few voices."""

RANGES, SOURCE = "ranges.safetensors", "source.txt"
"""Names of the files of the ranges, and of the hash of the network that the copy was made from."""


@dataclass(frozen=True, eq=False)
class QuantisedNetwork:
    """A network after quantisation-aware training.

    Attributes:
        network: its weights lie on the levels of INT8; it computes in float.
        ranges: by the path of a product in the encoder.
    """

    network: Network
    ranges: dict[str, LearntRanges]


def learn_quantisation(
    task: Task,
    network: Network,
    clips: Indices,
    quantise: Quantise,
    *,
    seed: int,
    folder: Path,
    key: str,
    report: Report | None = None,
) -> QuantisedNetwork:
    """Train a copy of a network for INT8; a run that was stopped continues from its checkpoint.

    Args:
        task: the clips.
        network: a trained one; it stays as it is.
        clips: numbers of its training clips.
        quantise: steps and learning rate.
        seed: of the draw and of the loop.
        folder: for checkpoint and log.
        key: of recipe and clips; a checkpoint with another key is refused.
        report: called with the progress.

    Raises:
        ModelError: the encoder has nothing to quantise.
        TrainingError: the clips hold too little speech, or the loss is no longer finite.
        CheckpointError: the folder holds the checkpoint of another recipe.
    """
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(clips)[: quantise.clips])
    owner, tiles = _tiles(task, drawn)
    encoder = deepcopy(network.encoder)
    first = rng.permutation(len(tiles))[:CALIBRATE]
    prepare(encoder, [torch.from_numpy(tiles[i]) for i in first])
    student = _Student(encoder, network)
    objectives: tuple[Weighted, ...] = ((1.0, _distance), (quantise.scores, _divergence))
    examples = Examples(task, owner, lambda rows: _together([tiles[row] for row in rows]))
    learn(student, examples, quantise.plan, seed=seed, folder=folder, key=key, objectives=objectives, report=report)
    made = deepcopy(network).eval()
    ranges = learnt_encoder(encoder.cpu().eval(), made.encoder)
    return QuantisedNetwork(made, ranges)


def save_quantised(made: QuantisedNetwork, model: TrainedModel, folder: Path, *, source: Path) -> TrainedModel:
    """Write a network for INT8, made from a trained one, as a `TrainedModel` with its ranges beside it; return it.

    Args:
        made: the network and its ranges.
        model: the trained one.
        folder: for the files.
        source: folder of the trained one; its hash is kept.

    Raises:
        ConfigError: a file cannot be written.
    """
    from safetensors.torch import save

    model = TrainedModel(made.network, model.card, model.adaptation, model.speech)
    model.save(folder)
    write_whole(folder / RANGES, save(to_tensors(made.ranges)))
    write_whole(folder / SOURCE, weights_hash(source).encode())
    return model


def is_made_from(folder: Path, source: Path) -> bool:
    """Return whether `save_quantised` made a folder from the trained network that is in `source` now."""
    try:
        return (folder / SOURCE).read_text(encoding="utf-8") == weights_hash(source)
    except OSError:
        return False


def load_quantised(folder: Path) -> tuple[TrainedModel, dict[str, LearntRanges]]:
    """Read what `save_quantised` wrote.

    Raises:
        WeightsError: a file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    model, path = TrainedModel.load(folder), folder / RANGES
    try:
        return model, from_tensors(load(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); remove {folder} and train again") from error


def _tiles(task: Task, clips: Sequence[int] | Indices) -> tuple[Indices, list[Samples]]:
    """Return the clip and the samples [n] of each tile."""
    owner, tiles = [], []
    for clip in clips:
        audio, rate = load_audio(task.clips[clip].path)
        found = [tile.samples for tile in cut_tiles([audio[0]], SegmenterConfig(sample_rate=rate))]
        found = [np.ascontiguousarray(one, np.float32) for one in found if len(one) >= SHORTEST * rate]
        owner += [int(clip)] * len(found)
        tiles += found
    if len(tiles) < LEAST:
        raise TrainingError(
            f"quantise: got {len(tiles)} tiles of speech in {len(clips)} clips, expected at least {LEAST}; give more "
            "recordings, or raise quantise.clips"
        )
    return np.array(owner, np.int64), tiles


def _together(tiles: Sequence[Samples]) -> tuple[Tensor, Tensor]:
    """Return tiles as [b, n, 1], the shorter ones repeated up to the longest, and mask [b, n]."""
    length = max(len(tile) for tile in tiles)
    samples = torch.from_numpy(np.stack([np.resize(tile, length) for tile in tiles]))[:, :, None]
    return samples, torch.ones(samples.shape[:2], dtype=torch.bool)


class _Listener(Encoder):
    """A prepared encoder that takes samples [b, n, 1] as its inputs."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.n_inputs, self.n_statistics = 1, encoder.n_statistics

    def inputs(self, samples: Tensor) -> Tensor:
        """Return samples [b, n] as frames [b, n, 1]."""
        return samples[:, :, None]

    def pool(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:  # noqa: ARG002  # all of one length
        """Return the statistics [b, p] of samples [b, n, 1]."""
        statistics: Tensor = self.encoder(inputs[:, :, 0])
        return statistics


class _Student(Network):
    """The network that learns, beside the float one that it copies."""

    def __init__(self, prepared: Encoder, network: Network) -> None:
        super().__init__(_Listener(prepared), deepcopy(network.head).requires_grad_(False))
        self.true = deepcopy(network.encoder).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002  # always in eval mode
        """Stay in eval mode: no dropout, and fixed statistics of normalisation."""
        return super().train(False)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Return the difference of the statistics, in deviations, and the logits of both networks."""
        with torch.no_grad():
            true = self.true(inputs[:, :, 0])
            target = self.head.classify(self.head.embed(true))
        statistics = self.encoder.pool(inputs, mask)
        logits = self.head.classify(self.head.embed(statistics))
        return {"difference": (statistics - true) / self.head.scale, "logits": logits, "target": target}


def _distance(outputs: Outputs, batch: Batch) -> Tensor:  # noqa: ARG001  # an objective
    """Compute the mean square of the difference of the statistics, [b]."""
    return outputs["difference"].float().square().mean(1)


def _divergence(outputs: Outputs, batch: Batch) -> Tensor:  # noqa: ARG001  # an objective
    """Compute the Kullback-Leibler divergence of the probabilities from those of the float network, [b]."""
    logits, target = (outputs[name].float().log_softmax(1) for name in ("logits", "target"))
    return nn.functional.kl_div(logits, target, reduction="none", log_target=True).sum(1)
