"""The HTTP routes for recordings: `/v1/emotions`, and `/v1/jobs` for long ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute

from emovox.audio.types import parse_channels, parse_raw
from emovox.runtime.predictor import Predictor
from emovox.schema.card import ModelCard
from emovox.schema.errors import EmovoxError
from emovox.schema.result import ModelInfo, Notice, Result, rounded
from emovox.serving.errors import CLOSING, BusyError, CancelledError, ClosingError, InternalError, RequestError
from emovox.serving.http.analysis import Analysis, AnalysisPool, BecomesJob
from emovox.serving.http.api_docs import DELETE_JOB, EMOTIONS, JOB
from emovox.serving.http.jobs import AnalysisJob, JobStore, job_body
from emovox.serving.http.uploads import Upload, receive_upload
from emovox.serving.metrics import Metrics
from emovox.serving.models import OfferedModels
from emovox.serving.responses import json_response
from emovox.serving.settings import ServiceSettings

PROGRESS_SECONDS = 0.5
"""Least seconds between two writes of a job's progress to the disk."""

SWEEP_SECONDS = 30.0
"""Seconds between two searches for expired jobs."""

T = TypeVar("T")

log = logging.getLogger("emovox.serving")


class Emotions:
    """The routes `/v1/emotions` and `/v1/jobs`.

    Args:
        models: the models that uploads may ask for.
        analyses: the threads that analyse.
        jobs: the jobs of all workers.
        settings: the limits.
        metrics: the counters.
    """

    def __init__(
        self,
        models: OfferedModels,
        *,
        analyses: AnalysisPool,
        jobs: JobStore,
        settings: ServiceSettings,
        metrics: Metrics,
    ) -> None:
        self._models, self._analyses, self._jobs = models, analyses, jobs
        self._settings, self._metrics = settings, metrics
        self._pending: dict[str, tuple[Analysis, Future[None]]] = {}

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(dependencies=[Depends(_check_parameters)])
        router.add_api_route("/v1/emotions", self.analyse, methods=["POST"], **EMOTIONS)
        router.add_api_route("/v1/jobs/{name}", self.job, methods=["GET"], **JOB)
        router.add_api_route("/v1/jobs/{name}", self.delete_job, methods=["DELETE"], **DELETE_JOB)
        return router

    async def analyse(
        self,
        request: Request,
        channels: Annotated[str, Query(description="`mix`, `split`, or the number of one channel, from 0")] = "mix",
        threshold: Annotated[float | None, Query(ge=0, le=1, description="no label below this score")] = None,
        model: Annotated[
            str | None, Query(description="an `offered` one of /v1/models; the default unless given")
        ] = None,
        track: Annotated[int | None, Query(ge=0, description="audio track of a video, from 0")] = None,
        raw: Annotated[
            str | None, Query(description="bare samples of one channel: encoding and rate, such as `mulaw,8000`")
        ] = None,
    ) -> Response:
        """Return the emotions in a recording as a timeline."""
        choice = _parsed(parse_channels, channels, "channels")
        form = None if raw is None else _parsed(parse_raw, raw, "raw")
        self._models.check(model)
        with self._metrics.uploads.track_inprogress():
            upload = await self._receive(request)
            analysis = Analysis(
                upload,
                predictor=await self._load(upload, model),
                channels=choice,
                threshold=threshold,
                max_seconds=self._settings.max_seconds,
                track=track,
                raw=form,
            )
            return await self._answer(request, analysis)

    async def watch(self) -> None:
        """Delete expired jobs, again and again until cancelled: results do not stay until the next job comes."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await asyncio.to_thread(self._jobs.sweep)
            except OSError as error:
                log.warning("jobs cannot be swept", extra={"reason": error.strerror})

    async def job(self, name: str) -> Response:
        """Return the state of a job, with `result` or `error` once it has ended."""
        return json_response(job_body(self._jobs.read(name)))

    async def delete_job(self, name: str) -> Response:
        """Cancel a job, or delete its result."""
        self._jobs.delete(name)
        if pending := self._pending.get(
            name
        ):  # a job of another worker stops when that worker next writes its progress
            analysis, future = pending
            analysis.cancel()
            if future.cancel():
                self._metrics.jobs.labels("cancelled").inc()
        return Response(status_code=204)

    async def _receive(self, request: Request) -> Upload:
        with self._analyses.reception():
            return await receive_upload(
                request,
                max_bytes=round(self._settings.max_upload_mb * 1e6),
                slowest=self._settings.slowest_upload_kb * 1e3,
            )

    async def _load(self, upload: Upload, model: str | None) -> Predictor:
        try:
            return await asyncio.to_thread(self._models.get, model)
        except BaseException:
            upload.close()
            raise

    async def _answer(self, request: Request, analysis: Analysis) -> Response:
        analysis.answer_seconds = self._settings.answer_seconds
        try:
            future = self._analyses.answer(analysis)
        except BusyError:
            analysis.close()
            raise
        kept = False
        try:
            result = await _wait_for_result(future, request)
            self._metrics.audio_seconds.labels("upload").inc(result.duration)
            return json_response(_row(result, analysis.card))
        except BecomesJob:
            job = self._start_job(analysis)
            kept = True
            return json_response(job_body(job), status=202, headers={"Location": f"/v1/jobs/{job.id}"})
        finally:
            if not kept:
                analysis.cancel()
                future.cancel()
                future.add_done_callback(lambda _: analysis.close())  # now, or when its thread has stopped
            del future  # it holds the error, whose traceback holds this frame

    def _start_job(self, analysis: Analysis) -> AnalysisJob:
        if len(self._pending) >= self._settings.max_jobs:  # a deleted job may still wait or run
            raise BusyError(f"{len(self._pending)} jobs wait or run here, which is the limit; try again later")
        job = self._jobs.create()
        analysis.answer_seconds = None
        future = self._analyses.job(analysis, lambda: self._work(job, analysis))
        self._pending[job.id] = analysis, future
        future.add_done_callback(lambda _: self._job_ended(job.id, analysis))
        return job

    def _job_ended(self, name: str, analysis: Analysis) -> None:
        self._pending.pop(name, None)
        analysis.close()

    def _work(self, job: AnalysisJob, analysis: Analysis) -> None:
        """Run a job in the thread of the jobs, and write its outcome unless the job was deleted."""
        reported = -math.inf

        # no reference to the analysis, which holds this function: that would be a cycle
        def report(progress: float) -> None:
            """Write the progress in [0, 1] of the job, at most every `PROGRESS_SECONDS`."""
            nonlocal reported
            if time.monotonic() - reported >= PROGRESS_SECONDS:
                reported = time.monotonic()
                with contextlib.suppress(OSError):  # only the final state matters, and the disk may have room by then
                    self._jobs.write(AnalysisJob(job.id, "running", progress))

        analysis.on_progress = report
        try:
            report(0.0)
            result = analysis.run()
            self._metrics.audio_seconds.labels("upload").inc(result.duration)
            row = msgspec.Raw(msgspec.json.encode(_row(result, analysis.card)))
            self._jobs.write(AnalysisJob(job.id, "done", 1.0, result=row))
            self._metrics.jobs.labels("done").inc()
        except CancelledError:
            self._metrics.jobs.labels("cancelled").inc()
        except EmovoxError as error:
            self._fail(job, analysis, error)
        except Exception:
            log.exception("job failed")
            self._fail(job, analysis, InternalError("the service has a fault; its log has the details, try again"))

    def _fail(self, job: AnalysisJob, analysis: Analysis, error: EmovoxError) -> None:
        self._metrics.jobs.labels("failed").inc()
        try:
            self._jobs.fail(AnalysisJob(job.id, "failed", analysis.progress, error=Notice(error.code, str(error))))
        except CancelledError:
            pass  # the job was deleted
        except OSError:
            log.exception("the end of a job cannot be written")


def _row(result: Result, card: ModelCard) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(rounded(result))
    return {"model": msgspec.to_builtins(ModelInfo(card.name, card.version))} | row


async def _check_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have: FastAPI would ignore a misspelt one.

    Raises:
        RequestError: a parameter is unknown, or is given twice.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = [parameter.alias for parameter in route.dependant.query_params]
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            raise RequestError(
                f"got a query parameter '{name[:40]}', expected {' or '.join(known) or 'none'}; see /docs"
            )
        if given.count(name) > 1:
            raise RequestError(f"got the query parameter {name} {given.count(name)} times, expected it once; send one")


def _parsed(parse: Callable[[str], T], text: str, name: str) -> T:
    """Return the value of a query parameter.

    Raises:
        RequestError: `parse` raises a ValueError.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise RequestError(f"{name}: {error}") from error


async def _wait_for_result(future: Future[Result], request: Request) -> Result:
    """Return the result of an analysis, unless the client leaves first.

    Raises:
        CancelledError: the client has left.
        ClosingError: the shutdown has stopped the analysis.
        Exception: as `Analysis.run`.
    """
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(_retrieve_error)
    leaving = asyncio.create_task(_wait_until_gone(request))
    both: list[asyncio.Future[Any]] = [waiting, leaving]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
    except CancelledError:
        raise ClosingError(CLOSING) from None
    finally:
        leaving.cancel()
        del future, waiting, both  # they hold the error, whose traceback holds this frame and all of the audio
    raise CancelledError("the client has left")


def _retrieve_error(future: asyncio.Future[Any]) -> None:
    """Retrieve the error of an abandoned analysis: asyncio would otherwise log it, with the name of the file."""
    if not future.cancelled():
        future.exception()


async def _wait_until_gone(request: Request) -> None:
    """Wait until the client closes the connection; the body is already read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
