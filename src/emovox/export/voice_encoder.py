"""Write the GE2E speaker encoder as one ONNX file with the front end inside.

    python -m emovox.export.voice_encoder [WEIGHTS] [FILE.onnx]

Without arguments it reads ge2e-speaker-encoder below $EMOVOX_WEIGHTS and replaces the shipped file.
"""

from __future__ import annotations

import hashlib
import io
import sys
import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import onnxslim
import torch

from emovox.audio.types import Samples
from emovox.export.network import halve
from emovox.export.onnx import OPSET, fix_widths, store_halves
from emovox.models.voice_encoder import VoiceEncoder, load_voice_encoder
from emovox.runtime.golden import golden_input
from emovox.runtime.session import open_session
from emovox.runtime.voice_encoder import INPUT, NETWORK, OUTPUT, RATE, WIDTH
from emovox.schema.errors import ExportError
from emovox.schema.files import write_whole

PARITY = 1e-4
"""Largest difference of a number of the embedding between graph and network, from another order of float32 sums."""

SECONDS = (0.4, 1.6, 3.0)
"""Lengths in seconds at which graph and network are compared."""


def export_voice(encoder: VoiceEncoder) -> bytes:
    """Return the encoder as an ONNX file, with weights in half precision; `encoder` gets these weights too.

    Returns:
        A graph with the input samples [batch, n] and the output voice [batch, 256].

    Raises:
        ExportError: the embeddings of the graph differ from those of the network.
    """
    halve(encoder.eval(), kept_bits=10)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in `emovox.export.onnx.to_onnx`
        torch.onnx.export(
            encoder,
            (torch.from_numpy(golden_input(seconds=1.0, sample_rate=RATE))[None].repeat(2, 1),),
            buffer,  # type: ignore[arg-type]  # the tracer takes a file object, its annotation says path only
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch", 1: "n"}, OUTPUT: {0: "batch"}},
        )
    proto = onnxslim.slim(onnx.load_from_string(buffer.getvalue()), skip_optimizations=["graph_fusion"])
    store_halves(proto)
    fix_widths(proto, {OUTPUT: WIDTH})
    onnx.checker.check_model(proto)
    graph = bytes(proto.SerializeToString())
    check_voice(encoder, graph)
    return graph


def check_voice(encoder: VoiceEncoder, graph: bytes) -> float:
    """Compare graph and network at several lengths, levels and batch sizes.

    Returns:
        The largest difference of a number of an embedding.

    Raises:
        ExportError: the difference is above `PARITY`.
    """
    session, worst = open_session(graph, threads=1, where=Path(NETWORK)), 0.0
    for seconds in SECONDS:
        batch = _batch(golden_input(seconds=seconds, sample_rate=RATE))
        with torch.no_grad():
            expected = encoder(torch.from_numpy(batch)).numpy()
        for rows in (slice(0, 1), slice(None)):
            worst = max(worst, float(np.abs(session.run([OUTPUT], {INPUT: batch[rows]})[0] - expected[rows]).max()))
    if not worst <= PARITY:
        raise ExportError(f"graph and network differ by {worst:.2g} in an embedding, expected at most {PARITY:g}")
    return worst


def _batch(samples: Samples) -> Samples:
    return np.ascontiguousarray(np.stack([samples, samples * np.float32(0.01), samples[::-1], samples * 0]))


def main(source: str = "ge2e-speaker-encoder", target: str = "") -> None:
    """Write the file and print its size and hash."""
    encoder = load_voice_encoder(source)
    graph = export_voice(encoder)
    path = Path(target or str(files("emovox") / "runtime" / "ge2e" / NETWORK))
    write_whole(path, graph)
    digest, difference = hashlib.sha256(graph).hexdigest(), check_voice(encoder, graph)
    sys.stdout.write(f"{path}: {len(graph):,} bytes, sha256 {digest}, parity {difference:.1e}\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
