"""What the routes for recordings share: checks of query parameters, the upload, and the wait for a result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute

from emovox.serving.errors import CLOSING, CancelledError, ClosingError, RequestError
from emovox.serving.http.analysis import AnalysisPool
from emovox.serving.http.uploads import Upload, receive_upload
from emovox.serving.settings import ServiceSettings

T = TypeVar("T")


async def check_parameters(request: Request) -> None:
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


def parsed(parse: Callable[[str], T], text: str, name: str) -> T:
    """Return the value of a query parameter.

    Raises:
        RequestError: `parse` raises a ValueError.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise RequestError(f"{name}: {error}") from error


async def receive(request: Request, analyses: AnalysisPool, settings: ServiceSettings) -> Upload:
    """Return the uploaded file of a request, within the limits of the settings; the caller closes it.

    Raises:
        EmovoxError: as `receive_upload` and `AnalysisPool.reception`.
    """
    with analyses.reception():
        return await receive_upload(
            request, max_bytes=round(settings.max_upload_mb * 1e6), slowest=settings.slowest_upload_kb * 1e3
        )


@contextmanager
def closing_on_error(upload: Upload) -> Iterator[None]:
    """Close an upload if the block raises an error: nothing else owns it yet."""
    try:
        yield
    except BaseException:
        upload.close()
        raise


async def wait_for_result(future: Future[T], request: Request) -> T:
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
