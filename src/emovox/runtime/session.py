"""Sessions of ONNX Runtime: how all graphs are loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime

from emovox.schema.errors import CardError, ModelError

NO_LOG = 4
"""Log level, fatal errors only: ONNX Runtime raises its errors as well, and writes past the log of the process."""


DEVICE = "EMOVOX_DEVICE"
"""Name of the environment variable with the device of all models that are loaded without one."""

DEVICES: Mapping[str, tuple[str, ...]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
"""ONNX Runtime's execution providers of each device; one that follows computes what the one before it cannot."""


def chosen_device(device: str | None) -> str:
    """Return a device that this installation of ONNX Runtime has.

    Args:
        device: a name in `DEVICES`; None takes `$EMOVOX_DEVICE`, and else "cpu".

    Raises:
        ModelError: there is no such device, or ONNX Runtime was built without it.
    """
    name = os.environ.get(DEVICE) or "cpu" if device is None else device
    if name not in DEVICES:
        raise ModelError(f"device is {name!r:.60}, expected one of {', '.join(DEVICES)}")
    present = onnxruntime.get_available_providers()
    if DEVICES[name][0] not in present:
        raise ModelError(
            f"device is '{name}', but this ONNX Runtime has only {', '.join(present)}; install onnxruntime-gpu in "
            "place of onnxruntime, or take device 'cpu'"
        )
    return name


def open_session(graph: bytes, *, threads: int, where: Path, device: str = "cpu") -> Any:
    """Return a session of a graph.

    Args:
        graph: bytes of the file.
        threads: number of threads of one run on the CPU, >= 1.
        where: the file, for messages.
        device: a name in `DEVICES`, from `chosen_device`.

    Raises:
        CardError: ONNX Runtime cannot load the graph.
        ModelError: the device does not start.
    """
    session = _session(graph, threads=threads, where=where, providers=DEVICES[device])
    if session.get_providers()[0] != DEVICES[device][0]:  # ONNX Runtime takes the next one, and only logs why
        raise ModelError(
            f"device '{device}' does not start: ONNX Runtime took {session.get_providers()[0]}; look at nvidia-smi, "
            "and at the versions of CUDA, cuDNN and TensorRT that this onnxruntime-gpu needs"
        )
    return session


def _session(graph: bytes, *, threads: int, where: Path, providers: tuple[str, ...]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = NO_LOG
    try:
        return onnxruntime.InferenceSession(graph, options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's own exceptions have no common class below Exception
        raise CardError(
            f"{where}: ONNX Runtime cannot load this graph ({one_line(error)}); export the model again"
        ) from error


def open_shipped(path: Path, *, sha256: str, remedy: str = "install emovox again") -> Any:
    """Return a session, of one thread, of a network of emovox that is not a model of emotion.

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
