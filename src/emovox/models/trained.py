"""Save and load a trained network; every step after training loads these files."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from emovox.adaptation.estimator import Adaptation
from emovox.adaptation.parameters import PREFIX, from_arrays, to_arrays
from emovox.models.encoders import EncoderConfig, empty_encoder, encoder_sizes
from emovox.models.head import Head, HeadConfig
from emovox.models.network import BaseNetwork, Encoder, Network, Recogniser
from emovox.models.speech_map import SpeechMap, pooling_for
from emovox.models.svm import SvmHead, SvmSizes
from emovox.models.whisper import WhisperSizes
from emovox.schema.card import CardCorpus
from emovox.schema.errors import ModelError, WeightsError
from emovox.schema.extras import require
from emovox.schema.files import replacing
from emovox.schema.text import json_document
from emovox.schema.trust import CardFamiliarity

FORMAT = 1
"""Version of the files: it rises when older versions of emovox cannot read them."""

WEIGHTS, ABOUT = "network.safetensors", "network.json"

SPEECH = "speech."
"""Begins the names of the tensors of the map to speech."""

_AGAIN = "copy both files from the same source, or train again"


class NetworkSpeech(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of the map from statistics or frames to speech.

    Attributes:
        threshold: logit below which a tile is not speech.
        kept: share of tiles of speech that reach it, of speakers that were not learnt from, 0 to 1.
        refused: share of the time of other sounds without a label, of kinds that were not learnt from, 0 to 1.
        kinds: kinds of other sounds that it learnt from.
    """

    threshold: float
    kept: float
    refused: float
    kinds: tuple[str, ...]


class NetworkCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of network.json: everything about a trained network but its weights.

    Attributes:
        name: name of the recipe and of the exported files.
        recipe: all keys of the recipe, with defaults.
        recipe_sha256: hash of the recipe.
        encoder: configuration of the encoder.
        classes: classes of the head, in the order of the logits.
        labels: labels of an exported model, in the order of the scores.
        merge: [classes, labels], 0 or 1: the label of each class.
        temperature: divides the logits, above 0.
        adaptable: whether the head takes the statistics of a speaker.
        corpora: training corpora of the weights, pretraining included.
        fold: number of the fold whose test clips are not in training; None if all clips are in training.
        familiarity: how far recordings are from the voices in training; None: not measured.
        speech: of the map that tells speech; None: it was not learnt.
        head: sizes of a `Head`; filled in from the network.
        svm: sizes of an SVM head; filled in from the network.
        sizes: sizes of the pretrained part of a Whisper encoder; filled in from the network.
        weights_sha256: hash of network.safetensors; filled in by `TrainedModel.save`.
        format: version of the files.
    """

    name: str
    recipe: dict[str, Any]
    recipe_sha256: str
    encoder: EncoderConfig
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    merge: tuple[tuple[float, ...], ...]
    temperature: float
    adaptable: bool
    corpora: tuple[CardCorpus, ...]
    fold: int | None = None
    familiarity: CardFamiliarity | None = None
    speech: NetworkSpeech | None = None
    head: HeadConfig = HeadConfig()
    svm: SvmSizes | None = None
    sizes: WhisperSizes | None = None
    weights_sha256: str = ""
    format: int = FORMAT


class TrainedModel:
    """A trained network and its card, in two files of one folder.

    network.safetensors holds all weights, frozen ones and the statistics of normalisation included. So loading needs
    neither the network nor the pretrained weights that the encoder started from.

    Args:
        network: fitted encoder and head.
        card: card of the network.
        adaptation: parameters that adapt it to a voice, with names as in a graph; None: it cannot adapt.
        speech: map to the logit that a tile is speech, which `card.speech` describes; None: it has none.
    """

    def __init__(
        self,
        network: BaseNetwork,
        card: NetworkCard,
        adaptation: Adaptation | None = None,
        speech: SpeechMap | None = None,
    ) -> None:
        self.network, self.adaptation, self.speech = network, adaptation, speech
        sizes = encoder_sizes(network.encoder)
        head = {"svm": network.head.sizes} if isinstance(network.head, SvmHead) else {"head": network.head.config}
        self.card = msgspec.structs.replace(card, sizes=sizes, **head)

    def save(self, folder: Path) -> Path:
        """Write both files; if the process stops meanwhile, `load` rejects a mixture of old and new.

        Args:
            folder: folder of both files; made if it does not exist, and the two files in it are replaced.

        Returns:
            The folder.

        Raises:
            ConfigError: a file cannot be written.
        """
        require("safetensors", need="a trained network", extra="train")
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        if self.adaptation is not None:
            tensors |= {name: torch.from_numpy(array) for name, array in to_arrays(self.adaptation).items()}
        if self.speech is not None:
            tensors |= {f"{SPEECH}{name}": value.contiguous() for name, value in self.speech.state_dict().items()}
        weights = save(tensors)
        card = msgspec.structs.replace(self.card, weights_sha256=hashlib.sha256(weights).hexdigest())
        with replacing(folder / WEIGHTS, make_folder=True) as file, replacing(folder / ABOUT) as about:
            file.write(weights)
            about.write(json_document(card).encode())
        return folder

    @classmethod
    def load(cls, folder: Path) -> TrainedModel:
        """Read what `save` wrote.

        Returns:
            The network on the CPU, in eval mode; its scores are equal to those of the saved one, bit by bit.

        Raises:
            WeightsError: there is no trained network, the format is another, or the files are damaged or do not match.
        """
        card = _read_card(folder / ABOUT)
        weights = _read(folder / WEIGHTS)
        digest = hashlib.sha256(weights).hexdigest()
        if digest != card.weights_sha256:
            raise WeightsError(
                f"{folder / WEIGHTS}: sha256 is {digest[:12]}…, {ABOUT} expects {card.weights_sha256[:12]}…; {_AGAIN}"
            )
        tensors = _tensors(weights, where=folder / WEIGHTS)
        adaptation = _adaptation(tensors, where=folder / WEIGHTS)
        speech = {name: tensors.pop(name) for name in list(tensors) if name.startswith(SPEECH)}
        network = _network(card, tensors, where=folder / WEIGHTS)
        return cls(network, card, adaptation, _speech(card, network.encoder, speech, where=folder / WEIGHTS))

    def recogniser(self) -> Recogniser:
        """Return a copy for export, from the waveform to probabilities, without what the statistics do not need."""
        network = deepcopy(self.network).cpu().eval()
        network.encoder.trim()
        return Recogniser(network, self.card.merge, self.card.temperature)


def weights_hash(folder: Path) -> str:
    """Return the hash of the weights of a trained network, as its card has it.

    Raises:
        WeightsError: there is no trained network, or its card is damaged.
    """
    return _read_card(folder / ABOUT).weights_sha256


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror or error}), expected a folder with {ABOUT} and {WEIGHTS}, "
            "as `emovox train` writes one"
        ) from error


class _Format(msgspec.Struct):
    format: int


def _read_card(path: Path) -> NetworkCard:
    data = _read(path)
    try:
        found = msgspec.json.decode(data, type=_Format).format
        if found != FORMAT:
            raise WeightsError(
                f"{path}: format is {found}, expected {FORMAT}; install a version of emovox that knows it"
            )
        return msgspec.json.decode(data, type=NetworkCard)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WeightsError(f"{path}: not a trained network of format {FORMAT} ({error}); {_AGAIN}") from error


def _tensors(weights: bytes, *, where: Path) -> dict[str, Tensor]:
    require("safetensors", need="a trained network", extra="train")
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(weights)
    except SafetensorError as error:
        raise WeightsError(f"{where}: not a safetensors file ({error}); {_AGAIN}") from error


def _adaptation(tensors: dict[str, Tensor], *, where: Path) -> Adaptation | None:
    """Take the parameters that adapt the network out of its tensors; None: it has none."""
    arrays = {name: tensors.pop(name).numpy() for name in list(tensors) if name.startswith(PREFIX)}
    if not arrays:
        return None
    try:
        return from_arrays(arrays.__getitem__, n_statistics=arrays[f"{PREFIX}axes"].shape[-1])
    except (KeyError, ModelError) as error:
        raise WeightsError(f"{where}: its adaptation cannot be read ({error}); {_AGAIN}") from error


def _speech(card: NetworkCard, encoder: Encoder, tensors: dict[str, Tensor], *, where: Path) -> SpeechMap | None:
    """Build the map to speech of a card and fill in its weights; None: the card has none."""
    if card.speech is None:
        return None
    pooling = pooling_for(encoder)
    made = SpeechMap(encoder.n_statistics if pooling is None else pooling.width, pooling)
    try:
        made.load_state_dict({name.removeprefix(SPEECH): value for name, value in tensors.items()})
    except RuntimeError as error:  # missing, unknown or of another shape
        raise WeightsError(f"{where}: its map to speech cannot be read ({error}); {_AGAIN}") from error
    return made.eval()


def _network(card: NetworkCard, tensors: dict[str, Tensor], *, where: Path) -> BaseNetwork:
    """Build the network of a card and fill in its weights."""
    with torch.random.fork_rng(devices=[]):  # random weights, which are replaced below
        encoder = empty_encoder(card.encoder, card.sizes)
        network = _empty_network(encoder, card).eval()
    if tensors.keys() != network.state_dict().keys():
        encoder.trim()
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    got = {name: list(value.shape) for name, value in tensors.items()}
    for name in sorted(expected.keys() | got.keys()):
        if got.get(name) != expected.get(name):
            raise WeightsError(
                f"{where}: {name} is {got.get(name, 'missing')}, expected {expected.get(name, 'no such tensor')}; "
                f"{_AGAIN}"
            )
    network.load_state_dict(tensors)
    return network


def _empty_network(encoder: Encoder, card: NetworkCard) -> BaseNetwork:
    n_statistics, n_classes = encoder.n_statistics, len(card.classes)
    if card.svm is not None:
        return BaseNetwork(encoder, SvmHead.empty(n_statistics, n_classes, card.svm))
    return Network(encoder, Head(n_statistics, n_classes, card.head))
