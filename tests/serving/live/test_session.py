"""A session without a socket, with a model that the test can block."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any, cast
from unittest.mock import ANY

import numpy as np
import pytest

from emovox.audio.types import Samples
from emovox.runtime.model import Model, Outputs
from emovox.runtime.pipeline import Pipeline
from emovox.runtime.predictor import Predictor
from emovox.serving.errors import ClosingError
from emovox.serving.live.messages import decode_start
from emovox.serving.live.session import StreamSession
from emovox.serving.metrics import Metrics
from emovox.serving.settings import ServiceSettings
from tests.serving.running import END, PATIENCE, START, pcm, word


class BlockedModel:
    """The toy model; `run` waits until `gate` is set."""

    def __init__(self, model: Model) -> None:
        self.card, self.size, self._model = model.card, model.size, model
        self.gate = threading.Event()

    def run(self, batch: Samples) -> Outputs:
        assert self.gate.wait(PATIENCE)
        return self._model.run(batch)


def session_of(
    pipeline: Pipeline, messages: asyncio.Queue[dict[str, Any]], sent: list[dict[str, Any]]
) -> StreamSession:
    async def send(text: str) -> None:
        sent.append(json.loads(text))

    settings, start = ServiceSettings(max_speed=1e6), decode_start(json.dumps(START))
    return StreamSession(
        start, pipeline=pipeline, settings=settings, metrics=Metrics(), receive=messages.get, send=send
    )


async def until_full(session: StreamSession, messages: asyncio.Queue[dict[str, Any]]) -> float:
    """Send speech until the stream has no room, then a last piece and the end; return the seconds sent."""
    data = pcm(np.tile(word(), 40))
    sent = 0
    while session.stream.has_room:
        messages.put_nowait({"type": "websocket.receive", "bytes": data[sent : sent + 3200]})
        sent += 3200
        await asyncio.sleep(0.001)
    messages.put_nowait({"type": "websocket.receive", "bytes": data[sent : sent + 1600]})  # less than a step
    messages.put_nowait({"type": "websocket.receive", "text": END})
    await asyncio.sleep(0.1)
    return (sent + 1600) / 32000


@pytest.mark.parametrize("closing", [False, True])
def test_a_stream_without_room_ends_with_all_its_audio_also_when_the_service_ends(toy: Model, closing: bool) -> None:
    blocked, sent = BlockedModel(toy), list[dict[str, Any]]()

    async def talk(pipeline: Pipeline) -> float:
        messages = asyncio.Queue[dict[str, Any]]()
        session = session_of(pipeline, messages, sent)
        task = asyncio.create_task(session.run())
        seconds = await until_full(session, messages)
        if closing:
            session.stop(ClosingError("the service is being shut down"))
            await asyncio.sleep(0.1)
        blocked.gate.set()
        await asyncio.wait([task], timeout=PATIENCE)
        assert isinstance(task.exception(), ClosingError) if closing else task.exception() is None
        return seconds

    with Pipeline(Predictor(cast(Model, blocked))) as pipeline:
        seconds = asyncio.run(talk(pipeline))
    assert sent[-1] == {"type": "session.ended", "seconds": pytest.approx(seconds, abs=1e-3), "previews_dropped": ANY}
    marks = [message["type"] for message in sent if message["type"].startswith("speech")]
    assert marks[-1] == "speech.ended"
    assert marks.count("speech.ended") == marks.count("speech.started")
