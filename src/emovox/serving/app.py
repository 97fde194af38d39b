"""The ASGI application that `emovox serve` runs; tests and other ASGI servers can run it, too."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from emovox import __version__
from emovox.audio.child import start_helper
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import EmovoxError
from emovox.schema.processes import usable_cores
from emovox.serving.capacity import measure_streams
from emovox.serving.errors import MethodError, NotFoundError, RequestError, StorageError
from emovox.serving.http.about import About
from emovox.serving.http.access import SECURITY_HEADERS, STREAM, Access
from emovox.serving.http.analysis import AnalysisPool
from emovox.serving.http.api_docs import DESCRIPTION, METRICS, STYLE, docs_page, schemas
from emovox.serving.http.emotions import Emotions
from emovox.serving.http.jobs import JobStore
from emovox.serving.http.speakers import Speakers
from emovox.serving.keys import KeyRing
from emovox.serving.live.streams import Streams
from emovox.serving.metrics import CONTENT_TYPE, Metrics
from emovox.serving.models import OfferedModels
from emovox.serving.responses import error_response, internal_error
from emovox.serving.settings import ServiceSettings, all_keys
from emovox.serving.shutdown import Shutdown
from emovox.serving.speakers import TaughtSpeakers

log = logging.getLogger("emovox.serving")

STATIC = Path(__file__).parent / "static"
"""Folder of the page, built from web/; it is served if it exists."""

LOCAL = "/local/"
"""Path of the page that recognises in the browser alone."""

LOCAL_POLICY = f"script-src 'self' 'wasm-unsafe-eval'; {SECURITY_HEADERS['Content-Security-Policy']}"
"""Its policy allows WebAssembly."""

_POLL_SECONDS = 0.02
"""Seconds between two looks at what is still in flight while the service ends."""


class Service:
    """The parts of a running service.

    Args:
        settings: the limits; `max_streams` 0 is measured here.
        predictor: the model.
        jobs: an existing folder that only this user may read.
    """

    def __init__(self, settings: ServiceSettings, predictor: Predictor, *, jobs: Path) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.keys = KeyRing(all_keys(settings))
        max_streams = settings.max_streams or measure_streams(predictor, cores=cores_of(settings))
        self.pipeline = Pipeline(predictor, threads=settings.threads or max(1, cores_of(settings) - 1))
        limits = settings.model_copy(update={"max_streams": max_streams})
        self.speakers = TaughtSpeakers(settings, predictor, self.keys)
        self.streams = Streams(
            self.pipeline, settings=limits, keys=self.keys, speakers=self.speakers, metrics=self.metrics
        )
        self.analyses = AnalysisPool(settings)
        store = JobStore(jobs, most=settings.max_jobs, seconds=settings.job_seconds)
        self.models = OfferedModels(predictor, settings)
        self.emotions = Emotions(
            self.models,
            analyses=self.analyses,
            jobs=store,
            speakers=self.speakers,
            settings=settings,
            metrics=self.metrics,
        )
        self.teaching = Speakers(
            self.models, speakers=self.speakers, analyses=self.analyses, settings=settings, metrics=self.metrics
        )
        self.about = About(self.models, most_streams=max_streams, streams=lambda: len(self.streams))
        self.requests: set[asyncio.Task[Any]] = set()
        self.shutdown = Shutdown(drain=self._drain, cancel=self._cancel)

    @contextlib.asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Run the parts while the application runs; afterwards no thread and no file is left."""
        watches = [asyncio.create_task(part.watch()) for part in (self.streams, self.emotions)]
        with self.shutdown.ready():
            await asyncio.to_thread(start_helper, media=True)  # 0.5 s that the first upload does not wait
            self.about.is_ready = True
            try:
                yield
            finally:
                for watch in watches:
                    watch.cancel()
                self.about.is_ready = False
                self.streams.stop()
                self.models.stop()
                await asyncio.to_thread(self.analyses.close)
                await asyncio.to_thread(self.pipeline.close)
                self.models.resume()  # the caller's model outlives the service
        if parent_process() is not None:
            self.leave()

    def leave(self) -> None:
        """End the process if a thread is stuck: Python would wait for it without end. Call it last."""
        if self.analyses.is_stuck:
            log.warning("an analysis did not stop in time; it ends with the process")
            logging.shutdown()
            os._exit(0)

    async def _drain(self) -> None:
        """Refuse new work, and finish the streams and requests in flight, for up to `shutdown_seconds`."""
        self.about.is_ready = False
        self.streams.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.shutdown_seconds):
                while len(self.streams) or self.requests:
                    await asyncio.sleep(_POLL_SECONDS)

    def _cancel(self, forced: bool) -> None:
        """Cancel what is still in flight; each request gets 503 `shutting_down`."""
        self.analyses.forced_exit |= forced
        self.analyses.cancel()
        for request in self.requests:
            request.cancel()


def create_app(settings: ServiceSettings, predictor: Predictor, *, jobs: Path) -> FastAPI:
    """Make the application.

    Args:
        settings: all settings; `max_streams` 0 is measured here.
        predictor: the model.
        jobs: an existing folder for the states of jobs. Only this user may read it; all workers share it.

    Returns:
        The application; `app.state.service` is its `Service`.
    """
    service = Service(settings, predictor, jobs=jobs)
    app = FastAPI(
        title="emovox",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=service.running,
    )
    app.state.service = service
    app.include_router(service.emotions.router())
    app.include_router(service.teaching.router())
    app.include_router(service.about.router())
    app.router.routes.append(WebSocketRoute(STREAM, service.streams.handle))
    _add_metrics(app, service)
    _add_docs(app, service)
    _add_errors(app)
    if STATIC.is_dir():
        # Not a mount: a mount would also answer what a route refuses, such as a PUT.
        app.router.default = _Page(directory=STATIC, html=True)
    app.add_middleware(
        Access,
        keys=service.keys,
        settings=settings,
        metrics=service.metrics,
        requests=service.requests,
        is_ready=lambda: service.about.is_ready,
    )
    if settings.cors:  # outside of Access, so that pages can read its errors
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "X-API-Key"],
            expose_headers=["Location", "Retry-After"],
        )
    return app


class _Page(StaticFiles):
    """The files of the page; they answer the paths that no route has."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; paths under /v1/, other spellings of a path, and methods other than GET and HEAD get 404."""
        is_exact = scope["path"] in ("/", LOCAL, f"/{path}")  # not /worklet.js/, //worklet.js, /./worklet.js
        if not is_exact or scope["path"].startswith("/v1/") or scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        if scope["path"].startswith(LOCAL):
            response.headers["Content-Security-Policy"] = LOCAL_POLICY
        return response


def cores_of(settings: ServiceSettings) -> int:
    """Return the number of processor cores for each worker, at least 1."""
    return max(1, usable_cores() // settings.workers)


def _add_metrics(app: FastAPI, service: Service) -> None:
    async def metrics() -> Response:
        """Return the counters in the text format of Prometheus."""
        service.metrics.follow(service.pipeline.counts)
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app.add_api_route("/metrics", metrics, methods=["GET"], **METRICS)


def _add_docs(app: FastAPI, service: Service) -> None:
    def openapi() -> dict[str, Any]:
        """Return the OpenAPI document, made on the first call."""
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _leave_out_validation(document)
            components = document.setdefault("components", {})
            components["schemas"] = schemas()
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            if not service.keys.is_open:
                document["security"] = [{"key": []}]
                for path in ("/healthz", *(["/metrics"] if service.settings.open_metrics else [])):
                    document["paths"][path]["get"]["security"] = []
            app.openapi_schema = document
        return app.openapi_schema

    async def docs() -> Response:
        """Return the page of the documentation."""
        return Response(docs_page(app.openapi()), media_type="text/html")

    async def style() -> Response:
        """Return the style sheet of the documentation."""
        return Response(STYLE, media_type="text/css")

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/docs/style.css", style, include_in_schema=False)


def _leave_out_validation(document: dict[str, Any]) -> None:
    """Remove the answer 422 that FastAPI adds to each route with a parameter: this service never gives it."""
    for methods in document["paths"].values():
        for operation in methods.values():
            if operation["responses"].get("422", {}).get("description") == "Validation Error":
                del operation["responses"]["422"]


def _add_errors(app: FastAPI) -> None:
    async def known(_: Request, error: Exception) -> Response:
        """Return an error of emovox with its code."""
        assert isinstance(error, EmovoxError)
        return error_response(error)

    async def invalid(_: Request, error: Exception) -> Response:
        """Return the first parameter that is not valid."""
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return error_response(RequestError(f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}; see /docs"))

    async def refused(request: Request, error: Exception) -> Response:
        """Return an error of routing: unknown page, method not allowed, others."""
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return error_response(NotFoundError(f"got no page {request.url.path[:80]}, expected one listed at /docs"))
        if error.status_code == 405:
            return _bad_method(request)
        return error_response(RequestError(f"{error.detail}; see /docs"))

    async def disk_full(_: Request, error: Exception) -> Response:
        """Return and log the error of a full disk; raise other errors of the system."""
        assert isinstance(error, OSError)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        log.error("the disk is full", extra={"reason": error.strerror})
        return error_response(StorageError("the disk of the service is full; try again later, or send a shorter file"))

    async def fault(_: Request, __: Exception) -> Response:
        """Return an internal error without details."""
        return internal_error()  # uvicorn logs it

    app.add_exception_handler(EmovoxError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(OSError, disk_full)
    app.add_exception_handler(Exception, fault)


def _bad_method(request: Request) -> Response:
    route = getattr(request.scope.get("route"), "path", "")
    allowed = ", ".join(request.app.openapi()["paths"].get(route, {"get": {}})).upper()
    message = f"got {request.method[:20]} {request.url.path[:80]}, expected {allowed}; see /docs"
    response = error_response(MethodError(message))
    response.headers["Allow"] = allowed
    return response
