"""The HTTP routes `/v1/speakers`: callers teach the service voices, and take or delete what it has learnt."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from emovox.adaptation.speaker import LARGEST_FILE, SpeakerProfile
from emovox.audio.types import parse_channels, parse_raw
from emovox.runtime.predictor import Predictor
from emovox.serving.errors import BusyError
from emovox.serving.http.analysis import Analysis, AnalysisPool
from emovox.serving.http.requests import check_parameters, parsed, receive, wait_for_result
from emovox.serving.http.speakers_docs import speaker_routes
from emovox.serving.http.uploads import receive_body
from emovox.serving.keys import key_in
from emovox.serving.metrics import Metrics
from emovox.serving.models import OfferedModels
from emovox.serving.responses import json_response
from emovox.serving.settings import ServiceSettings
from emovox.serving.speakers import TaughtSpeakers

BINARY = "application/octet-stream"
"""Type of a profile."""


class Speakers:
    """The routes `/v1/speakers`; each answers for the speakers of the caller's key alone.

    Args:
        models: the default one learns.
        speakers: what was learnt.
        analyses: the threads that analyse recordings.
        settings: the limits.
        metrics: counts what was learnt, imported and deleted.
    """

    def __init__(
        self,
        models: OfferedModels,
        *,
        speakers: TaughtSpeakers,
        analyses: AnalysisPool,
        settings: ServiceSettings,
        metrics: Metrics,
    ) -> None:
        self._models, self._speakers, self._analyses = models, speakers, analyses
        self._settings, self._metrics = settings, metrics

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(dependencies=[Depends(check_parameters)])
        texts = speaker_routes()
        for path, method, endpoint in (
            ("", "GET", self.index),
            ("/{name}", "GET", self.show),
            ("/{name}", "POST", self.teach),
            ("/{name}", "DELETE", self.delete),
            ("/{name}/profile", "GET", self.export),
            ("/{name}/profile", "PUT", self.replace),
        ):
            router.add_api_route(f"/v1/speakers{path}", endpoint, methods=[method], **texts[method, path])
        return router

    async def index(self, request: Request) -> Response:
        """List the speakers of this key."""
        found = await asyncio.to_thread(lambda: list(self._speakers.summaries(key_in(request.headers))))
        return json_response({"speakers": found})

    async def show(self, request: Request, name: str) -> Response:
        """Return what is kept of a speaker."""
        return json_response(await asyncio.to_thread(self._speakers.show, key_in(request.headers), name))

    async def teach(
        self,
        request: Request,
        name: str,
        label: Annotated[
            str | None,
            Query(description="the emotion in the recording, where it is known; `neutral` for a usual voice"),
        ] = None,
        channels: Annotated[str, Query(description="`mix`, `split`, or the number of one channel, from 0")] = "mix",
        track: Annotated[int | None, Query(ge=0, description="audio track of a video, from 0")] = None,
        raw: Annotated[
            str | None, Query(description="bare samples of one channel: encoding and rate, such as `mulaw,8000`")
        ] = None,
    ) -> Response:
        """Learn the voice of a speaker from a recording in which only the speaker talks, or learn more of it."""
        key = key_in(request.headers)
        choice = parsed(parse_channels, channels, "channels")
        form = None if raw is None else parsed(parse_raw, raw, "raw")
        await asyncio.to_thread(self._speakers.check_new, key, name, label)
        with self._metrics.uploads.track_inprogress():
            upload = await receive(request, self._analyses, self._settings)
            pupil = Predictor(self._models.default.model)
            analysis = Analysis(
                upload,
                partial(pupil.learn, label=label, channels=choice),
                max_seconds=self._settings.answer_seconds,
                track=track,
                raw=form,
            )
            learnt = await self._run(request, analysis)
        summary = await asyncio.to_thread(self._speakers.add, key, name, learnt)
        self._metrics.speakers.labels("learnt").inc()
        return json_response(summary)

    async def delete(self, request: Request, name: str) -> Response:
        """Delete what is kept of a speaker, for good; streams and recordings that use it end with an error."""
        await asyncio.to_thread(self._speakers.delete, key_in(request.headers), name)
        self._metrics.speakers.labels("deleted").inc()
        return Response(status_code=204)

    async def export(self, request: Request, name: str) -> Response:
        """Return the profile of a speaker, as a file."""
        data = await asyncio.to_thread(self._speakers.export, key_in(request.headers), name)
        return Response(data, media_type=BINARY)

    async def replace(self, request: Request, name: str) -> Response:
        """Keep an exported profile under a name, in place of what was kept."""
        self._speakers.check_on()
        with self._analyses.reception():
            data = await receive_body(request, max_bytes=LARGEST_FILE, slowest=self._settings.slowest_upload_kb * 1e3)
        summary = await asyncio.to_thread(self._speakers.replace, key_in(request.headers), name, data)
        self._metrics.speakers.labels("imported").inc()
        return json_response(summary)

    async def _run(self, request: Request, analysis: Analysis[SpeakerProfile]) -> SpeakerProfile:
        try:
            future = self._analyses.answer(analysis)
        except BusyError:
            analysis.close()
            raise
        try:
            learnt = await wait_for_result(future, request)
            self._metrics.audio_seconds.labels("upload").inc(analysis.seconds)
            return learnt
        finally:
            analysis.cancel()
            future.cancel()
            future.add_done_callback(lambda _: analysis.close())  # now, or when its thread has stopped
            del future  # it holds the error, whose traceback holds this frame
