"""Where an export goes: checked before the work, whole or absent, and never in place of another model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emovox.schema.card import ModelCard, encode_card
from emovox.schema.errors import ConfigError, ExportError
from emovox.schema.files import check_writable


def check_output(path: Path, *, make_folder: bool = False) -> None:
    """Check that a file can be written, and that it is no graph with its card beside it.

    Args:
        path: of a new file without a card.
        make_folder: whether to make a missing folder; otherwise it is an error.

    Raises:
        ExportError: a model would lose its graph.
        ConfigError: the file cannot be written.
    """
    if path.suffix == ".onnx" and path.is_file() and path.with_suffix(".json").is_file():
        raise ExportError(
            f"{path}: is a model with its card {path.with_suffix('.json').name} beside it, expected a new file; it "
            "would be lost; give another --output"
        )
    check_writable(path, make_folder=make_folder)


@contextmanager
def model_files(output: Path, graph: bytes, card: ModelCard) -> Iterator[Path]:
    """Yield the path of a draft of a model; it replaces older files when the block ends without an exception.

    A stop between the two files is found by the hash.

    Args:
        output: path of NAME.onnx; its folder is made if it is missing. The card NAME.json is beside it.
        graph: the graph.
        card: its card.

    Raises:
        ConfigError: a file cannot be written.
    """
    about, draft = output.with_suffix(".json"), output.with_name(f".{output.stem}.draft.onnx")
    for path in (output, about):
        check_writable(path, make_folder=True)
    try:
        with _written(output):
            draft.write_bytes(graph)
            draft.with_suffix(".json").write_bytes(encode_card(card))
        yield draft
        with _written(output):
            draft.with_suffix(".json").replace(about)
            draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
        draft.with_suffix(".json").unlink(missing_ok=True)


@contextmanager
def _written(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{output}: cannot be written ({error.strerror or error}); expected a folder that you may write to, with "
            "room for it"
        ) from error
