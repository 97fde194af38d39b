"""Gather the files of the models that a wheel leaves out, and write the list by which `emovox models fetch` finds them.

    python -m publish.fetch [FOLDER]

The list is `src/emovox/runtime/fetch.json`. With FOLDER the files are copied there, side by side: they belong beside
the wheel of a release, under one address.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from pathlib import Path

import msgspec

from emovox.runtime.fetch import LIST, FetchFile

PACKAGE = Path(__file__).parent.parent / "src" / "emovox"

LEFT_OUT = {
    "hybrid": ("pretrained/hybrid.json", "pretrained/hybrid.onnx"),
    "svm": ("pretrained/svm.json", "pretrained/svm.onnx"),
    "permissive": ("pretrained/heads/permissive.json", "pretrained/heads/permissive.onnx"),
    "ge2e": ("runtime/ge2e/ge2e_voice_16k.onnx",),
    "text": ("runtime/text/text.safetensors",),
    "face": ("runtime/face/face_detector.onnx", "runtime/face/face_expression.onnx"),
}
"""Files below the package, by name of the model. A wheel of at most 25 MB has no room for them; pyproject.toml excludes
them from it, and a test holds both lists equal."""


def listed() -> dict[str, list[FetchFile]]:
    """Return the files of each model, with sizes and hashes. Each lies where `emovox` looks for a fetched model."""
    return {name: [_described(path) for path in paths] for name, paths in LEFT_OUT.items()}


def _described(path: str) -> FetchFile:
    data = (PACKAGE / path).read_bytes()
    inner = path.removeprefix("pretrained/") if path.startswith("pretrained/") else Path(path).name
    return FetchFile(inner, len(data), hashlib.sha256(data).hexdigest())


def write_list() -> None:
    """Write the list of the package."""
    (PACKAGE / "runtime" / LIST).write_bytes(msgspec.json.format(msgspec.json.encode(listed()), indent=2) + b"\n")


def main() -> None:
    """Write the list, and copy the files if a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="copy the files there")
    folder = parser.parse_args().folder
    write_list()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (path for paths in LEFT_OUT.values() for path in paths):
            shutil.copyfile(PACKAGE / path, folder / Path(path).name)


if __name__ == "__main__":
    main()
