"""Time of a model in C beside ONNX Runtime, in one run: rounds in turn, so that other work slows both.

python -m studies.c_speed mobile hybrid --rounds 40
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from emovox.export.c.compiled import Compiled
from emovox.export.c.files import write_c
from emovox.export.fixed import fixed_graphs
from emovox.runtime.model import Model
from emovox.runtime.registry import resolve
from emovox.testing import speech

OPTIONS = {
    "-O3": ("-O3",),
    "-O3 -mavx2 -mfma": ("-O3", "-mavx2", "-mfma", "-ffp-contract=fast"),
    "-O3 -DEMOVOX_PLAIN": ("-O3", "-DEMOVOX_PLAIN"),
}
WARM = 3


def times(name: str, options: tuple[str, ...], store: str, rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each round, of ONNX Runtime and of C, for statistics and scores of 3 s."""
    path = resolve(name)
    model, samples = Model.load(path), speech(150.0, seconds=3.0, level=0.1, glide=0.1, seed=1)
    profile = model.default_profile
    runtime, own = [], []
    with TemporaryDirectory() as folder:
        made = write_c(path, Path(folder) / "model.c", store=store)
        compiled = Compiled(made.path, fixed_graphs(path), options=options)
        for _ in range(WARM + rounds):
            start = perf_counter()
            model.run(samples[None])
            middle = perf_counter()
            compiled.scores(compiled.statistics(samples), profile)
            own.append(1000 * (perf_counter() - middle))
            runtime.append(1000 * (middle - start))
    return runtime[WARM:], own[WARM:]


def main() -> None:
    """Print a row of a Markdown table for each model and each set of options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["mobile", "hybrid"])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--store", default="half")
    given = parser.parse_args()
    print("| model | options | ONNX Runtime, ms | C, ms | × (median) | × (least) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in given.models:
        for label, options in OPTIONS.items():
            runtime, own = times(name, options, given.store, given.rounds)
            medians, least = [statistics.median(one) for one in (runtime, own)], [min(runtime), min(own)]
            print(
                f"| `{name}` | `{label}` | {least[0]:.2f} | {least[1]:.2f} | {medians[1] / medians[0]:.2f} | "
                f"{least[1] / least[0]:.2f} |"
            )


if __name__ == "__main__":
    main()
