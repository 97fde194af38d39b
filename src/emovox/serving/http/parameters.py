"""Query parameters: none that the route does not have, since one that is misspelt would be left out without a word."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import APIRoute

from emovox.audio.types import ChannelChoice, parse_channels
from emovox.serving.errors import RequestError


async def only_known(request: Request) -> None:
    """Refuse query parameters that the route does not have; a dependency of routes.

    Raises:
        RequestError: there is one, or one is given twice.
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


def channel_choice(text: str) -> ChannelChoice:
    """Read the parameter `channels`.

    Raises:
        RequestError: as `emovox.audio.types.parse_channels`.
    """
    try:
        return parse_channels(text)
    except ValueError as error:
        raise RequestError(f"channels: {error}") from error
