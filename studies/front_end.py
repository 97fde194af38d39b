"""Time the front end in ONNX Runtime on one core, part by part.

    python -m studies.front_end [--seconds 3] [--repeats 300] [--exporter legacy|dynamo]

Each part is exported alone, with what it needs. Prints the median and the fifth percentile in ms; the latter is the
steadier on a machine that others use too. `dynamo` needs onnxscript.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from emovox.features.config import FeatureConfig
from emovox.features.spectrum import hann
from emovox.models.front_end.frames import FrameFrontEnd, FrameTensors

CONFIG = FeatureConfig()
WARM_UP = 10

PARTS: dict[str, tuple[str, ...]] = {
    "MFCC": ("mfcc",),
    "MFCC, deltas, RMS": ("mfcc", "delta", "delta2", "rms"),
    "RMS": ("rms",),
    "zero-crossing rate": ("zcr",),
    "centroid, roll-off, with the spectrum": ("centroid", "rolloff"),
    "F0, voicing": ("f0", "voiced"),
    "everything": FrameTensors._fields,
}


class Part(nn.Module):
    """The front end with some of its outputs, so that the exported graph computes no more than these need."""

    def __init__(self, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.front_end = FrameFrontEnd(CONFIG)
        self.outputs = outputs

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        """[b, n] -> the outputs."""
        frames = self.front_end(samples)
        return tuple(getattr(frames, name) for name in self.outputs)


class FactorisedSpectrum(nn.Module):
    """The power spectrum of the front end alone."""

    def __init__(self) -> None:
        super().__init__()
        self.front_end = FrameFrontEnd(CONFIG)

    def forward(self, samples: Tensor) -> Tensor:
        """[b, n] -> [b, bins, t]."""
        power: Tensor = self.front_end.power(self.front_end.blocks(samples))
        return power


class DenseSpectrum(nn.Module):
    """The power spectrum as a convolution with all cosines and sines: the usual form, to compare with."""

    basis: Tensor

    def __init__(self) -> None:
        super().__init__()
        n = CONFIG.n_fft
        basis = np.exp(-2j * np.pi * np.outer(np.arange(n // 2 + 1), np.arange(n)) / n) * hann(n)
        rows = np.concatenate([basis.real, basis.imag])[:, None].astype(np.float32)
        self.register_buffer("basis", torch.from_numpy(rows), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """[b, n] -> [b, bins, t]."""
        margin = CONFIG.n_fft // 2
        spectrum = functional.conv1d(functional.pad(samples, (margin, margin))[:, None], self.basis, stride=CONFIG.hop)
        real, imaginary = (spectrum * spectrum).chunk(2, 1)
        return real + imaginary


def export(module: nn.Module, path: Path, *, exporter: str) -> None:
    """Write a graph with a free batch and length."""
    example = torch.zeros(2, 24007)
    axes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("n", min=1600)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            torch.onnx.export(
                module.eval(), (example,), path, input_names=["samples"], dynamic_shapes=(axes,), dynamo=True,
                external_data=False, verbose=False,
            )  # fmt: skip
        else:
            torch.onnx.export(
                module.eval(), (example,), path, input_names=["samples"],
                dynamic_axes={"samples": {0: "batch", 1: "n"}}, dynamo=False, opset_version=17,
            )  # fmt: skip


def measure(path: Path, samples: npt.NDArray[np.float32], repeats: int) -> tuple[float, float]:
    """Return the median and the fifth percentile of the time of one run, in ms."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(WARM_UP + repeats):
        start = time.perf_counter()
        session.run(None, {"samples": samples})
        times.append(time.perf_counter() - start)
    median, low = np.percentile(times[WARM_UP:], [50, 5]) * 1e3
    return float(median), float(low)


def main() -> None:
    """Export, time and print every part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--exporter", choices=("legacy", "dynamo"), default="legacy")
    options = parser.parse_args()
    n = int(options.seconds * CONFIG.sample_rate)
    samples = (np.random.default_rng(0).standard_normal((1, n)) * 0.1).astype(np.float32)
    modules: dict[str, nn.Module] = {"dense spectrum": DenseSpectrum(), "factorised spectrum": FactorisedSpectrum()}
    modules |= {name: Part(outputs) for name, outputs in PARTS.items()}
    print(f"{options.seconds:g} s of audio, one thread, ONNX Runtime {onnxruntime.__version__}, {options.exporter}")
    with tempfile.TemporaryDirectory() as folder:
        for name, module in modules.items():
            path = Path(folder) / "part.onnx"
            start = time.perf_counter()
            export(module, path, exporter=options.exporter)
            seconds = time.perf_counter() - start
            median, low = measure(path, samples, options.repeats)
            nodes = sum(node.op_type != "Constant" for node in onnx.load(path).graph.node)
            size = os.path.getsize(path) / 1e6
            print(
                f"{name:38} {median:7.3f} ms (p5 {low:6.3f})  {nodes:4d} nodes  {size:5.2f} MB  export {seconds:5.1f} s"
            )


if __name__ == "__main__":
    main()
