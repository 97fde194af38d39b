"""`emovox serve` from settings to the end: load, measure, tell, serve."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from emovox import __version__
from emovox.runtime.predictor import load
from emovox.schema.card import ModelCard
from emovox.schema.processes import usable_cores
from emovox.serving.capacity import measure_streams
from emovox.serving.keys import is_local
from emovox.serving.logs import set_up
from emovox.serving.settings import Settings
from emovox.serving.settings_sources import all_keys
from emovox.serving.workplace import workplace

log = logging.getLogger("emovox.serving")


def serve(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Args:
        settings: all settings.
        say: shows text to whoever started it; with `log` json a line of the log says the same.

    Raises:
        SettingsError: the address, the certificate or the keys cannot be used.
        EmovoxError: the model cannot be loaded, or workers die young.
    """
    set_up(settings)
    predictor = load(settings.model)
    measured = measure_streams(predictor, cores=max(1, usable_cores() // settings.workers))
    settings = msgspec.structs.replace(settings, max_streams=settings.max_streams or measured)
    with contextlib.ExitStack() as end, workplace() as folder:
        if settings.workers > 1:
            _share_metrics(folder / "metrics")
        from emovox.serving.server import check_certificate, listen, make_server  # after the counters' folder is known
        from emovox.serving.workers import Workers

        check_certificate(settings)
        with listen(settings) as listener:
            facts = _facts(settings, predictor.card, measured=measured, port=listener.getsockname()[1])
            if settings.log == "json":
                log.info("ready", extra=facts)
            else:
                say(_greeting(facts))
            if not all_keys(settings) and not is_local(settings.host):
                log.warning("everybody who can reach this address may use it; set keys, see docs/service.md")
            if settings.workers == 1:
                server = make_server(settings, predictor, jobs=folder / "jobs")
                end.callback(server.leave)  # after the folder is deleted
                server.run(sockets=[listener])
            else:
                del predictor  # each worker loads its own
                Workers(settings, listener, folder=folder).run()


def _facts(settings: Settings, card: ModelCard, *, measured: int, port: int) -> dict[str, Any]:
    scheme = "http" if settings.ssl_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "version": __version__,
        "model": f"{card.name} {card.version}",
        "licence": card.licence,
        "licence_risk": card.licence_risk,
        "url": f"{scheme}://{host}:{port}",
        "streams_measured": measured * settings.workers,
        "streams_most": settings.max_streams * settings.workers,
        "cores": usable_cores(),
        "workers": settings.workers,
    }


def _greeting(facts: dict[str, Any]) -> str:
    workers = "" if facts["workers"] == 1 else f" in {facts['workers']} workers"
    return (
        f"emovox {facts['version']} serves {facts['model']} at {facts['url']}{workers}\n"
        f"  weights: {facts['licence']}; risk: {facts['licence_risk']}\n"
        f"  streams: about {facts['streams_measured']} live ones on {facts['cores']} cores, measured just now; "
        f"{facts['streams_most']} at most\n"
        "  never for workers, applicants, pupils or students: prohibited in the EU (RESPONSIBLE_USE.md)\n"
        "  Ctrl-C ends it, after the streams in flight"
    )


def _share_metrics(folder: Path) -> None:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
