"""The HTTP routes about the service: `/v1/models` and `/healthz`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from emovox import __version__
from emovox.fusion.modalities import MODALITIES
from emovox.schema.card import ModelCard
from emovox.serving.http.api_docs import HEALTH
from emovox.serving.http.api_docs import models as models_described
from emovox.serving.http.beside import offered_modalities
from emovox.serving.models import OfferedModels
from emovox.serving.responses import json_response


class About:
    """The routes `/v1/models` and `/healthz`.

    Args:
        models: the models that answer.
        most_streams: streams that may be open at once.
        streams: returns how many streams are open.
    """

    def __init__(self, models: OfferedModels, *, most_streams: int, streams: Callable[[], int]) -> None:
        self._models, self._card = models, models.default.card
        self.most_streams, self._streams = most_streams, streams
        self.is_ready = False

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        described = models_described(self._entry(self._card, MODALITIES))
        router.add_api_route("/v1/models", self.models, methods=["GET"], **described)
        router.add_api_route("/healthz", self.health, methods=["GET"], **HEALTH)
        return router

    async def models(self) -> Response:
        """List the models with labels, licences and figures; uploads may ask for those that are `offered`."""
        modalities = await asyncio.to_thread(offered_modalities)
        return json_response({"models": [self._entry(card, modalities) for card in self._models.cards]})

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

    def _entry(self, card: ModelCard, modalities: Sequence[str]) -> dict[str, Any]:
        return {
            "name": card.name,
            "version": card.version,
            "default": card is self._card,
            "offered": card is self._card or card.name in self._models.names[1:],
            "description": card.description,
            "labels": card.labels,
            "threshold": card.threshold,
            "sets": [] if card.trust is None else [msgspec.to_builtins(one) for one in card.trust.sets],
            "adaptable": card.adaptable,
            "modalities": modalities,
            "licence": card.licence,
            "licence_risk": card.licence_risk,
            "parameters": card.parameters,
            "figures": [
                {name: getattr(figure, name) for name in ("corpus", "protocol", "metric", "value", "low", "high")}
                for figure in card.figures
            ],
        }
