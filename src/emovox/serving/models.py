"""The models that uploads may ask for: the one of the setting `model`, and others of the package."""

from __future__ import annotations

import threading

from emovox.runtime.predictor import Predictor, load
from emovox.runtime.registry import read_card, shipped
from emovox.schema.card import ModelCard
from emovox.serving.errors import RequestError
from emovox.serving.settings import ServiceSettings, SettingsError


class OfferedModels:
    """The models by name; all but the first are loaded when an upload first asks for them.

    Attributes:
        default: the model of streams, and of uploads that name none.
        names: the models that uploads may ask for, the default first.

    Args:
        default: the loaded model of the setting `model`.
        settings: `model` and `models`.
    """

    def __init__(self, default: Predictor, settings: ServiceSettings) -> None:
        self.default, self._lock = default, threading.Lock()
        self._loaded = {default.card.name: default}
        self.names = (default.card.name, *(name for name in further_models(settings) if name != default.card.name))

    @property
    def cards(self) -> list[ModelCard]:
        """The cards of the default model and of all shipped ones."""
        card = self.default.card
        others = [read_card(path) for path in shipped().values()]
        return [card, *(other for other in others if (other.name, other.sha256) != (card.name, card.sha256))]

    def check(self, name: str | None) -> None:
        """Check the name in a request; None is the default.

        Raises:
            RequestError: the service does not offer this model.
        """
        if name is not None and name not in self.names:
            raise RequestError(f"got the model '{name[:40]}', expected {' or '.join(self.names)}; see /v1/models")

    def stop(self) -> None:
        """End the runs in progress, and refuse further ones."""
        with self._lock:
            for predictor in self._loaded.values():
                predictor.model.stop()

    def resume(self) -> None:
        """Take runs again."""
        for predictor in self._loaded.values():
            predictor.model.resume()

    def get(self, name: str | None) -> Predictor:
        """Return a model; the first call for a name takes up to a second, so call it in a thread."""
        if name is None:
            return self.default
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load(name)
            return self._loaded[name]


def further_models(settings: ServiceSettings) -> tuple[str, ...]:
    """Return the shipped models that uploads may ask for.

    Raises:
        SettingsError: `models` names a model that is not shipped.
    """
    known = tuple(shipped())
    unknown = [name for name in settings.models if name not in known]
    if unknown:
        raise SettingsError(f"models: got '{unknown[0][:40]}', expected shipped names: {', '.join(known)}")
    is_shipped = settings.model is None or settings.model in known
    return settings.models or (known if is_shipped else ())
