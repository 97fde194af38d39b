"""Sessions of ONNX Runtime: how all graphs are loaded."""

from __future__ import annotations

import hashlib
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


def open_shipped(path: Path, *, sha256: str, remedy: str = "install emovox again") -> Any:
    """Return a session, of one thread, of a network of emovox that is no model.

    Args:
        path: path of the graph file.
        sha256: SHA-256 of the file, in hexadecimal.
        remedy: what the message says to do if it is missing or damaged.

    Raises:
        ModelError: the file is missing or not the expected one.
    """
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    digest = hashlib.sha256(graph).hexdigest()
    if digest != sha256:
        raise ModelError(f"{path}: sha256 is {digest[:12]}…, expected {sha256[:12]}…; {remedy}")
    return open_session(graph, threads=1, where=path)


def one_line(error: Exception) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())
