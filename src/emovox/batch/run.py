"""The work over an archive: list the recordings, analyse them, write finished parts, join the parts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from emovox import __version__
from emovox.audio.source import name_of
from emovox.audio.types import ChannelChoice, RawFormat
from emovox.batch.engine import Engine, answers
from emovox.batch.heard import HeardParts
from emovox.batch.job import TWO_PASSES, Answer, Item, Job, Settings, path_of, stamp_of
from emovox.batch.parts import PartNote, Parts
from emovox.batch.plan import ArchivePlan, GroupFinder, check_directory, decode_manifest, encode_manifest, make_plan
from emovox.batch.rescoring import SecondPass
from emovox.batch.table import row_schema, to_table
from emovox.batch.tally import Tally, tally_of
from emovox.batch.voices import NO_ADAPTING, Adapting, VoiceOf, VoiceTable, folder_finder
from emovox.runtime.adapted import adapted_predictor
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.registry import heads, resolve, shipped
from emovox.schema.errors import ArchiveError, ConfigError, UnreadableError
from emovox.schema.label_sets import sets_of

Observer = Callable[[Item, Answer], None]
"""Called after each recording, with its answer."""


class Archive:
    """The recordings of a folder, some of them already analysed; `open_archive` makes it.

    Attributes:
        files: number of recordings.
        waiting: recordings that are still to be analysed.
        done: counts over the others.
    """

    def __init__(
        self, plan: ArchivePlan, parts: Parts, *, job: Job, labels: Sequence[str], voice_of: VoiceOf | None = None
    ) -> None:
        self.files = len(plan.names)
        self._digest = _digest(encode_manifest(plan, job.settings))
        self._plan, self._parts, self._job = plan, parts, job
        self._voice_of, self._heard = voice_of, HeardParts(parts.folder)
        self._groups = plan.groups()
        self._schema = row_schema(labels, job.settings)
        self._notes = {number: note for number in range(len(self._groups)) if (note := self._valid_note(number))}
        self.waiting = [self._item(index) for number in self._unfinished() for index in self._groups[number]]
        self.done = sum((note.tally for note in self._notes.values()), Tally())

    @property
    def kept(self) -> int:
        """Number of recordings in finished parts, which no stop can lose."""
        return sum(len(self._groups[number]) for number in self._notes)

    def paths(self) -> Iterator[str]:
        """Return the paths of the recordings."""
        return (path_of(self._job.directory, name) for name in self._plan.names)

    def run(self, engine: Engine, observer: Observer) -> Tally:
        """Analyse the waiting recordings, write the output, and remove the parts.

        Args:
            engine: runs the workers.
            observer: called after each recording.

        Returns:
            Counts over the output.

        Raises:
            WorkerError: the engine cannot work.
            UnreadableError: the folder is gone.
            ConfigError: a part or the output cannot be written. Finished parts stay after any error.
            ArchiveError: a part is damaged.
        """
        group_of, items = GroupFinder(self._groups), {item.index: item for item in self.waiting}
        open_groups: dict[int, dict[int, Answer]] = {}
        with closing(answers(engine, self._job, self.waiting)) as coming:
            for answer in coming:
                self._check_directory(answer)
                number = group_of(answer.index)
                group = open_groups.setdefault(number, {})
                group[answer.index] = answer
                if len(group) == len(self._groups[number]):
                    del open_groups[number]
                    self._finish(number, [group[index] for index in self._groups[number]])
                observer(items[answer.index], answer)
        if self._voice_of is not None:
            self._rescore(self._voice_of)
        self._parts.join(len(self._groups), self._schema)
        return sum((note.tally for note in self._notes.values()), Tally())

    def _finish(self, number: int, ordered: Sequence[Answer], *, rescored: bool = False) -> None:
        names = (self._plan.names[answer.index] for answer in ordered)
        note = PartNote(self._digest, tuple(answer.stamp for answer in ordered), tally_of(ordered))
        if self._voice_of is None or rescored:
            self._parts.write(number, to_table(zip(names, ordered, strict=True), self._schema), note)
        else:
            self._heard.write(number, ordered, note)
        self._notes[number] = note

    def _rescore(self, voice_of: VoiceOf) -> None:
        """Write all parts from what the first pass has kept. After a stop, this begins again: it takes seconds."""
        settings = self._job.settings
        with SecondPass(
            self._heard,
            self._parts.folder,
            len(self._groups),
            predictor=self._job.predictor(),
            voice_of=voice_of,
            source=settings.adapt,
            threshold=settings.threshold,
        ) as second:
            for number, ordered in enumerate(second.answers()):
                self._finish(number, ordered, rescored=True)

    def _valid_note(self, number: int) -> PartNote | None:
        parts = self._parts if self._voice_of is None else self._heard
        note, group = parts.note(number), self._groups[number]
        if note is None or note.plan != self._digest or len(note.stamps) != len(group):
            return None
        same = (self._same(index, stamp) for index, stamp in zip(group, note.stamps, strict=True))
        return note if all(same) else None

    def _same(self, index: int, stamp: tuple[int, int] | None) -> bool:
        now = stamp_of(path_of(self._job.directory, self._plan.names[index]))
        return now is None or now == stamp  # a recording that is gone since keeps its result

    def _unfinished(self) -> Iterator[int]:
        return (number for number in range(len(self._groups)) if number not in self._notes)

    def _item(self, index: int) -> Item:
        name = self._plan.names[index]
        stamp = stamp_of(path_of(self._job.directory, name))
        return Item(index, name, stamp[0] if stamp else 0)

    def _check_directory(self, answer: Answer) -> None:
        """Stop if all recordings are missing, not one: the output would only have rows with errors."""
        if answer.error is not None and answer.error.code == UnreadableError.code:
            check_directory(self._job.directory)


@contextmanager
def open_archive(
    directory: Path,
    output: Path,
    *,
    model: str | None = None,
    channels: ChannelChoice = "mix",
    threshold: float | None = None,
    coverage: int | None = None,
    vad: bool = True,
    track: int | None = None,
    raw: RawFormat | None = None,
    adapting: Adapting = NO_ADAPTING,
    resume: bool = False,
) -> Iterator[Archive]:
    """Start work over the recordings of a folder, or continue it.

    Args:
        directory: the folder; its subfolders are included.
        output: the Parquet file to write. Finished parts are in a folder beside it until it is complete.
        model: as `name` in `emovox.load`.
        channels: as in `Predictor.predict`.
        threshold: as in `Predictor.predict`.
        coverage: as in `Predictor.predict`.
        vad: as in `Predictor.predict`.
        track: audio track of videos, from 0; None takes the default one.
        raw: what bare samples are; None recognises forms by content.
        adapting: to what voices the scores are adapted.
        resume: whether to continue a run that was stopped.

    Raises:
        ModelError: the model cannot be loaded.
        AudioError: the folder cannot be listed or has no recording.
        ConfigError: `output` cannot be written, the table of recordings cannot be used, or the model has no sets of
            this coverage.
        NoSetsError: `coverage` is given, and the model has no sets of labels.
        SpeakerError: a speaker or a source is unknown, damaged, or belongs to another model.
        AdaptError: the model cannot adapt.
        ArchiveError: there is unfinished work without `resume` or with other settings, another process works on it,
            or `resume` is given and the output is complete.
    """
    predictor = _adapted(model, adapting)
    table = None if adapting.table is None else VoiceTable(adapting.table, adapting.column or "")
    settings = _settings(
        predictor,
        adapting,
        table,
        channels=channels,
        threshold=threshold,
        coverage=coverage,
        vad=vad,
        track=track,
        raw=raw,
    )
    parts = Parts(output)
    with parts.locked():
        _check_state(parts, resume=resume)
        plan = _resumed_plan(parts, directory, settings) if parts.begun() else _new_plan(parts, directory, settings)
        job = Job(os.fsdecode(plan.directory), _portable(model), settings, *_profiles(predictor))
        shared = folder_finder(plan.names) if table is None else table.finder(plan.names)
        voice_of = shared if settings.two_passes else None
        yield Archive(plan, parts, job=job, labels=predictor.labels, voice_of=voice_of)


def _adapted(model: str | None, adapting: Adapting) -> Predictor:
    """Return the adapted model, if it can do what is asked."""
    adapts = adapting.adapt != "off"
    if adapts and adapting.speaker is not None:
        raise ConfigError(
            f"adapt is '{adapting.adapt}' with speaker '{adapting.speaker}', expected one of both: that voice is known"
        )
    if (adapting.adapt == "column") != (adapting.table is not None and adapting.column is not None):
        raise ConfigError("adapt is 'column' without a table and its column, or they are given without it; give all")
    predictor = adapted_predictor(load(model), adapting.speaker, adapting.source, adapt=adapts)
    if adapting.adapt in TWO_PASSES:
        predictor.model.hidden(predictor.model.default_profile.mean[None])  # raises if the head cannot be split
    return predictor


def _profiles(predictor: Predictor) -> tuple[bytes, bytes]:
    """Return the content of the profiles of speaker and source; empty without."""
    speaker, source = predictor.speaker, predictor.source
    return b"" if speaker is None else speaker.to_bytes(), b"" if source is None else source.to_bytes()


def _settings(
    predictor: Predictor,
    adapting: Adapting,
    table: VoiceTable | None,
    *,
    channels: ChannelChoice,
    threshold: float | None,
    coverage: int | None,
    vad: bool,
    track: int | None,
    raw: RawFormat | None,
) -> Settings:
    card, profiles = predictor.card, _profiles(predictor)
    sets = None if coverage is None else sets_of(card, coverage)
    return Settings(
        emovox=__version__,
        model=card.name,
        version=card.version,
        sha256=card.sha256,
        licence=card.licence,
        licence_risk=card.licence_risk,
        channels=channels,
        threshold=card.threshold if threshold is None else threshold,
        vad=vad,
        track=track,
        raw=raw,
        speaker=adapting.speaker,
        source=adapting.source,
        profiles=hashlib.sha256(b"".join(profiles)).hexdigest() if any(profiles) else "",
        adapt=adapting.adapt,
        column=adapting.column,
        table="" if table is None else table.digest,
        coverage=None if sets is None else sets.coverage,
        least=None if sets is None else sets.least,
    )


def _portable(model: str | None) -> str:
    """Return a name for a model that processes elsewhere understand: shipped models may have another path there."""
    path = resolve(model)
    return path.stem if path in {**shipped(), **heads()}.values() else os.path.abspath(path)


def _digest(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()


def _check_state(parts: Parts, *, resume: bool) -> None:
    if parts.begun() and not resume:
        raise ArchiveError(
            f"{parts.folder}: got unfinished work on this output, expected none; continue it with --resume, or remove "
            "that folder to start again"
        )
    if resume and not parts.begun() and parts.output.exists():
        raise ArchiveError(
            f"{parts.output}: got --resume for an output that is complete, expected unfinished work beside it; leave "
            "--resume out to write it again"
        )


def _new_plan(parts: Parts, directory: Path, settings: Settings) -> ArchivePlan:
    plan = make_plan(directory)
    parts.begin(encode_manifest(plan, settings))
    return plan


def _resumed_plan(parts: Parts, directory: Path, settings: Settings) -> ArchivePlan:
    check_directory(directory)
    parts.sweep()
    plan, before = decode_manifest(parts.manifest.read_bytes(), where=str(parts.manifest))
    former = {"directory": name_of(os.fsdecode(plan.directory)), **msgspec.structs.asdict(before)}
    given = {"directory": name_of(os.path.realpath(directory)), **msgspec.structs.asdict(settings)}
    changes = [f"{key} was {former[key]}, is {given[key]}" for key in given if former[key] != given[key]]
    if changes:
        raise ArchiveError(
            f"{parts.folder}: got unfinished work with other settings ({'; '.join(changes)}), expected the same; "
            "resume with those, or remove that folder to start again"
        )
    return plan
