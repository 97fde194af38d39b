"""Read pretrained weights from a folder, or from the Hugging Face hub by name."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from torch import Tensor, nn

from emovox.schema.errors import WeightsError
from emovox.schema.extras import require

CONFIG, TENSORS = "config.json", "model.safetensors"

KEY = "encoder.weights"
"""The recipe's key that names pretrained weights, for messages."""

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")

Config = TypeVar("Config", bound=msgspec.Struct)


def read_config(source: str | Path, kind: type[Config], environ: Mapping[str, str] = os.environ) -> Config:
    """Read the config.json of pretrained weights.

    Args:
        source: see `find_file`.
        kind: type of the configuration; other keys of the file are ignored.
        environ: see `find_file`.

    Raises:
        WeightsError: the file is not found, or a value has another type.
    """
    path = find_file(source, CONFIG, environ)
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: not a configuration of {kind.__name__} ({error}); download it again") from error


def read_tensors(
    source: str | Path, names: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> dict[str, Tensor]:
    """Read some tensors of a model.safetensors as float32.

    Args:
        source: see `find_file`.
        names: name in the result → name in the file.
        environ: see `find_file`.

    Raises:
        WeightsError: the file is not found, is not a safetensors file, or lacks a tensor.
    """
    require("safetensors", need="pretrained weights", extra="train")
    from safetensors import SafetensorError, safe_open

    path = find_file(source, TENSORS, environ)
    try:
        with safe_open(path, framework="pt") as file:
            missing = sorted(set(names.values()) - set(file.keys()))
            if missing:
                raise WeightsError(f"{path}: has no tensor {missing[0]} ({len(missing)} missing); name another model")
            return {name: file.get_tensor(stored).float() for name, stored in names.items()}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: not a safetensors file ({error}); download it again") from error


def fill(
    module: nn.Module, source: str | Path, names: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> None:
    """Replace the weights of a module by pretrained ones.

    Args:
        module: the module; `names` must have all tensors of its state.
        source: see `find_file`.
        names: name in the module → name in the file.
        environ: see `find_file`.

    Raises:
        WeightsError: as `read_tensors`, or a tensor has another shape.
    """
    tensors = read_tensors(source, names, environ)
    for name, present in module.state_dict().items():
        if tensors[name].shape != present.shape:
            got, expected = (list(tensor.shape) for tensor in (tensors[name], present))
            raise WeightsError(f"{source}: {names[name]} is {got}, expected {expected}; name another model")
    module.load_state_dict(tensors)


def fingerprint(module: nn.Module) -> str:
    """Return the SHA-256 of the weights of a module, in hexadecimal; equal weights have equal fingerprints.

    >>> fingerprint(nn.Identity())[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def find_file(source: str | Path, name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of one file of pretrained weights; the hub is asked only if no folder has it.

    Args:
        source: a folder; else a folder below `$EMOVOX_WEIGHTS`; else a name on the hub, "owner/model". Below
            `$EMOVOX_WEIGHTS` a published name is found as owner/model, as model, and as model-encoder.
        name: name of the file.
        environ: environment variables, with `EMOVOX_WEIGHTS`.

    Raises:
        WeightsError: the file is in none of these places; the message names the recipe's key.
    """
    named = Path(os.path.expanduser(source))
    folders = list(dict.fromkeys([named, *_below(named, environ)]))
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    if not _HUB_NAME.fullmatch(str(source)) or named.exists():
        places = ", ".join(str(folder) for folder in folders)
        raise WeightsError(
            f"{source}: no {name} in {places}; set EMOVOX_WEIGHTS, or give {KEY} a folder or a name owner/model"
        )
    return _from_hub(str(source), name)


def _below(named: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return the places below `$EMOVOX_WEIGHTS` for a folder or a published name, as a user may have stored it."""
    root = environ.get("EMOVOX_WEIGHTS")
    if not root:
        return []
    model = named.name
    others = [Path(root) / model, Path(root) / f"{model}-encoder"] if _HUB_NAME.fullmatch(str(named)) else []
    return [Path(root) / named, *others]


def _from_hub(source: str, name: str) -> Path:
    require("huggingface_hub", need=f"download of {source}", extra="train")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source, name))
    # The client has used three HTTP libraries and raises their errors, whose only common base class is Exception.
    except Exception as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"{source}: {name} cannot be downloaded ({line}); put the files in $EMOVOX_WEIGHTS/{source}, give {KEY} a "
            "folder, or set HF_ENDPOINT to a mirror of the hub"
        ) from error
