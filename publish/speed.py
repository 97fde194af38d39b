"""docs/speed.md, from the figures that `emovox benchmark … --format json` has left in results/speed/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from emovox.benchmark.cold_start import ColdStart
from emovox.benchmark.latency import LatencyTable
from emovox.benchmark.streams import StreamTable
from emovox.benchmark.tables import cold_start_rows, latency_rows, place, stream_rows, throughput_rows
from emovox.benchmark.throughput import ThroughputTable
from publish.tables import table

INTRODUCTION = """# Speed

Made by `make results` from the output of the commands below in `results/speed/`. The machine is shared, so a fixed
product of two matrices is timed in turn with everything. Compare figures within a table, not between tables. Times of
models are processor time of one thread; times that include the start of a process are wall time.
"""

LATENCY = """## From waveform to probabilities

`emovox benchmark latency --format json > results/speed/latency.json`

{seconds:g} s of generated audio, medians of {repeats} rounds, each model in a separate process, as in a program.
Beside each network, in the same run: a program written by hand, with features from librosa (log-mel, MFCC with two
derivatives, F0 by YIN and level, at the model's own frame rate) and the same layers in PyTorch's eager mode; and
openSMILE's eGeMAPS with a support vector machine, which is another model.

F0 takes the most time of librosa's features. In *librosa + torch eager* it is computed for every frame,
since the other features there are; the shipped front end computes it for every second frame. *F0 every second frame* is
the same with librosa at every second frame: the ratio for equal work.

{table}
```
{place}```
"""

TOGETHER = """## All models in one process

`emovox benchmark latency --together --format json > results/speed/latency-together.json`

The same in one process. librosa takes up to a quarter less time there: after `accurate` has run, the allocator keeps
the memory that librosa requests and frees in every call. The saving differs from run to run. Emovox takes about the
same time as alone.

{table}
```
{place}```
"""

STREAM = """## Live streams

`emovox benchmark stream --format json > results/speed/stream.json`

{seconds:g} s of audio through each stream, in pieces of 0.1 s. An update comes every 0.5 s during speech. Its time
includes voice activity, the preview and the share of the tiles. *Talking streams*: the number of streams with speech
all the time that one core carries, with windows of several streams in a batch.

{table}
```
{place}```
"""

THROUGHPUT = """## Archives

`emovox benchmark throughput --hours 2 --format json > results/speed/throughput.json`

`emovox batch` over {hours:.1f} hours of generated talk with pauses, a third of it silence, in files of
{file_seconds:g} s (16-bit wav, 16 kHz), with {workers} processes on two cores: decoding, model and Parquet, from the
start of the command to its end. Times faster than real time; without voice activity all of it is scored.

{table}
```
{place}```
"""

COLD_START = """## From the shell prompt

`emovox benchmark cold-start --format json > results/speed/cold-start.json`

A recording of {seconds:g} s. The last rows are the time of a Python that does nothing else.

{table}
```
{place}```
"""

SECTIONS: dict[str, tuple[str, type[Any], Callable[[Any], list[list[str]]]]] = {
    "latency": (LATENCY, LatencyTable, latency_rows),
    "latency-together": (TOGETHER, LatencyTable, latency_rows),
    "stream": (STREAM, StreamTable, stream_rows),
    "throughput": (THROUGHPUT, ThroughputTable, throughput_rows),
    "cold-start": (COLD_START, ColdStart, cold_start_rows),
}
"""File in results/speed → its section, what it holds, and the rows of that."""


def document(folder: Path) -> str:
    """Compose docs/speed.md of what is in results/speed."""
    return "\n".join([INTRODUCTION, *(_section(folder / f"{name}.json", *parts) for name, parts in SECTIONS.items())])


def _section(path: Path, text: str, kind: type[Any], rows: Callable[[Any], list[list[str]]]) -> str:
    result = msgspec.json.decode(path.read_bytes(), type=kind)
    head, *body = rows(result)
    return text.format(
        table=table(head, body),
        place=place(result.matrix_product, result.machine),
        **msgspec.structs.asdict(result),
    )
