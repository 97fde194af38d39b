"""The two networks of the face path, as sessions of ONNX Runtime; their files are in `runtime/face` or fetched."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from emovox.runtime.registry import models_folder
from emovox.runtime.session import open_shipped

DETECTOR, EXPRESSION = "face_detector.onnx", "face_expression.onnx"
"""Names of the files. `python -m publish.face` writes them."""

DETECTOR_SIZE, EXPRESSION_SIZE = 224, 112
"""Width and height in pixels of the images that each network takes."""

EMBEDDING_WIDTH = 256
"""Length of the embedding of an expression."""

_SHA256 = {
    DETECTOR: "7d2a1414995b3e316fa7025a413420442e8d22985e0926c120852d1b63d9cc63",
    EXPRESSION: "813293c1162da07fe87a73cd14dc20f909f1c65162c1340cd7f6f802a73ed5f7",
}


@cache
def session(name: str) -> Any:
    """Return the session of a network, of one thread; it is loaded at its first use.

    Args:
        name: `DETECTOR` or `EXPRESSION`.

    Raises:
        ModelError: the file is damaged or missing.
    """
    path = Path(str(files("emovox") / "runtime" / "face" / name))
    path = path if path.exists() else models_folder() / name
    return open_shipped(path, sha256=_SHA256[name], remedy="get it by emovox models fetch face")
