"""The HTTP routes about the service: `/v1/models` and `/healthz`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from emovox import __version__
from emovox.runtime.registry import read_card, shipped
from emovox.schema.card import ModelCard
from emovox.serving.http.api_docs import HEALTH
from emovox.serving.http.api_docs import models as models_described
from emovox.serving.responses import json_response


class About:
    """The routes `/v1/models` and `/healthz`.

    Args:
        card: of the model that answers.
        most_streams: streams that may be open at once.
        streams: returns how many streams are open.
    """

    def __init__(self, card: ModelCard, *, most_streams: int, streams: Callable[[], int]) -> None:
        self._card, self.most_streams, self._streams = card, most_streams, streams
        self.is_ready = False

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        described = models_described(_entry(self._card, default=True))
        router.add_api_route("/v1/models", self.models, methods=["GET"], **described)
        router.add_api_route("/healthz", self.health, methods=["GET"], **HEALTH)
        return router

    async def models(self) -> Response:
        """List the models with labels, licences and figures; the one that answers is `default`."""
        cards = [read_card(path) for path in shipped().values()]
        others = [card for card in cards if (card.name, card.sha256) != (self._card.name, self._card.sha256)]
        entries = [_entry(self._card, default=True), *(_entry(card, default=False) for card in others)]
        return json_response({"models": entries})

    async def health(self) -> Response:
        """Return whether the service takes requests: 200, or 503 while it ends."""
        body = {
            "status": "ok" if self.is_ready else "closing",
            "ready": self.is_ready,
            "version": __version__,
            "model": {"name": self._card.name, "version": self._card.version},
            "streams": self._streams(),
            "max_streams": self.most_streams,
        }
        return json_response(body, status=200 if self.is_ready else 503)


def _entry(card: ModelCard, *, default: bool) -> dict[str, Any]:
    return {
        "name": card.name,
        "version": card.version,
        "default": default,
        "description": card.description,
        "labels": card.labels,
        "licence": card.licence,
        "licence_risk": card.licence_risk,
        "parameters": card.parameters,
        "figures": [
            {name: getattr(figure, name) for name in ("corpus", "protocol", "metric", "value", "low", "high")}
            for figure in card.figures
        ],
    }
