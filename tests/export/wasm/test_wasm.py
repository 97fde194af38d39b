"""The WebAssembly file of a model: what it says of itself, and that the shipped one is of the shipped model."""

from __future__ import annotations

import base64
import ctypes
import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import numpy_helper

import emovox
from emovox.export import wasm
from emovox.export.c.compiled import compiler, library
from emovox.export.wasm.description import FORMAT, tile_lengths
from emovox.export.wasm.files import compiled
from emovox.export.wasm.section import read_description, with_description
from emovox.export.wasm.source import wasm_source
from emovox.export.wasm.speech import ANSWER, CHUNK, STATE, basis, speech_step
from emovox.runtime.registry import read_card, resolve
from emovox.runtime.speech_network import SHA256, speech_probabilities
from emovox.schema.errors import ExportError
from emovox.testing import speech

SHIPPED = Path(emovox.__file__).parent / "serving" / "static" / "local" / "emovox.wasm"
needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler 'cc' on the path")
EMPTY = b"\0asm\1\0\0\0"


def test_the_shipped_file_is_of_the_shipped_model() -> None:
    found = read_description(SHIPPED.read_bytes(), where=SHIPPED.name)
    card = read_card(resolve("mobile"))
    assert found["format"] == FORMAT, "run make wasm"
    assert found["card"]["sha256"] == card.sha256, "run make wasm"
    assert found["card"]["labels"] == list(card.labels)
    assert found["speech_sha256"] == SHA256
    assert card.speech is not None
    assert found["card"]["speech"] == {"threshold": card.speech.threshold}
    assert [one["coverage"] for one in found["card"]["sets"]] == [80, 90, 95]
    assert len(base64.b64decode(found["familiarity"]["axes"])) % len(found["familiarity"]["scales"]) == 0
    assert found["lengths"] == tile_lengths(card) == [1600 * count for count in range(3, 46)]


@pytest.mark.slow
def test_the_shipped_file_is_of_this_code() -> None:
    path = resolve("mobile")
    code = wasm_source(path, read_card(path)).code
    found = read_description(SHIPPED.read_bytes(), where=SHIPPED.name)
    assert found["source_sha256"] == hashlib.sha256(code.encode()).hexdigest(), "run make wasm"


def test_a_chunk_at_a_time_finds_the_speech_that_the_sequence_finds() -> None:
    session = onnxruntime.InferenceSession(speech_step().SerializeToString(), providers=["CPUExecutionProvider"])
    samples = speech(140.0, seconds=1.024, level=0.0707, glide=0.1, seed=3)
    padded = np.pad(samples * np.float32(max(1.0, 0.05 / np.sqrt(np.square(samples).mean()))), (CHUNK - 512, 0))
    state, found = np.zeros((1, STATE), np.float32), []
    for first in range(0, samples.size, 512):
        (answer,) = session.run([ANSWER], {"chunk": padded[None, first : first + CHUNK], "state": state})
        found.append(answer[0, 0])
        state = answer[:, 1:]
    np.testing.assert_allclose(found, speech_probabilities(samples, sample_rate=16000), atol=1e-4)


def test_the_weights_that_the_file_computes_are_those_of_the_network() -> None:
    arrays = [numpy_helper.to_array(tensor) for tensor in speech_step().graph.initializer]
    (found,) = (array for array in arrays if array.shape == (258, 1, 256))
    np.testing.assert_allclose(basis(), found.swapaxes(0, 1), atol=1e-6)


@needs_compiler
def test_the_file_computes_these_weights(tmp_path: Path) -> None:
    source = tmp_path / "basis.c"
    code = (Path(wasm.__file__).parent / "basis.c").read_text()
    source.write_text(f"{code}float *made(void) {{ make_basis(); return basis; }}\n")
    made = library(source).made
    made.restype = ctypes.POINTER(ctypes.c_float)
    tiles = np.ctypeslib.as_array(made(), (65, 256, 4))
    np.testing.assert_allclose(tiles.swapaxes(1, 2).reshape(260, 256)[:258], basis()[0], atol=1e-6)


def test_a_description_is_read_again() -> None:
    described = with_description(EMPTY, {"format": 1, "long": "x" * 300})
    assert read_description(described, where="a.wasm") == {"format": 1, "long": "x" * 300}


@pytest.mark.parametrize(
    ("wasm", "message"),
    [
        (b"<html>", r"a.wasm: this is no WebAssembly file of emovox \(it does not begin as one\)"),
        (with_description(EMPTY, {"format": 1})[:-2], r"\(it is cut short\)"),
        (EMPTY, "a.wasm: it has no section 'emovox'; write it again"),
    ],
)
def test_other_files_are_refused(wasm: bytes, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        read_description(wasm, where="a.wasm")


def test_without_emscripten_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match=r"got no 'emcc' on the path.*apt install emscripten"):
        compiled("int one;")


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "emcc"
    fake.write_text("#!/bin/sh\necho no memory >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match=r"emcc failed with 3 \(no memory\)"):
        compiled("int one;")
