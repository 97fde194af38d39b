"""The HTTP routes for recordings: `/v1/emotions`, and `/v1/jobs` for long ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, BinaryIO

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from emovox.audio.types import ChannelChoice, Reading, parse_channels, parse_raw
from emovox.fusion.modalities import VOICE
from emovox.runtime.first_pass import BlockObserver
from emovox.runtime.predictor import Predictor
from emovox.runtime.second_pass import Adapt
from emovox.schema.errors import EmovoxError
from emovox.schema.result import ModelInfo, Notice, rounded
from emovox.serving.errors import BusyError, CancelledError, InternalError, RequestError
from emovox.serving.http.analysis import Analysis, AnalysisPool, BecomesJob
from emovox.serving.http.api_docs import DELETE_JOB, EMOTIONS, JOB
from emovox.serving.http.beside import BesideVoice, beside_voice
from emovox.serving.http.jobs import AnalysisJob, JobStore, job_body
from emovox.serving.http.requests import check_parameters, closing_on_error, parsed, receive, wait_for_result
from emovox.serving.keys import key_in
from emovox.serving.metrics import Metrics
from emovox.serving.models import OfferedModels
from emovox.serving.responses import json_response
from emovox.serving.settings import ServiceSettings
from emovox.serving.speakers import TaughtSpeaker, TaughtSpeakers

PROGRESS_SECONDS = 0.5
"""Least seconds between two writes of a job's progress to the disk."""

ADAPTS: tuple[Adapt, ...] = ("recording", "channel")
"""Values of the query parameter `adapt`."""

SWEEP_SECONDS = 30.0
"""Seconds between two searches for expired jobs."""

Row = dict[str, Any]
"""A row of `emovox predict --format json`, with the key `model`."""

log = logging.getLogger("emovox.serving")


class Emotions:
    """The routes `/v1/emotions` and `/v1/jobs`.

    Args:
        models: the models that uploads may ask for.
        analyses: the threads that analyse.
        jobs: the jobs of all workers.
        speakers: those that uploads may name.
        settings: the limits.
        metrics: the counters.
    """

    def __init__(
        self,
        models: OfferedModels,
        *,
        analyses: AnalysisPool,
        jobs: JobStore,
        speakers: TaughtSpeakers,
        settings: ServiceSettings,
        metrics: Metrics,
    ) -> None:
        self._models, self._analyses, self._jobs = models, analyses, jobs
        self._speakers = speakers
        self._settings, self._metrics = settings, metrics
        self._pending: dict[str, tuple[Analysis[Row], Future[None]]] = {}

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(dependencies=[Depends(check_parameters)])
        router.add_api_route("/v1/emotions", self.analyse, methods=["POST"], **EMOTIONS)
        router.add_api_route("/v1/jobs/{name}", self.job, methods=["GET"], **JOB)
        router.add_api_route("/v1/jobs/{name}", self.delete_job, methods=["DELETE"], **DELETE_JOB)
        return router

    async def analyse(
        self,
        request: Request,
        channels: Annotated[str, Query(description="`mix`, `split`, or the number of one channel, from 0")] = "mix",
        threshold: Annotated[float | None, Query(ge=0, le=1, description="no label below this score")] = None,
        coverage: Annotated[
            int | None, Query(description="percent: sets of labels that hold the true one with this probability")
        ] = None,
        modalities: Annotated[
            str, Query(description="`voice`, or with `face` (of a video), `text` (of the part `transcript`), or both")
        ] = VOICE,
        model: Annotated[
            str | None, Query(description="an `offered` one of /v1/models; the default unless given")
        ] = None,
        adapt: Annotated[
            str | None, Query(description="adapt the scores to the voice of the `recording`, or of each `channel`")
        ] = None,
        speaker: Annotated[str | None, Query(description="adapt the scores to a speaker of this key")] = None,
        track: Annotated[int | None, Query(ge=0, description="audio track of a video, from 0")] = None,
        raw: Annotated[
            str | None, Query(description="bare samples of one channel: encoding and rate, such as `mulaw,8000`")
        ] = None,
    ) -> Response:
        """Return the emotions in a recording as a timeline."""
        choice = parsed(parse_channels, channels, "channels")
        form = None if raw is None else parsed(parse_raw, raw, "raw")
        self._models.check(model)
        beside = await asyncio.to_thread(beside_voice, modalities, coverage=coverage)
        voice = await self._voice(request, adapt, speaker)
        with self._metrics.uploads.track_inprogress():
            upload = await receive(request, self._analyses, self._settings)
            with closing_on_error(upload):
                beside = beside.with_transcript(upload.transcript)
                predictor = await asyncio.to_thread(lambda: voice.of(self._models.get(model)))
            analysis = Analysis(
                upload,
                partial(_row, predictor, voice, beside, channels=choice, threshold=threshold, coverage=coverage),
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

    async def _voice(self, request: Request, adapt: str | None, speaker: str | None) -> RequestedVoice:
        """Return what the scores are adapted to.

        Raises:
            RequestError: a value is unknown, or both are given.
            EmovoxError: as `TaughtSpeakers.load`.
        """
        if adapt not in (None, *ADAPTS):
            raise RequestError(f"got adapt={str(adapt)[:40]}, expected {' or '.join(ADAPTS)}; see /docs")
        if adapt is not None and speaker is not None:
            raise RequestError("got both adapt and speaker, expected one of them; a speaker's voice is known already")
        known = None
        if speaker is not None:
            known = await asyncio.to_thread(self._speakers.load, key_in(request.headers), speaker)
        return RequestedVoice(adapt or "off", known)

    async def _answer(self, request: Request, analysis: Analysis[Row]) -> Response:
        analysis.answer_seconds = self._settings.answer_seconds
        try:
            future = self._analyses.answer(analysis)
        except BusyError:
            analysis.close()
            raise
        kept = False
        try:
            row = await wait_for_result(future, request)
            self._metrics.audio_seconds.labels("upload").inc(row["duration"])
            return json_response(row)
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

    def _start_job(self, analysis: Analysis[Row]) -> AnalysisJob:
        if len(self._pending) >= self._settings.max_jobs:  # a deleted job may still wait or run
            raise BusyError(f"{len(self._pending)} jobs wait or run here, which is the limit; try again later")
        job = self._jobs.create()
        analysis.answer_seconds = None
        future = self._analyses.job(analysis, lambda: self._work(job, analysis))
        self._pending[job.id] = analysis, future
        future.add_done_callback(lambda _: self._job_ended(job.id, analysis))
        return job

    def _job_ended(self, name: str, analysis: Analysis[Row]) -> None:
        self._pending.pop(name, None)
        analysis.close()

    def _work(self, job: AnalysisJob, analysis: Analysis[Row]) -> None:
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
            row = analysis.run()
            self._metrics.audio_seconds.labels("upload").inc(row["duration"])
            self._jobs.write(AnalysisJob(job.id, "done", 1.0, result=msgspec.Raw(msgspec.json.encode(row))))
            self._metrics.jobs.labels("done").inc()
        except CancelledError:
            self._metrics.jobs.labels("cancelled").inc()
        except EmovoxError as error:
            self._fail(job, analysis, error)
        except Exception:
            log.exception("job failed")
            self._fail(job, analysis, InternalError("the service has a fault; its log has the details, try again"))

    def _fail(self, job: AnalysisJob, analysis: Analysis[Row], error: EmovoxError) -> None:
        self._metrics.jobs.labels("failed").inc()
        try:
            self._jobs.fail(AnalysisJob(job.id, "failed", analysis.progress, error=Notice(error.code, str(error))))
        except CancelledError:
            pass  # the job was deleted
        except OSError:
            log.exception("the end of a job cannot be written")


@dataclass(frozen=True, slots=True)
class RequestedVoice:
    """What the scores of a recording are adapted to.

    Attributes:
        adapt: as in `Predictor.predict`.
        speaker: a speaker of the caller; None: none.
    """

    adapt: Adapt
    speaker: TaughtSpeaker | None

    def of(self, predictor: Predictor) -> Predictor:
        """Return the predictor for it: the voice of a request takes the place of the service's.

        Raises:
            SpeakerError: the speaker belongs to another model.
            AdaptError: the model cannot adapt.
        """
        if self.speaker is not None:
            return predictor.for_speaker(self.speaker.profile, name=self.speaker.name, source=predictor.source)
        if self.adapt == "off":
            return predictor
        _ = predictor.model.adaptation  # raises
        return predictor.for_speaker(source=predictor.source)


def _row(
    predictor: Predictor,
    voice: RequestedVoice,
    beside: BesideVoice,
    source: BinaryIO,
    *,
    channels: ChannelChoice,
    threshold: float | None,
    coverage: int | None,
    observer: BlockObserver,
    reading: Reading,
) -> Row:
    """Return the row of a recording, with the model beside; arguments as for `Predictor.predict`.

    Raises:
        UnknownSpeakerError: the speaker was deleted meanwhile.
        EmovoxError: as `Predictor.predict`.
    """
    result = predictor.predict(
        source,
        channels=channels,
        threshold=threshold,
        coverage=coverage,
        adapt=voice.adapt,
        observer=observer,
        reading=reading,
    )
    if voice.speaker is not None:
        voice.speaker.check()
    limit = predictor.card.threshold if threshold is None else threshold
    result = beside.added(result, source, reading=reading, threshold=limit)
    row: Row = msgspec.to_builtins(rounded(result))
    return {"model": msgspec.to_builtins(ModelInfo(predictor.card.name, predictor.card.version))} | row
