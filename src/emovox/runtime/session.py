"""Sessions of ONNX Runtime: how all graphs are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

from emovox.schema.errors import CardError

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


def one_line(error: Exception) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())
