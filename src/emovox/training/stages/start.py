"""Weights that an encoder starts from: a pretraining writes them, a recipe's `start` names them.

There are two files. `encoder.safetensors` has the weights that learn, and the running statistics of normalisation. It
has no frozen weights. So the inputs on disk, which come from the frozen half, are the same with and without a start.
`encoder.json` has the encoder that the weights fit, the corpora, and figures.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from emovox.models.encoders import EncoderConfig, build_encoder
from emovox.models.network import Encoder
from emovox.schema.card import CardCorpus
from emovox.schema.errors import WeightsError
from emovox.schema.files import write_whole
from emovox.schema.text import json_document
from emovox.training.checkpoint import learnt_weights, put_weights

WEIGHTS, ABOUT = "encoder.safetensors", "encoder.json"

_AGAIN = "pretrain again with this encoder, or take the encoder of the pretraining"


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Description of pretrained weights.

    Attributes:
        recipe, recipe_sha256: name and hash of the recipe of the pretraining.
        weights_sha256: hash of encoder.safetensors.
        encoder: that the weights fit.
        inputs_key: identifies the outputs of the frozen half that the weights were trained on.
        corpora: of the training.
        speakers, clips: their numbers.
        held_out_clips: number of clips of held-out videos. The best step was chosen by them.
        accuracy, uar, chance: in percent, on the held-out clips; `uar` is a mean over speakers.
    """

    recipe: str
    recipe_sha256: str
    weights_sha256: str
    encoder: EncoderConfig
    inputs_key: str
    corpora: tuple[CardCorpus, ...]
    speakers: int
    clips: int
    held_out_clips: int
    accuracy: float
    uar: float
    chance: float


def encoder_bytes(encoder: Encoder) -> bytes:
    """Return the weights that learn as the bytes of a safetensors file."""
    from safetensors.torch import save

    return save({name: value.detach().cpu().contiguous() for name, value in learnt_weights(encoder).items()})


def write_start(folder: Path, weights: bytes, about: Start) -> Path:
    """Write both files, and return the path of the weights.

    Raises:
        ConfigError: a file cannot be written.
    """
    write_whole(folder / WEIGHTS, weights, make_folder=True)
    write_whole(folder / ABOUT, json_document(about).encode())
    return folder / WEIGHTS


def read_start(source: str) -> Start:
    """Return the description of pretrained weights.

    Args:
        source: an encoder.safetensors, or its run folder.

    Raises:
        WeightsError: there is no finished pretraining.
    """
    path = _weights_path(source).with_name(ABOUT)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Start)
    except OSError as error:
        raise WeightsError(
            f"start is '{source}': {path} cannot be read ({error.strerror or error}), expected the run folder of a "
            "finished pretraining, or its encoder.safetensors beside its encoder.json"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: has no pretraining that this version knows ({error}); {_AGAIN}") from error


def starting_encoder(config: EncoderConfig, source: str = "") -> Encoder:
    """Build an encoder; weights that learn come from torch's random generator, or from a pretraining.

    Args:
        config: name and sizes of the encoder.
        source: see `read_start`; "": random weights.

    Raises:
        WeightsError: the weights are missing, or those of another encoder.
    """
    encoder = build_encoder(config)
    if source:
        _put(encoder, config, source)
    return encoder


def _put(encoder: Encoder, config: EncoderConfig, source: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    about, path = read_start(source), _weights_path(source)
    got, expected = (msgspec.json.encode(one).decode() for one in (about.encoder, config))
    if got != expected:
        raise WeightsError(f"{path}: got weights of the encoder {got}, expected {expected}; {_AGAIN}")
    if about.inputs_key != encoder.inputs_key:
        raise WeightsError(
            f"{path}: learnt from '{about.inputs_key}', but the frozen half now gives '{encoder.inputs_key}'; {_AGAIN}"
        )
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != about.weights_sha256:
            raise WeightsError(f"{path}: is not the file that {ABOUT} beside it describes; {_AGAIN}")
        put_weights(encoder, load(data))
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be used ({error}); {_AGAIN}") from error


def _weights_path(source: str) -> Path:
    path = Path(source).expanduser()
    return path if path.suffix == Path(WEIGHTS).suffix else path / WEIGHTS
