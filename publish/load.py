"""Load on `emovox serve`: many real-time WebSocket streams from one other process, on the same machine.

    python -m publish.load                        100 streams of speech with pauses for a minute
    python -m publish.load --silent               the cost of an open stream without speech
    python -m publish.load --streams 50 --soak 30 half an hour; memory must stay flat

The delay of an update is its arrival less the moment at which the frame with its `end` was sent. Nothing is lost when
every stream gets the starts and ends of speech that the same audio gives offline, and no update gave way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import connect

import emovox
from emovox.schema.events import EmotionUpdated, Event, SpeechEnded, SpeechStarted

DEMO = Path(__file__).parents[1] / "examples" / "demo.flac"
RATE = 16000
FRAME_SECONDS = 0.1
VARIANTS = 10
"""Different beginnings in the recording, so that the streams do not speak in chorus."""

Mark = tuple[str, float, float]


@dataclass
class Tally:
    """The outcome of one stream: speech events, delays, losses and close code."""

    marks: list[Mark] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    dropped: int = 0
    close: int | None = None


@dataclass
class Variant:
    """Audio for some streams, and what it gives offline."""

    frames: list[bytes]
    marks: list[Mark]
    updates: int


def main() -> None:
    """Start a server, load it, and print figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each stream")
    parser.add_argument(
        "--soak", type=float, default=0.0, metavar="MINUTES", help="open new streams for at least this time"
    )
    parser.add_argument(
        "--settle",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="a soak compares memory from here on: before, buffers and allocators grow to their size",
    )
    parser.add_argument("--silent", action="store_true", help="send zeros")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # the server ends, too
    variants = [variant(given.model, index, given.seconds, silent=given.silent) for index in range(VARIANTS)]
    begun = time.monotonic()
    server, url = start(given.model, given.streams)
    ready = time.monotonic() - begun
    try:
        figures = asyncio.run(load(url, variants, given, server.pid))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    print(json.dumps({"model": given.model, "ready_s": round(ready, 2), **figures}, indent=2))


def variant(model: str, index: int, seconds: float, *, silent: bool) -> Variant:
    """Cut one stream's audio into frames, and find its events offline."""
    recording, _ = soundfile.read(DEMO, dtype="float32")
    gap = np.zeros(round((0.6 + 0.1 * index) * RATE), np.float32)
    whole = np.concatenate([recording, gap])
    whole = np.tile(np.roll(whole, -index * whole.size // VARIANTS), int(seconds * RATE / whole.size) + 1)
    samples = np.zeros(round(seconds * RATE), np.float32) if silent else whole[: round(seconds * RATE)]
    data = np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2")
    stream = emovox.load(model).stream()
    events = stream.feed(data.astype(np.float32) / 32768) + stream.flush()
    size = 2 * round(FRAME_SECONDS * RATE)
    raw = data.tobytes()
    return Variant(
        [raw[first : first + size] for first in range(0, len(raw), size)],
        [mark for event in events if (mark := mark_of(event)) is not None],
        sum(isinstance(event, EmotionUpdated) for event in events),
    )


def mark_of(event: Event) -> Mark | None:
    """Return the name and times of an event of speech, which must not be lost; None for other events."""
    if isinstance(event, SpeechStarted):
        return ("speech.started", event.start, 0.0)
    return ("speech.ended", event.start, event.end) if isinstance(event, SpeechEnded) else None


def start(model: str, streams: int) -> tuple[subprocess.Popen[str], str]:
    """Start a server on a free port, and wait until it says where."""
    code = "from emovox.cli.main import main; main()"
    command = [sys.executable, "-c", code, "serve", "--model", model, "--port", "0", "--log-level", "warning"]
    server = subprocess.Popen([*command, "--max-streams", str(streams + 10)], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"at http(://\S+)", line):
            return server, f"ws{found[1]}/v1/stream"
    raise SystemExit("the server did not start")


async def load(url: str, variants: list[Variant], given: argparse.Namespace, pid: int) -> dict[str, Any]:
    """Run all streams, and sum up."""
    before, empty = cpu(pid), memory_kb(pid)
    own, begun = time.process_time(), time.monotonic()
    end = begun + max(given.seconds, 60 * given.soak)
    memory: list[tuple[float, int]] = []
    watch = asyncio.create_task(sample(pid, memory, begun))
    runs = [stream(url, variants[n % VARIANTS], n / given.streams, end, given) for n in range(given.streams)]
    tallies = [tally for group in await asyncio.gather(*runs) for tally in group]
    watch.cancel()
    wall = time.monotonic() - begun
    delays = np.sort(np.concatenate([np.array(tally[1].delays) for tally in tallies])) * 1000
    peak = max(kb for _, kb in memory)
    audio_seconds = len(tallies) * given.seconds
    settled = [kb for at, kb in memory if at > given.settle]
    figures = {
        "streams": given.streams,
        "sessions": len(tallies),
        "seconds": round(wall, 1),
        "load_average": os.getloadavg()[0],
        "delay_ms": {name: round(float(np.quantile(delays, q)), 1) for name, q in QUANTILES.items()}
        if delays.size
        else None,
        "updates": int(delays.size),
        "updates_expected": sum(kind.updates for kind, _ in tallies),
        "updates_dropped": sum(tally.dropped for _, tally in tallies),
        "marks_lost": sum(tally.marks != kind.marks for kind, tally in tallies),
        "closed_otherwise": sum(tally.close != 1000 for _, tally in tallies),
        "server_cores": round((cpu(pid) - before) / wall, 3),
        "server_ms_per_stream_second": round(1000 * (cpu(pid) - before) / audio_seconds, 2),
        "client_cores": round((time.process_time() - own) / wall, 3),
        "server_mb": {"empty": empty // 1024, "peak": peak // 1024},
        "kb_per_stream": round((peak - empty) / given.streams),
    }
    if settled:
        minutes = [max(kb for _, kb in group) for _, group in groupby(memory, key=lambda pair: int(pair[0] // 60))]
        figures["memory_mb_by_minute"] = [kb // 1024 for kb in minutes]
        middle = (min(settled) + max(settled)) / 2
        figures["memory_range_percent"] = round(100 * (max(settled) - min(settled)) / 2 / middle, 2)
    return figures


QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


async def stream(
    url: str, kind: Variant, phase: float, end: float, given: argparse.Namespace
) -> list[tuple[Variant, Tally]]:
    """One stream after the other until the time is over."""
    await asyncio.sleep(phase * (2 if given.seconds < 30 else 5))
    tallies = [(kind, await session(url, kind))]
    while time.monotonic() < end:
        tallies.append((kind, await session(url, kind)))
    return tallies


async def session(url: str, kind: Variant) -> Tally:
    """One stream in real time."""
    tally, sent = Tally(), list[float]()
    async with connect(url, compression=None, open_timeout=60, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "session.start", "sample_rate": RATE, "encoding": "s16le"}))
        reader = asyncio.create_task(read(socket, tally, sent))
        begun = time.monotonic()
        for number, frame in enumerate(kind.frames):
            await asyncio.sleep(max(0.0, begun + (number + 1) * FRAME_SECONDS - time.monotonic()))
            sent.append(time.monotonic())
            await socket.send(frame)
        await socket.send('{"type": "session.end"}')
        await reader
        tally.close = socket.close_code
    return tally


async def read(socket: Any, tally: Tally, sent: list[float]) -> None:
    """Note what comes, and when."""
    async for text in socket:
        now, event = time.monotonic(), json.loads(text)
        match event["type"]:
            case "emotion.updated":
                tally.delays.append(now - sent[round(event["end"] / FRAME_SECONDS) - 1])
            case "speech.started":
                tally.marks.append((event["type"], event["start"], 0.0))
            case "speech.ended":
                tally.marks.append((event["type"], event["start"], event["end"]))
            case "session.ended":
                tally.dropped = event["previews_dropped"]


async def sample(pid: int, memory: list[tuple[float, int]], begun: float) -> None:
    """Look at the server's memory now and then."""
    while True:
        memory.append((time.monotonic() - begun, memory_kb(pid)))
        await asyncio.sleep(1)


def cpu(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid: int) -> int:
    """Resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    main()
