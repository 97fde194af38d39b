"""Run `emovox serve`: load the model, measure, print what is served, run uvicorn until a signal comes."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from emovox import __version__
from emovox.runtime.adapted import adapted_predictor
from emovox.runtime.predictor import Predictor, load
from emovox.schema.card import ModelCard
from emovox.schema.processes import usable_cores
from emovox.schema.text import printable
from emovox.serving.app import cores_of, create_app
from emovox.serving.capacity import measure_streams
from emovox.serving.connections import Connection, most_connections
from emovox.serving.keys import is_local
from emovox.serving.logs import set_up
from emovox.serving.metrics import SHARED
from emovox.serving.models import further_models
from emovox.serving.settings import ServiceSettings, SettingsError, all_keys
from emovox.serving.stderr import take_stderr
from emovox.serving.workplace import workplace

BACKLOG = 2048
"""Connections that may wait to be accepted; uvicorn's default."""

SEND_BYTES = 64 * 1024
"""Bytes that the system buffers for a client that does not read: two minutes of events. The system's default grows to
megabytes, and a slow reader would be noticed too late."""

SPARE_CONNECTIONS = 256
"""Connections besides two per stream; above the sum a request gets 503."""

LAST_SECONDS = 5
"""Seconds for clients to read the last bytes after all streams and requests have ended."""

HEALTHCHECK_SECONDS = 30
"""Seconds in which a worker must answer uvicorn, or uvicorn replaces it; a model loads slowly on a busy machine."""

WORKPLACE = "EMOVOX_WORKPLACE"
"""Environment variable with the private folder, where workers find their settings."""

log = logging.getLogger("emovox.serving")


def serve(settings: ServiceSettings, *, say: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Args:
        settings: all settings.
        say: prints text for the user; with `log` json a line of the log has the same facts.

    Raises:
        SettingsError: the address, the certificate, the keys or `models` cannot be used.
        EmovoxError: the model cannot be loaded.
    """
    handler = set_up(settings, supervises=settings.workers > 1)
    if settings.workers == 1 and settings.log == "json":
        take_stderr(handler)
    predictor = load_model(settings)
    measured = measure_streams(predictor, cores=cores_of(settings))
    settings = settings.model_copy(update={"max_streams": settings.max_streams or measured})
    check_certificate(settings)
    further_models(settings)
    stuck: Callable[[], None] = lambda: None  # noqa: E731
    with workplace() as folder, listen(settings) as listener:
        _announce(settings, _facts(settings, predictor.card, measured, listener.getsockname()[1]), say)
        if settings.workers == 1:
            if settings.log == "text":
                take_stderr(handler)  # after the greeting, which is no line of the log
            stuck = _serve_here(settings, predictor, listener, folder)
        else:
            del predictor  # each worker loads the model
            _serve_in_workers(settings, listener, folder)
    stuck()  # after the folder is deleted


def make_server(settings: ServiceSettings, app: FastAPI) -> uvicorn.Server:
    """Return a server for this process; `run(sockets=[listener])` serves until a signal comes."""
    server = uvicorn.Server(uvicorn.Config(app, **options(settings)))
    app.state.service.shutdown.stop = lambda: setattr(server, "should_exit", True)
    return server


def worker_app() -> FastAPI:
    """Return the application of a worker; uvicorn calls this in each worker."""
    folder = Path(os.environ[WORKPLACE])
    settings = ServiceSettings.model_validate_json((folder / "settings.json").read_bytes())
    take_stderr(set_up(settings))
    return create_app(settings, load_model(settings), jobs=folder / "jobs")


def load_model(settings: ServiceSettings) -> Predictor:
    """Return the model of the service, adapted to its speaker and source.

    Raises:
        EmovoxError: it cannot be loaded, or it cannot adapt to them.
    """
    return adapted_predictor(
        load(settings.model, head=settings.head), settings.speaker, settings.source, adapt=settings.learn
    )


def options(settings: ServiceSettings) -> dict[str, Any]:
    """Return the options of uvicorn, the same for one process and for several."""
    return {
        "http": Connection,  # h11: bounds headers, trailers and pipelined requests in memory; httptools does not
        "ws": "websockets-sansio",
        "ws_max_size": settings.max_frame_kb * 1000,
        "ws_ping_interval": None,  # pongs of a client that has to wait stay unread; `idle_seconds` ends dead streams
        "ws_per_message_deflate": False,  # 300 kB a stream, and audio hardly shrinks
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": most_connections(2 * settings.max_streams + SPARE_CONNECTIONS),
        "timeout_graceful_shutdown": LAST_SECONDS,
        "ssl_certfile": settings.ssl_cert,
        "ssl_keyfile": settings.ssl_key,
    }


def listen(settings: ServiceSettings) -> socket.socket:
    """Return the listening socket of the service; the connections that it accepts inherit its options.

    Raises:
        SettingsError: the address is taken, is not of this machine, or is no address.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except (OSError, TypeError, ValueError) as error:  # a name that cannot be encoded is one of the latter
        listener.close()
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port} ({getattr(error, 'strerror', None) or error}); "
            "choose another --port, or a --host of this machine"
        ) from error
    return listener


def check_certificate(settings: ServiceSettings) -> None:
    """Check that the certificate and its key can be read and belong together.

    Raises:
        SettingsError: they cannot be used.
    """
    if settings.ssl_cert is None:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.ssl_cert, settings.ssl_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"ssl_cert {settings.ssl_cert} and ssl_key {settings.ssl_key}: cannot be used ({error}); "
            "give a certificate chain and its private key as PEM files"
        ) from error


def _serve_here(
    settings: ServiceSettings, predictor: Predictor, listener: socket.socket, folder: Path
) -> Callable[[], None]:
    app = create_app(settings, predictor, jobs=folder / "jobs")
    make_server(settings, app).run(sockets=[listener])
    leave: Callable[[], None] = app.state.service.leave
    return leave


def _serve_in_workers(settings: ServiceSettings, listener: socket.socket, folder: Path) -> None:
    """Let uvicorn start the workers, replace one that ends, and stop them together."""
    os.environ[WORKPLACE] = str(folder)
    os.environ[SHARED] = str(folder / "metrics")
    (folder / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
    uvicorn.run(
        "emovox.serving.run:worker_app",
        factory=True,
        fd=listener.fileno(),
        workers=settings.workers,
        timeout_worker_healthcheck=HEALTHCHECK_SECONDS,
        **options(settings),
    )


def _facts(settings: ServiceSettings, card: ModelCard, measured: int, port: int) -> dict[str, Any]:
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


def _announce(settings: ServiceSettings, facts: dict[str, Any], say: Callable[[str], None]) -> None:
    if settings.log == "json":
        log.info("ready", extra=facts)
    else:
        say(_greeting(facts))
    if not all_keys(settings) and not is_local(settings.host):
        log.warning("everyone who can reach this address may use it; set keys, see docs/service.md")


def _greeting(facts: dict[str, Any]) -> str:
    workers = "" if facts["workers"] == 1 else f" in {facts['workers']} workers"
    facts = {name: printable(str(value)) for name, value in facts.items()}  # a card is text from strangers
    return (
        f"emovox {facts['version']} serves {facts['model']} at {facts['url']}{workers}\n"
        f"  weights: {facts['licence']}; risk: {facts['licence_risk']}\n"
        f"  streams: about {facts['streams_measured']} live ones on {facts['cores']} cores, measured just now; "
        f"{facts['streams_most']} at most\n"
        "  never for workers, applicants, pupils or students: prohibited in the EU (RESPONSIBLE_USE.md)\n"
        "  Ctrl-C ends it, after the streams in flight"
    )
