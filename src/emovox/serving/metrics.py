"""The counters of the service for Prometheus; several workers share them in files."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from emovox.runtime.pipeline import Counts
from emovox.schema.processes import is_running

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client: the folder that workers share. Set it before the workers start."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Type of the text that `Metrics.text` returns."""

_DELAYS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
_DURATIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters of one worker. Each instance has its registry, since tests run several services in a process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "emovox_requests", "HTTP requests that were answered.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "emovox_request_seconds", "From request to answer.", ["route"], registry=registry, buckets=_DURATIONS
        )
        self.streams = Gauge("emovox_streams", "Streams that are open.", registry=registry, multiprocess_mode="livesum")
        self.streams_closed = Counter(
            "emovox_streams_closed",
            "Streams that have ended, by error code ('none': no error).",
            ["code"],
            registry=registry,
        )
        self.audio_seconds = Counter(
            "emovox_audio_seconds", "Seconds of audio analysed, by way in (stream, upload).", ["way"], registry=registry
        )
        self.events = Counter("emovox_events", "Events sent to streams, by type.", ["type"], registry=registry)
        self.update_delay = Histogram(
            "emovox_update_delay_seconds",
            "From the arrival of a frame to the update that its audio ends with.",
            registry=registry,
            buckets=_DELAYS,
        )
        self.windows = Counter(
            "emovox_windows", "Windows scored for streams (tile, preview).", ["kind"], registry=registry
        )
        self.previews_lost = Counter(
            "emovox_previews_lost",
            "Updates that gave way under overload (merged, dropped, unread).",
            ["how"],
            registry=registry,
        )
        self.windows_waiting = Gauge(
            "emovox_windows_waiting", "Windows that wait for the model.", registry=registry, multiprocess_mode="livesum"
        )
        self.uploads = Gauge(
            "emovox_uploads", "Uploads received, waiting or analysed.", registry=registry, multiprocess_mode="livesum"
        )
        self.jobs = Counter("emovox_jobs", "Jobs that have ended, by outcome.", ["outcome"], registry=registry)
        self.speakers = Counter(
            "emovox_speakers", "Profiles of speakers that were learnt, imported or deleted.", ["how"], registry=registry
        )
        self._last = Counts(streams=0, waiting=0, tiles=0, previews=0, merged=0, dropped=0, unread=0, batches=0)

    def follow(self, counts: Counts) -> None:
        """Add what the pipeline has counted since the last call."""
        last, self._last = self._last, counts
        self.windows_waiting.set(counts.waiting)
        self.windows.labels("tile").inc(counts.tiles - last.tiles)
        self.windows.labels("preview").inc(counts.previews - last.previews)
        self.previews_lost.labels("merged").inc(counts.merged - last.merged)
        self.previews_lost.labels("dropped").inc(counts.dropped - last.dropped)
        self.previews_lost.labels("unread").inc(counts.unread - last.unread)

    def text(self) -> bytes:
        """Return all counters as text, those of the other workers included."""
        registry = self.registry
        if SHARED in os.environ:
            _forget_dead_workers(Path(os.environ[SHARED]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _forget_dead_workers(folder: Path) -> None:
    """Remove the gauges of workers that have ended from the sums; their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not is_running(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
