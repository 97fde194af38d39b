"""Verify a corpus against its published numbers: list missing, undecodable, duplicate and contradictory clips."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from emovox.corpora.clips import build_clips
from emovox.corpora.corpus import Corpus
from emovox.corpora.label_map import LabelMap
from emovox.corpora.manifest import Clip
from emovox.corpora.probe import Probe, measure
from emovox.corpora.registry import CORPORA, list_rows
from emovox.corpora.scan import Scan
from emovox.schema.errors import AudioError
from emovox.schema.progress import Progress, no_progress, tracked
from emovox.schema.text import name_key


class Problem(msgspec.Struct, frozen=True):
    """A file, clip, label or speaker, and its problem."""

    what: str
    problem: str


class Duplicate(msgspec.Struct, frozen=True):
    """Clips with the same samples; `known` says whether the published corpus has this duplicate."""

    ids: tuple[str, ...]
    known: bool


class LabelCount(msgspec.Struct, frozen=True):
    """Number of clips of a native label, found and published (None: unknown), and its label (None: dropped)."""

    native: str
    label: str | None
    found: int
    published: int | None


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `verify`.

    Attributes:
        corpus: name of the corpus.
        partial: whether missing and unreadable files are accepted.
        clips: number of clips found.
        published_clips: number of published clips; None if unknown.
        speakers: number of speakers found.
        published_speakers: number of published speakers; None if unknown.
        labels: found and published numbers of each native label.
        missing: published ids that are missing, or counts per label if the ids are not known; rows of a table without
            a file.
        undecodable: files that cannot be decoded, or only in part.
        duplicates: sets of ids with the same samples.
        contradictions: file name against folder or label file, more clips than published, one native label mapped
            to two, equal samples with two labels or two speakers, a speaker of two sexes, names that look alike.
        silent: ids of clips with only zeros.
        copies: second files of the same name with the same samples.
        strangers: audio files that are not clips of the corpus.
    """

    corpus: str
    partial: bool
    clips: int
    published_clips: int | None
    speakers: int
    published_speakers: int | None
    labels: tuple[LabelCount, ...]
    missing: tuple[str, ...] = ()
    undecodable: tuple[Problem, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    contradictions: tuple[Problem, ...] = ()
    silent: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    strangers: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether the corpus has no error; duplicates, silent clips, copies and strangers are only remarks."""
        incomplete = not self.partial and bool(self.missing)
        return not (incomplete or self.undecodable or self.contradictions or any(not d.known for d in self.duplicates))


def verify(
    name: str, root: Path, *, partial: bool = False, labels: LabelMap | None = None, progress: Progress = no_progress
) -> VerifyReport:
    """Decode every clip of a corpus folder and compare it with the published corpus.

    Args:
        name: a published corpus, "table" or "folders".
        root: the corpus folder; for "table" the CSV file.
        partial: whether to accept missing published clips.
        labels: label map, as for `index`.
        progress: called after each clip.

    Raises:
        CorpusError: the folder cannot be listed, or has no clip of the corpus.
    """
    listing = list_rows(name, root, labels=labels, partial=True)
    clips = build_clips(listing.corpus, listing.rows, partial=True)
    readable = {clip.id for clip in clips}
    unreadable = [file for file, row, _ in listing.rows if row.id not in readable]
    report = verify_clips(clips, partial=partial, progress=progress, unreadable=unreadable)
    report = msgspec.structs.replace(report, missing=listing.missing)
    return _with_scan(report, root, listing.scan) if listing.scan else report


def _with_scan(report: VerifyReport, root: Path, scanned: Scan) -> VerifyReport:
    same = {copy for kept, copy in scanned.copies if _same_samples(root / kept, root / copy)}
    conflicts = [Problem(str(file), text) for file, row in scanned.rows for text in row.conflicts]
    conflicts += [
        Problem(str(copy), f"has the name of {kept} but other samples")
        for kept, copy in scanned.copies
        if copy not in same
    ]
    return msgspec.structs.replace(
        report,
        contradictions=report.contradictions + tuple(conflicts),
        copies=tuple(str(copy) for copy in sorted(same)),
        strangers=tuple(Problem(str(file), why) for file, why in scanned.strangers),
    )


def verify_clips(
    clips: Sequence[Clip], *, partial: bool = False, progress: Progress = no_progress, unreadable: Sequence[Path] = ()
) -> VerifyReport:
    """Verify the clips of a manifest: decode each, and compare samples, labels, speakers and counts.

    `read_manifest` and `verify` find missing files, this function does not.

    Args:
        clips: clips of one corpus or several.
        partial: value for the report.
        progress: called after each clip.
        unreadable: files whose header could not be read when the clips were built.
    """
    measured: dict[int, Probe] = {}
    undecodable = []
    for number, clip in enumerate(tracked(clips, progress, total=len(clips))):
        try:
            measured[number] = measure(Path(clip.path))
        except AudioError as error:
            undecodable.append(Problem(clip.path, str(error)))
            continue
        if damage := measured[number].damage:
            undecodable.append(Problem(clip.path, damage))
    undecodable += [Problem(str(file), _decoding_error(file)) for file in unreadable]
    names = {clip.corpus for clip in clips}
    corpus = CORPORA.get(next(iter(names))) if len(names) == 1 else None
    known = corpus.duplicates if corpus else ()
    duplicates, differing = _duplicates(clips, measured, known)
    counts = _label_counts(clips, corpus)
    return VerifyReport(
        corpus=", ".join(sorted(names)),
        partial=partial,
        clips=len(clips),
        published_clips=corpus.clips if corpus else None,
        speakers=len({(clip.corpus, clip.speaker) for clip in clips if clip.speaker is not None}),
        published_speakers=corpus.speakers if corpus else None,
        labels=counts,
        undecodable=tuple(undecodable),
        duplicates=duplicates,
        contradictions=(*_contradictions(clips), *_surplus(counts), *differing),
        silent=tuple(clips[number].id for number, one in measured.items() if one.level is None),
    )


def _decoding_error(file: Path) -> str:
    try:
        measure(file)
    except AudioError as error:
        return str(error)
    return "its header cannot be read"


def _same_samples(first: Path, second: Path) -> bool:
    try:
        return measure(first).sha256 == measure(second).sha256
    except AudioError:
        return False


def _label_counts(clips: Sequence[Clip], corpus: Corpus | None) -> tuple[LabelCount, ...]:
    found = Counter(clip.native for clip in clips)
    published = corpus.counts if corpus else {}
    mapped = {**(corpus.labels if corpus else {}), **{clip.native: clip.label for clip in clips}}
    natives = [*published, *sorted(native for native in found if native not in published)]
    return tuple(LabelCount(n, mapped.get(n), found[n], published.get(n)) for n in natives)


def _surplus(counts: Sequence[LabelCount]) -> list[Problem]:
    return [
        Problem(count.native, f"{count.found} clips have this label, {count.published} are published")
        for count in counts
        if count.published is not None and count.found > count.published
    ]


def _duplicates(
    clips: Sequence[Clip], measured: Mapping[int, Probe], known: Sequence[frozenset[str]]
) -> tuple[tuple[Duplicate, ...], list[Problem]]:
    by_samples: defaultdict[str, list[Clip]] = defaultdict(list)
    for number, one in measured.items():
        if one.level is not None:  # digital silence of equal length is no duplicate
            by_samples[one.sha256].append(clips[number])
    found, differing = [], []
    for equal in by_samples.values():
        if len(equal) < 2:
            continue
        ids = tuple(clip.id for clip in equal)
        found.append(Duplicate(ids, any(set(ids) <= pair for pair in known)))
        for field in ("label", "speaker"):
            values = sorted({str(getattr(clip, field)) for clip in equal})
            if len(values) > 1:
                differing.append(Problem(", ".join(ids), f"the same samples, with the {field}s {' and '.join(values)}"))
    return tuple(found), differing


def _contradictions(clips: Sequence[Clip]) -> list[Problem]:
    labels: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    sexes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for clip in clips:
        labels[clip.corpus, clip.native].add(str(clip.label))
        if clip.speaker is not None and clip.sex is not None:
            sexes[clip.corpus, clip.speaker].add(clip.sex)
    return [
        *(
            Problem(native, f"is mapped to {' and '.join(sorted(found))}")
            for (_, native), found in labels.items()
            if len(found) > 1
        ),
        *(Problem(speaker, "is both female and male") for (_, speaker), found in sexes.items() if len(found) > 1),
        *_lookalikes(
            "speakers", ((clip.corpus, clip.speaker) for clip in clips), "one voice may be in training and test"
        ),
        *_lookalikes("labels", ((clip.corpus, clip.label) for clip in clips), "one label may be two classes"),
    ]


def _lookalikes(what: str, names: Iterable[tuple[str, str | None]], harm: str) -> list[Problem]:
    """Return the names of each corpus that differ in case, in width or in invisible characters only."""
    alike: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for corpus, name in names:
        if name is not None:
            alike[corpus, name_key(name)].add(name)
    return [
        Problem(", ".join(sorted(found)), f"are {len(found)} {what} that look alike: {harm}; write them in one way")
        for found in alike.values()
        if len(found) > 1
    ]
