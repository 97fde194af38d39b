"""The answers of a system to clips under conditions. They are kept in a file, so that a killed run can continue."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.augment.conditions import CHANGES, NEEDS_RECORDINGS, Change, Noisy
from emovox.augment.sources import VARIABLE
from emovox.corpora.manifest import Clip
from emovox.evaluation.trust.sample import order_key
from emovox.evaluation.trust.system import System, SystemAnswer
from emovox.schema.errors import AudioError, ConfigError, EmovoxError, MissingExtraError
from emovox.schema.figure import TILE
from emovox.schema.files import write_whole
from emovox.schema.progress import Progress, no_progress, tracked
from emovox.schema.text import some


class Key(NamedTuple):
    """Names an answer: a clip of a corpus, or a sound of a kind, under a condition (`tile`: unchanged)."""

    condition: str
    corpus: str
    id: str


class Trouble(NamedTuple):
    """A system that failed: code and message of the error."""

    code: str
    message: str


Heard: TypeAlias = dict[Key, SystemAnswer | Trouble]

_Line: TypeAlias = tuple[str, str, str, str | None, tuple[float, ...] | None, float]
"""A line of a store: the key, then the answer."""


@dataclass(frozen=True)
class Stimulus:
    """A recording for the system: its names, the fold whose model scores it, and `load`: samples [n] and rate in Hz.

    `kind` is the kind of a sound as a training names it; `System.kinds` has the fold for it.
    """

    corpus: str
    id: str
    fold: str
    load: Callable[[], tuple[Samples, int]]
    kind: str = ""


def clip_stimulus(clip: Clip, system: System) -> Stimulus:
    """Return a clip as a stimulus; its channels are averaged."""

    def load() -> tuple[Samples, int]:
        """Return the samples of the clip."""
        audio, rate = load_audio(clip.path)
        return audio[0], rate

    return Stimulus(clip.corpus, clip.id, system.fold_of(clip), load)


def changes_in(noise: Path | None) -> dict[str, Change]:
    """Return the change of each condition, with noises from a folder in place of $EMOVOX_NOISE.

    If the folder has no `nonspeech100`, its own recordings are the background noises.
    """
    if noise is None:
        return dict(CHANGES)
    return {name: _from_folder(change, noise) for name, change in CHANGES.items()}


def _from_folder(change: Change, noise: Path) -> Change:
    if not isinstance(change, NEEDS_RECORDINGS) or f"${VARIABLE}" not in change.source:
        return change
    source = Path(change.source.replace(f"${VARIABLE}", str(noise)))
    plain = isinstance(change, Noisy) and not change.files and source.name == "nonspeech100"
    return replace(change, source=str(noise if plain and not source.is_dir() else source))


def unavailable(changes: Mapping[str, Change], names: Sequence[str], learnt: Path | None) -> dict[str, str]:
    """Return the conditions that cannot be tested here, each with the reason.

    Args:
        changes: by condition.
        names: the conditions that are wanted.
        learnt: folder of the noises in training; they would not be a test.
    """
    found = {}
    for name in names:
        change = changes[name]
        try:
            if isinstance(change, NEEDS_RECORDINGS):
                change.recordings  # noqa: B018  # raises an error if there are none
            elif name.startswith("room-"):
                change(np.ones(1, np.float32), 16000, np.random.default_rng(0))
        except EmovoxError as error:
            found[name] = str(error)
            continue
        if isinstance(change, Noisy) and learnt is not None and _within(change.folder, learnt):
            found[name] = f"seen: training added noises of {learnt}"
    return found


def _within(folder: Path, other: Path) -> bool:
    return folder.resolve().is_relative_to(other.resolve()) or other.resolve().is_relative_to(folder.resolve())


@dataclass(frozen=True, eq=False)
class Hearing:
    """Lets a system score stimuli under conditions, and keeps its answers.

    Attributes:
        system: the system.
        changes: condition → change.
        seed: of the changes.
        store: file that keeps the answers; None keeps them in memory only.
        known: answers so far.
        unreadable: corpus and name of each recording that cannot be read → the reason.
    """

    system: System
    changes: Mapping[str, Change]
    seed: int
    store: Path | None
    known: Heard
    unreadable: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a sentence about recordings that cannot be read, if there are any."""
        if not self.unreadable:
            return ()
        reasons = some(self.unreadable.values(), most=3)
        return (f"{len(self.unreadable)} recordings cannot be read, and count as clips without an answer: {reasons}",)

    @classmethod
    def opened(cls, system: System, noise: Path | None, *, seed: int, folder: Path | None, resume: bool) -> Hearing:
        """Return a hearing whose answers are kept in a folder, by the digest of the system and the folder of noises.

        Lines of a damaged file are left out; what they said is asked again.

        Args:
            system: the system.
            noise: folder of noises; None: $EMOVOX_NOISE.
            seed: of the changes.
            folder: folder of the answers; None keeps none.
            resume: whether to use the answers of an earlier hearing; otherwise they are forgotten.

        Raises:
            ConfigError: the answers cannot be kept.
        """
        changes = changes_in(noise)
        if folder is None:
            return cls(system, changes, seed, None, {})
        store = folder / f"{system.digest[:16]}-{seed}-{zlib.crc32(str(noise).encode()):08x}.jsonl"
        with _kept_in(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not resume:
                store.unlink(missing_ok=True)
            store.touch()
            return cls(system, changes, seed, store, _read(store, system.labels))

    def hear(self, items: Sequence[Stimulus], conditions: Sequence[str], progress: Progress = no_progress) -> Heard:
        """Return the answers for all items under all conditions; those that are known are not asked again.

        A recording that cannot be read is an answer without a label.
        """
        wanted = [(item, [name for name in conditions if self._key(name, item) not in self.known]) for item in items]
        wanted = [(item, missing) for item, missing in wanted if missing]
        with ThreadPoolExecutor(self.system.threads) as pool:
            for found in tracked(pool.map(lambda task: self._ask(*task), wanted), progress, total=len(wanted)):
                self.known.update(found)
                self._keep(found)
        keys = [self._key(name, item) for item in items for name in conditions]
        return {key: self.known[key] for key in keys}

    def _key(self, condition: str, item: Stimulus) -> Key:
        return Key(condition, item.corpus, item.id)

    def _ask(self, item: Stimulus, conditions: Sequence[str]) -> Heard:
        hear = self.system.hear[item.fold]
        try:
            samples, rate = item.load()
        except (AudioError, MissingExtraError) as error:
            self.unreadable[item.corpus, item.id] = str(error)
            return {self._key(name, item): SystemAnswer(None, None, 0.0) for name in conditions}
        return {self._key(name, item): self._answer(hear, name, item, samples, rate) for name in conditions}

    def _answer(self, hear: Any, condition: str, item: Stimulus, samples: Samples, rate: int) -> SystemAnswer | Trouble:
        if condition != TILE:
            number = int.from_bytes(order_key(self.seed, condition, item.corpus, item.id)[:8], "big")
            samples = self.changes[condition](samples, rate, np.random.default_rng(number))
        try:
            answer: SystemAnswer = hear(np.ascontiguousarray(samples, np.float32), rate)
        except AudioError:
            return SystemAnswer(None, None, 0.0)
        except EmovoxError as error:
            return Trouble(error.code, str(error))
        return answer

    def _keep(self, found: Heard) -> None:
        if self.store is None:
            return
        lines = [
            json.dumps([*key, *answer]) + "\n"
            for key, answer in found.items()
            if isinstance(answer, SystemAnswer) and (key.corpus, key.id) not in self.unreadable  # others: tried again
        ]
        with _kept_in(self.store.parent), self.store.open("a", encoding="utf-8") as file:
            file.write("".join(lines))


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or folder}: the answers cannot be kept ({error.strerror or error}), expected a folder "
            "that you may write to, with room; set $EMOVOX_CACHE to another"
        ) from error


def _read(store: Path, labels: Sequence[str]) -> Heard:
    """Return the answers of a store, and take lines out of it that a kill or a bad disk has left damaged."""
    whole: list[bytes] = []
    found: Heard = {}
    data = store.read_bytes()
    for line in data.splitlines(keepends=True):
        try:
            condition, corpus, name, label, scores, seconds = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if line.endswith(b"\n") and label in (None, *labels) and len(scores or labels) == len(labels):
            whole.append(line)
            found[Key(condition, corpus, name)] = SystemAnswer(label, scores, seconds)
    if len(b"".join(whole)) < len(data):
        store.unlink()
        write_whole(store, b"".join(whole))
    return found


def troubles(heard: Heard, keys: Iterator[Key] | Sequence[Key]) -> str:
    """Return a sentence about the failures among some keys; "" without any."""
    keys = list(keys)
    found = [answer for key in keys if isinstance(answer := heard[key], Trouble)]
    if not found:
        return ""
    return f"{found[0].code}: {found[0].message} ({len(found)} of {len(keys)} recordings)"
