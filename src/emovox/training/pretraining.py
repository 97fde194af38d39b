"""Pretraining: an encoder learns to tell speakers apart; recipes of networks start from its weights.

It runs once, on corpora that no fold tests. `emovox.training.stages.start` puts the weights into each fold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec.structs import replace

from emovox.augment.config import Augment
from emovox.corpora.folds import speaker_key
from emovox.corpora.manifest import Clip
from emovox.corpora.provenance import card_corpora
from emovox.corpora.voxceleb import hold_out_videos
from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.head import Head, HeadConfig
from emovox.models.network import Network
from emovox.models.scores import softmax
from emovox.schema.errors import RecipeError
from emovox.schema.progress import Progress, no_progress
from emovox.schema.text import some
from emovox.training.data.examples import Examples
from emovox.training.data.inputs import Inputs, recipe_inputs
from emovox.training.data.sampler import derived_seed
from emovox.training.data.statistics import pooled
from emovox.training.data.task import Indices, Task
from emovox.training.data.views import COPY, TILE, WHOLE
from emovox.training.held_out import clip_means
from emovox.training.log import Report
from emovox.training.loop import learn
from emovox.training.network_recipe import learning_problems
from emovox.training.plan import Plan, Stopping
from emovox.training.recipe import Data, Recipe, failed
from emovox.training.run_folder import open_folder
from emovox.training.stages.head import logits
from emovox.training.stages.stage import seeded
from emovox.training.stages.start import Start, encoder_bytes, write_start

VERSIONS = ("emovox", "numpy", "torch", "lightning-fabric", "soundfile", "soxr")

INITIAL, LEARNING = 0, 1
"""Purposes of random numbers: first weights; the training loop."""


class Voices(Data, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clips. They are speaker-dependent by nature: other videos of the same speakers are held out."""

    protocol: Literal["sd"] = "sd"
    view: Literal["own"] = "own"
    target: None = None


class PretrainingRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The recipe of a pretraining: encoder and head learn the speaker of each clip; only the encoder is kept.

    The UAR on held-out videos is measured every `learning.stopping.every` steps. It decides when training stops, and
    which weights are kept.

    Attributes:
        data: the clips; each needs a speaker.
        encoder: its name and sizes.
        head: its sizes and dropout.
        copies: corpus → number of changed copies of its tiles.
        augment: how copies are changed.
        learning: the plan of the training loop.
        held_out: share of the videos of each speaker that is held out, in (0, 1).
    """

    kind: Literal["pretraining"] = "pretraining"
    data: Voices
    encoder: EncoderConfig
    head: HeadConfig = HeadConfig()
    copies: dict[str, int] = {}  # noqa: RUF012  # msgspec copies it for every recipe
    augment: Augment = Augment()
    learning: Plan = Plan()
    held_out: float = 0.1


def pretraining_problems(recipe: PretrainingRecipe) -> list[str]:
    """Return a message for each value out of range in the tables of pretraining."""
    stopping = recipe.learning.stopping
    return [
        *failed(
            {
                f"held_out is {recipe.held_out}, expected more than 0 and less than 1": 0 < recipe.held_out < 1,
                f"conditions are {list(recipe.conditions)}, expected none: nothing is tested": not recipe.conditions,
                f"labels are {list(recipe.labels)}, expected none: the classes are the speakers": not recipe.labels,
                "export is true, expected false: a pretraining keeps an encoder, not a model": not recipe.export,
                f"learning.stopping is {stopping}, expected no share and no least: held_out sets what is held out": (
                    stopping == Stopping(every=stopping.every, patience=stopping.patience)
                ),
                "learning.loss.hint is set, expected 0: a pretraining has no teacher": recipe.learning.loss.hint == 0,
                "learning.adversary is set, expected none for speakers": not recipe.learning.adversary.on,
                "learning.loss.alpha has classes, expected none for speakers": not recipe.learning.loss.alpha,
            }
        ),
        *learning_problems(recipe.head, recipe.copies, recipe.augment, {"learning": recipe.learning}),
    ]


def speaker_task(clips: Sequence[Clip]) -> Task:
    """Return the task of telling speakers apart; dropped clips (without a label) are left out.

    Raises:
        RecipeError: a clip without a speaker, or fewer than two speakers.
    """
    kept = [clip for clip in clips if clip.label is not None]
    unknown = [f"{clip.corpus} {clip.id}" for clip in kept if not clip.speaker]
    if unknown:
        raise RecipeError(
            f"data.corpora has {len(unknown)} clips without a speaker ({some(unknown)}), expected one for each; give "
            "the table a column 'speaker' and index it again, or leave the corpus out"
        )
    names = [speaker_key(clip) for clip in kept]
    classes = sorted(set(names))
    if len(classes) < 2:
        raise RecipeError(f"data.corpora has {len(classes)} speaker(s) ({some(classes)}), expected at least two")
    labelled = tuple(replace(clip, native=name, label=name) for clip, name in zip(kept, names, strict=True))
    labels = np.searchsorted(classes, names)
    # a broadcast view takes no memory; an array would take 9 GB for all of VoxCeleb
    allowed = np.broadcast_to(np.True_, (len(labelled), len(classes)))
    return Task(labelled, tuple(classes), labels, allowed)


@dataclass(frozen=True, eq=False)
class Pretraining:
    """A prepared pretraining: `learnt` and `held` are numbers of clips, of different videos."""

    task: Task
    inputs: Inputs
    recipe: PretrainingRecipe
    learnt: Indices
    held: Indices

    @classmethod
    def prepared(
        cls, task: Task, recipe: PretrainingRecipe, *, folder: Path, workers: int = 2, progress: Progress = no_progress
    ) -> Pretraining:
        """Check the recipe against the clips, then compute the encoder's inputs or read them from the cache.

        Args:
            task: of `speaker_task`.
            recipe: of the pretraining.
            folder: the cache folder.
            workers: processes that compute inputs.
            progress: called after each clip whose inputs were computed.

        Raises:
            RecipeError: no part of the encoder learns, or `copies` names an unknown corpus.
            ProtocolError: no speaker has two clips, so that none can be held out.
            CorpusError: clips that cannot be read or decoded.
        """
        if not build_encoder(recipe.encoder).learns:
            raise RecipeError(f"encoder is {recipe.encoder}, of which nothing learns; expected one with less frozen")
        if unknown := sorted(set(recipe.copies) - set(task.corpora)):
            raise RecipeError(f"copies has {', '.join(unknown)}, expected some of {', '.join(task.corpora)}")
        learnt, held = hold_out_videos(task.clips, share=recipe.held_out, seed=recipe.seed)
        inputs = recipe_inputs(task.clips, recipe, folder=folder, workers=workers, progress=progress)
        return cls(task, inputs, recipe, np.array(learnt), np.array(held))

    def run(self, folder: Path, *, resume: bool = False, report: Report | None = None) -> Start:
        """Train the encoder, and write it into the run folder.

        Args:
            folder: gets what the loop writes, encoder.safetensors and encoder.json.
            resume: continue in a folder that holds the same pretraining; the weights come out the same.
            report: called with the progress.

        Returns:
            The content of encoder.json.

        Raises:
            RecipeError: the folder holds a run of another recipe, or one of this recipe and `resume` is false.
            TrainingError: the loss is no longer finite.
            CheckpointError: the folder's checkpoint was trained on other clips.
        """
        open_folder(folder, self.recipe, VERSIONS, resume=resume)
        network = seeded(self._new_network, derived_seed(self.recipe.seed, INITIAL))
        learn(
            network,
            self._examples(),
            self.recipe.learning,
            seed=derived_seed(self.recipe.seed, LEARNING),
            folder=folder / "learning",
            key=f"{self.recipe.sha256()} {self._fingerprint()}",
            validate=lambda learning: self._measure(learning)[1],
            report=report,
        )
        weights = encoder_bytes(network.encoder)
        about = self._about(network, weights)
        write_start(folder, weights, about)
        return about

    def _new_network(self) -> Network:
        encoder = build_encoder(self.recipe.encoder)
        return Network(encoder, Head(encoder.n_statistics, len(self.task.classes), self.recipe.head)).eval()

    def _examples(self) -> Examples:
        copies = [name for name in np.unique(self.inputs.view) if name.startswith(COPY)]
        rows = self.inputs.select(self.learnt, [TILE, WHOLE, *copies])
        return Examples(self.task, self.inputs.owner[rows], self.inputs.loader(rows))

    def _fingerprint(self) -> str:
        """Return a hash of the clips and their division."""
        clips = self.task.clips
        divided = [[(clips[i].corpus, clips[i].id) for i in part] for part in (self.learnt, self.held)]
        return hashlib.sha256(repr(divided).encode()).hexdigest()

    def _measure(self, network: Network) -> tuple[float, float]:
        """Return accuracy over held-out clips and UAR over speakers, in [0, 1]; clips without speech count as wrong."""
        rows = self.inputs.select(self.held, (TILE,))
        scores = softmax(logits(network.head, pooled(network.encoder, self.inputs, rows)))
        owner, seconds = np.searchsorted(self.held, self.inputs.owner[rows]), self.inputs.seconds[rows]
        means = np.nan_to_num(clip_means(scores, owner, seconds, len(self.held)), nan=-1.0)
        labels = self.task.labels[self.held]
        right = (means.argmax(axis=1) == labels) & (means.max(axis=1) >= 0)
        _, speaker, count = np.unique(labels, return_inverse=True, return_counts=True)
        return float(right.mean()), float((np.bincount(speaker, right) / count).mean())

    def _about(self, network: Network, weights: bytes) -> Start:
        recipe, encoder = self.recipe, network.encoder
        accuracy, uar = (round(100 * value, 1) for value in self._measure(network))
        return Start(
            recipe=recipe.name,
            recipe_sha256=recipe.sha256(),
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            encoder=recipe.encoder,
            inputs_key=encoder.inputs_key,
            corpora=card_corpora(self.task.clips),
            speakers=len(self.task.classes),
            clips=len(self.task.clips),
            held_out_clips=len(self.held),
            accuracy=accuracy,
            uar=uar,
            chance=round(100 / len(self.task.classes), 1),
        )
