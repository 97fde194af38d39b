"""Run the application in this process: sockets, TLS, and an end that finishes what is in flight."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from emovox.runtime.predictor import Predictor
from emovox.schema.processes import ending_signals, is_haste
from emovox.serving.app import Service, create_app
from emovox.serving.http_protocol import HttpProtocol
from emovox.serving.settings import Settings
from emovox.serving.settings_sources import SettingsError
from emovox.serving.websocket_protocol import WebSocketProtocol

BACKLOG = 2048
"""Connections that may wait to be accepted."""

log = logging.getLogger("emovox.serving")

_SPARE_CONNECTIONS = 256  # besides two a stream; beyond it a request gets 503, as does a WebSocket beyond half of all
_POLL_SECONDS = 0.05


class Server(uvicorn.Server):
    """uvicorn's server, which lets streams finish before it closes their connections.

    The first signal ends it gracefully, the second at once. It ends with a return, not by raising the signal again.

    Args:
        config: of uvicorn.
        service: what to drain.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, drain the streams, then close the connections."""
        for server in self.servers:
            server.close()
        draining = asyncio.create_task(self.service.drain(self.service.settings.shutdown_seconds))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=_POLL_SECONDS)
        draining.cancel()
        if self.force_exit:
            self.service.analysts.cancel()
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn just leaves: requests would end with a traceback instead of an answer
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first ends it gracefully, one that `is_haste` at once."""
        del frame
        if is_haste(sig, again=self.should_exit):
            self.force_exit = self.service.analysts.in_haste = True
        self.should_exit = True

    def leave(self) -> None:
        """End the process where a thread is stuck, once all else is done: Python would wait for it for ever."""
        if self.service.analysts.is_stuck:
            log.warning("an analysis did not stop in time; it ends with the process")
            logging.shutdown()
            os._exit(0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals while it runs; only the main thread can."""
        main = threading.current_thread() is threading.main_thread()
        before = {number: signal.signal(number, self.handle_exit) for number in ending_signals() if main}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def make_server(settings: Settings, predictor: Predictor, *, jobs: Path) -> Server:
    """Make a server; `run(sockets=[listener])` serves until a signal comes.

    Args:
        settings: all settings.
        predictor: the model.
        jobs: an existing private folder.
    """
    app = create_app(settings, predictor, jobs=jobs)
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=settings.max_frame_kb * 1000,
        ws_ping_interval=None,  # a client that is made to wait would not be heard to answer; idle streams are closed
        ws_per_message_deflate=False,  # 300 kB a stream, and audio hardly shrinks
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=2 * service.about.most_streams + _SPARE_CONNECTIONS,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
        ssl_certfile=settings.ssl_cert,
        ssl_keyfile=settings.ssl_key,
    )
    return Server(config, service)


def listen(settings: Settings) -> socket.socket:
    """Open the socket of the service.

    Raises:
        SettingsError: the address is taken, not this machine's, or none at all.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except (OSError, TypeError, ValueError) as error:  # a name that cannot be encoded is one of the latter
        listener.close()
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port} ({getattr(error, 'strerror', None) or error}); "
            "choose another --port, or a --host of this machine"
        ) from error
    listener.set_inheritable(True)
    return listener


def check_certificate(settings: Settings) -> None:
    """Check that the certificate and its key can be used.

    Raises:
        SettingsError: they cannot.
    """
    if settings.ssl_cert is None:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.ssl_cert, settings.ssl_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"ssl_cert {settings.ssl_cert} and ssl_key {settings.ssl_key}: cannot be used ({error}); "
            "give a certificate chain and its own key as PEM files"
        ) from error
