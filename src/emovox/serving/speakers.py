"""The speakers that callers teach the service: a folder of profiles for each API key, which all workers share.

A profile is read anew for each request and each stream, so that one that was deleted is not used any more.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emovox.adaptation.speaker import SpeakerProfile
from emovox.adaptation.store import SpeakerStore, checked_name, speakers_folder
from emovox.adaptation.voice import AdaptedScorer
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import ConfigError, ModelError, SpeakerError, UnknownSpeakerError
from emovox.serving.errors import LearningOffError, StorageError, TooManySpeakersError
from emovox.serving.keys import KeyRing
from emovox.serving.settings import ServiceSettings

FOLDER = "service"
"""Folder of the profiles, in that of `speakers_folder`, unless the setting `speakers` names another."""

TITLE = "this service"
"""Stands for the folder in messages: callers do not learn where it is."""

log = logging.getLogger("emovox.serving")


@dataclass(frozen=True, eq=False, slots=True)
class TaughtSpeaker:
    """A profile in use.

    Attributes:
        name: of the speaker.
        profile: what is known.
        path: its file.
    """

    name: str
    profile: SpeakerProfile
    path: Path

    def check(self) -> None:
        """Raise an error if the profile was deleted since it was read.

        Raises:
            UnknownSpeakerError: it was.
        """
        if not os.path.exists(self.path):  # Path.exists raises if the folder may not be read
            raise UnknownSpeakerError(
                f"the speaker '{self.name}' was deleted meanwhile; ask again without a speaker, or teach it again"
            )


class TaughtSpeakers:
    """The speakers of all API keys. Its methods read and write files: call them in a thread.

    Args:
        settings: `learn`, `speakers` and `max_speakers`.
        predictor: the model that the profiles belong to.
        keys: the API keys; without any, there is one folder for everyone.
    """

    def __init__(self, settings: ServiceSettings, predictor: Predictor, keys: KeyRing) -> None:
        self._learns, self._most, self._keys = settings.learn, settings.max_speakers, keys
        self._folder = speakers_folder() / FOLDER if settings.speakers is None else Path(settings.speakers)
        self._predictor = predictor

    def check_on(self) -> None:
        """Raise an error unless the service learns.

        Raises:
            LearningOffError: it does not.
        """
        if not self._learns:
            raise LearningOffError("this service keeps no speakers; its operator can change that: emovox serve --learn")

    def check_new(self, key: str | None, name: str, label: str | None) -> None:
        """Check what is known before a recording of a speaker is received.

        Raises:
            LearningOffError: the service does not learn.
            AdaptError: its model cannot adapt.
            SpeakerError: the name is none of a speaker, the model has no such label, or an old profile is damaged, or
                of another model.
        """
        store, predictor = self._store(key), self._predictor
        _ = predictor.model.adaptation  # raises
        if label is not None and label not in predictor.labels:
            raise SpeakerError(f"got the label '{label[:40]}', expected one of {', '.join(predictor.labels)}")
        if store.path(name).exists():
            self.load(key, name)

    def load(self, key: str | None, name: str) -> TaughtSpeaker:
        """Return a speaker of a key.

        Raises:
            LearningOffError: the service does not learn.
            UnknownSpeakerError: the key has none of this name.
            SpeakerError: the name is none of a speaker, or the profile is damaged, or of another model.
        """
        store, card = self._store(key), self._predictor.card
        profile = store.load(name)
        profile.check(card.name, card.sha256)
        return TaughtSpeaker(checked_name(name), profile, store.path(name))

    def summaries(self, key: str | None) -> Iterator[dict[str, Any]]:
        """Yield the summaries of the speakers of a key, sorted by name; a damaged one has an error.

        Raises:
            LearningOffError: the service does not learn.
        """
        store = self._store(key)
        for name in store.names():
            try:
                yield store.load(name).as_data(name)
            except UnknownSpeakerError:  # deleted in the meantime
                continue
            except SpeakerError as error:
                yield {"name": name, "error": {"code": error.code, "message": str(error)}}

    def show(self, key: str | None, name: str) -> dict[str, Any]:
        """Return the summary of a speaker.

        Raises:
            EmovoxError: as `load`, but for another model.
        """
        return self._store(key).load(name).as_data(checked_name(name))

    def export(self, key: str | None, name: str) -> bytes:
        """Return the file of a speaker.

        Raises:
            EmovoxError: as `show`.
        """
        return self._store(key).load(name).to_bytes()

    def add(self, key: str | None, name: str, new: SpeakerProfile) -> dict[str, Any]:
        """Add clips to a speaker, or make a new one; return the summary.

        Raises:
            TooManySpeakersError: the key has as many speakers as it may have.
            SpeakerError: as `load`; or there are too few clips.
            StorageError: the profile cannot be written; the old one stays.
        """
        return self._update(key, name, lambda old: new if old is None else old.joined(new))

    def replace(self, key: str | None, name: str, data: bytes) -> dict[str, Any]:
        """Keep an exported profile under a name, in place of an old one; return the summary.

        Raises:
            EmovoxError: as `add`; or the data are no profile of this model.
        """
        self.check_on()
        profile = _checked(
            self._predictor, SpeakerProfile.from_bytes(data, where="the profile that was sent", learners=False)
        )
        return self._update(key, name, lambda _: profile)

    def delete(self, key: str | None, name: str) -> None:
        """Delete a speaker for good.

        Raises:
            UnknownSpeakerError: the key has none of this name.
            StorageError: the file cannot be deleted.
        """
        store = self._store(key)
        with _stored():
            store.delete(name)

    def _update(
        self, key: str | None, name: str, change: Callable[[SpeakerProfile | None], SpeakerProfile]
    ) -> dict[str, Any]:
        store = self._store(key)

        def bounded(old: SpeakerProfile | None) -> SpeakerProfile:
            """Return the new profile, unless it is one too many."""
            if old is None and len(store.names()) >= self._most:
                raise TooManySpeakersError(
                    f"got one more than {self._most} speakers, which is the most for a key; delete one first"
                )
            return change(old)

        with _stored():
            return store.update(name, bounded).as_data(checked_name(name))

    def _store(self, key: str | None) -> SpeakerStore:
        self.check_on()
        return SpeakerStore(self._folder / self._keys.owner(key), title=TITLE)


@contextmanager
def _stored() -> Iterator[None]:
    """Turn errors of the disk into `StorageError`, whose message has no path; the log has the reason, without a name.

    Raises:
        StorageError: the disk refuses.
    """
    try:
        yield
    except ConfigError as error:
        reason = getattr(error.__cause__, "strerror", None) or "unknown"
        log.error("a profile cannot be changed", extra={"reason": reason})  # the traceback has names
        raise StorageError(
            "the service cannot change the profile: its disk is full, or it may not write there; try again later"
        ) from None


def _checked(predictor: Predictor, profile: SpeakerProfile) -> SpeakerProfile:
    """Return a profile from strangers, if the model can score under it.

    Raises:
        SpeakerError: it is of another model, or its numbers are those of no voice.
        AdaptError: the model cannot adapt.
    """
    model, card = predictor.model, predictor.card
    profile.check(card.name, card.sha256)
    parameters = model.adaptation
    try:
        with np.errstate(all="ignore"):
            scorer = AdaptedScorer(model, parameters, profile.voice, source=predictor.prior)
            scores = scorer.scores(model.default_profile.mean[None])
        good = profile.labels == card.labels and bool(np.isfinite(scores).all())
    except (ModelError, ArithmeticError, ValueError):  # sizes of another model, or scores that are no probabilities
        good = False
    if not good:
        raise SpeakerError(
            "got a profile whose numbers are those of no voice, expected one that this service or emovox speaker "
            "export has written; teach the speaker again"
        )
    return replace(profile, model=card.name)
