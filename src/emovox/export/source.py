"""What `emovox export` takes: a model file, or a trained network that becomes one first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from emovox.export.network import export_trained
from emovox.models.trained import ABOUT, TrainedModel
from emovox.runtime.registry import resolve
from emovox.schema.errors import ExportError
from emovox.schema.text import is_file_name


def is_trained(model: str) -> bool:
    """Return whether a name is the folder of a trained network, with network.json."""
    return (Path(model) / ABOUT).is_file()


@contextmanager
def model_file(model: str) -> Iterator[Path]:
    """Give the path of a model's card; a trained network is exported into a folder that exists meanwhile.

    Args:
        model: name of a model, path of a NAME.onnx, a run folder, or the folder of a trained network.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the trained network is damaged.
        ExportError: it cannot be exported.
    """
    if not is_trained(model):
        yield resolve(model)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield export_trained(TrainedModel.load(Path(model)), {}, Path(folder)).with_suffix(".json")


def write_trained(folder: Path, output: Path | None) -> tuple[TrainedModel, Path]:
    """Write a trained network as NAME.onnx with its card NAME.json, and return it with the path.

    Args:
        folder: of network.json and network.safetensors.
        output: path of the .onnx file; its name becomes that of the model. None: that of the recipe, in this folder.

    Raises:
        WeightsError: the trained network is damaged.
        ExportError: the path is none of an ONNX file, or the scores of the graph differ from those of the network.
    """
    model = TrainedModel.load(folder)
    output = output or Path(f"{model.card.name}.onnx")
    if output.suffix != ".onnx" or not is_file_name(output.stem):
        raise ExportError(f"output is '{output}', expected NAME.onnx")
    card = msgspec.structs.replace(model.card, name=output.stem)
    named = TrainedModel(model.network, card, model.adaptation, model.speech)
    return named, export_trained(named, {}, output.parent)
