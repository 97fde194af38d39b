"""Middleware around every HTTP request: key, security headers, one log line, counters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emovox.schema.errors import EmovoxError
from emovox.serving.errors import CLOSING, ClosingError, HostError
from emovox.serving.keys import KeyRing, check_host, check_origin, hosts_of, key_in
from emovox.serving.metrics import Metrics
from emovox.serving.responses import error_response
from emovox.serving.settings import ServiceSettings

SECURITY_HEADERS = {
    "Cache-Control": "no-store",  # answers are private, and all files of a wheel have the same age
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; img-src 'self' blob: data:; "
        "style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers that every answer gets unless its route sets them."""

STREAM = "/v1/stream"
"""Path of the only WebSocket."""

log = logging.getLogger("emovox.serving")


class Access:
    """The middleware that checks, counts and logs each request.

    Args:
        app: the application inside.
        keys: the keys for paths that begin with `/v1/`, and for `/metrics`.
        settings: `open_metrics`, `cors` and the host names.
        metrics: counts requests by route, never by path.
        requests: receives the tasks of the requests in flight; a cancelled task answers 503.
        is_ready: returns whether the service takes requests under `/v1/`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing,
        settings: ServiceSettings,
        metrics: Metrics,
        requests: set[asyncio.Task[Any]],
        is_ready: Callable[[], bool],
    ) -> None:
        self._app, self._keys, self._metrics = app, keys, metrics
        self._requests, self._is_ready = requests, is_ready
        self._open_metrics, self._cors, self._hosts = settings.open_metrics, settings.cors, hosts_of(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. The key of a WebSocket is checked later: browsers send it in the first message."""
        if scope["type"] == "websocket" and (scope["path"] != STREAM or not self._knows_host(scope)):
            await send({"type": "websocket.close"})  # 403; the files of the page would take it for a request
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        self._requests.add(task)
        try:
            await self._serve(scope, receive, send)
        finally:
            self._requests.discard(task)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            """Send a message, with security headers in a response."""
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, answer)
        except EmovoxError as error:
            await error_response(error)(scope, receive, answer)
        except asyncio.CancelledError:  # only the end of the service cancels a request
            if not status:
                await error_response(ClosingError(CLOSING))(scope, receive, answer)
        finally:
            self._count(scope, status or 500, time.perf_counter() - begun)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        check_host(headers, allowed=self._hosts)
        if scope["method"] in ("POST", "PUT", "DELETE"):  # CORS only hides the answer from a page
            check_origin(headers, allowed=self._cors)
        if self._is_guarded(scope):
            self._keys.check(key_in(headers))
        if scope["path"].startswith("/v1/") and not self._is_ready():
            raise ClosingError(CLOSING)

    def _knows_host(self, scope: Scope) -> bool:
        try:
            check_host(Headers(scope=scope), allowed=self._hosts)
        except HostError:
            return False
        return True

    def _is_guarded(self, scope: Scope) -> bool:
        path, preflight = scope["path"], scope["method"] == "OPTIONS"
        return not preflight and (path.startswith("/v1/") or (path == "/metrics" and not self._open_metrics))

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = str(getattr(scope.get("route"), "path", "other"))
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        facts = {"method": scope["method"], "route": route, "status": status, "ms": round(1000 * seconds, 1)}
        log.info("request", extra=facts)
