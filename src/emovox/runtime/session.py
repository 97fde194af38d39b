"""Sessions of ONNX Runtime: how all graphs are loaded."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnxruntime

from emovox.schema.errors import CardError, ModelError

NO_LOG = 4
"""Log level, fatal errors only: ONNX Runtime raises its errors as well, and writes past the log of the process."""


def open_session(graph: bytes, *, threads: int, where: Path) -> Any:
    """Return a session of a graph on the CPU.

    Raises:
        CardError: ONNX Runtime cannot load the graph; the message names the file `where`.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = NO_LOG
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common class below Exception
        raise CardError(
            f"{where}: ONNX Runtime cannot load this graph ({one_line(error)}); export the model again"
        ) from error


def open_shipped(folder: str, name: str, *, sha256: str) -> Any:
    """Return a session, of one thread, of a network that lies in a folder of `emovox.runtime`.

    Args:
        folder: name of the folder.
        name: name of the graph file.
        sha256: SHA-256 of the file, in hexadecimal.

    Raises:
        ModelError: the file is missing or not the shipped one.
    """
    path = Path(str(files("emovox") / "runtime" / folder / name))
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); install emovox again") from error
    digest = hashlib.sha256(graph).hexdigest()
    if digest != sha256:
        raise ModelError(f"{path}: sha256 is {digest[:12]}…, expected {sha256[:12]}…; install emovox again")
    return open_session(graph, threads=1, where=path)


def one_line(error: Exception) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())
