"""Weights that an encoder starts from: what a pretraining writes, and what a recipe's `start` reads.

Two files. `encoder.safetensors` holds what learns and the running statistics of normalisation; frozen weights are
where they came from. So the inputs on disk, which come from the frozen half, are the same with and without a start.
`encoder.json` says what the weights fit and who taught them.
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
    """What is known of pretrained weights.

    `inputs_key` says what the frozen half gave that they learnt from. `accuracy` (of clips), `uar` (mean over speakers)
    and `chance` are in percent, on `held_out_clips` of other videos than those that were learnt from; the step was
    chosen by them.
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
    """Render what has learnt, as a safetensors file."""
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
    """Read what is known of pretrained weights.

    Args:
        source: an encoder.safetensors, or the run folder that it lies in.

    Raises:
        WeightsError: no pretraining has finished there.
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
        raise WeightsError(f"{path}: tells of no pretraining that this version knows ({error}); {_AGAIN}") from error


def starting_encoder(config: EncoderConfig, source: str = "") -> Encoder:
    """Build an encoder; weights that learn are drawn from torch's generator, or are those of a pretraining.

    Args:
        config: which.
        source: see `read_start`; "" draws.

    Raises:
        WeightsError: there are no such weights, or those of another encoder.
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
            raise WeightsError(f"{path}: is not the file that {ABOUT} beside it tells of; {_AGAIN}")
        put_weights(encoder, load(data))
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be used ({error}); {_AGAIN}") from error


def _weights_path(source: str) -> Path:
    path = Path(source).expanduser()
    return path if path.suffix == Path(WEIGHTS).suffix else path / WEIGHTS
