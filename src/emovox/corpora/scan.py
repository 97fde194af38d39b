"""Scan a corpus folder: sort its files into clips, second copies and other audio files."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

import msgspec

from emovox.audio.files import audio_files
from emovox.corpora.corpus import Annotations, Corpus
from emovox.corpora.layout import ClipRow
from emovox.schema.errors import CorpusError
from emovox.schema.text import printable_name


class Scan(msgspec.Struct, frozen=True):
    """The result of a scan; paths are relative to the corpus folder.

    Attributes:
        rows: (file, its row), in the order of the ids.
        copies: (file that is used, second file of the same name), for downloads that contain their tree twice.
        strangers: (audio file, why it is not a clip of the corpus).
        missing: published clips that are missing: ids, or a count per label if the ids are not known.
    """

    rows: tuple[tuple[PurePosixPath, ClipRow], ...]
    copies: tuple[tuple[PurePosixPath, PurePosixPath], ...]
    strangers: tuple[tuple[PurePosixPath, str], ...]
    missing: tuple[str, ...]


def clip_files(root: Path) -> list[PurePosixPath]:
    """Return the audio files below a folder, relative to it, without hidden files and macOS metadata.

    Raises:
        CorpusError: the folder does not exist, or a file name is not UTF-8, which a manifest needs.
        NoAudioFilesError: the folder has no audio file.
    """
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder, expected the folder of a corpus; check the path")
    files = sorted(PurePosixPath(path.relative_to(root).as_posix()) for path in audio_files(root))
    for file in files:
        if printable_name(file) != str(file):
            raise CorpusError(f"{root}: got the file name {printable_name(file)}, expected UTF-8; rename the file")
    return [file for file in files if "__MACOSX" not in file.parts]


def scan(corpus: Corpus, root: Path) -> Scan:
    """Sort the audio files below `root` into clips, copies and other files, and list missing clips.

    If an id appears twice, the file with the shortest path is used: some archives contain their tree a second time.

    Raises:
        CorpusError: the folder does not exist or has no audio, or required label files are missing.
    """
    files = sorted(clip_files(root), key=lambda path: (len(path.parts), path))
    notes = corpus.annotate(root) if corpus.annotate else {}
    rows: dict[str, tuple[PurePosixPath, ClipRow]] = {}
    copies, strangers = [], []
    for file in files:
        row = corpus.parse(file)
        if row is None:
            strangers.append((file, f"not a file name of {corpus.name}"))
            continue
        row = _annotated(row, notes)
        if row.native is None:
            strangers.append((file, "not in the label files"))
        elif row.id in rows:
            copies.append((rows[row.id][0], file))
        else:
            rows[row.id] = (file, row)
    ordered = tuple(rows[name] for name in sorted(rows))
    return Scan(ordered, tuple(copies), tuple(strangers), _missing(corpus, [row for _, row in ordered], notes))


def _annotated(row: ClipRow, notes: Annotations) -> ClipRow:
    note = notes.get(row.id)
    if note is None:
        return row
    conflicts = tuple(
        f"the file name says {field} {parsed}, the label file says {value}"
        for field, value in note.items()
        if (parsed := getattr(row, field)) is not None and parsed != value
    )
    known = {field: value for field, value in note.items() if getattr(row, field) is None and value}
    changed = msgspec.structs.replace(row, conflicts=row.conflicts + conflicts)
    return msgspec.convert(msgspec.structs.asdict(changed) | known, ClipRow)


def _missing(corpus: Corpus, rows: list[ClipRow], notes: Annotations) -> tuple[str, ...]:
    there = {unicodedata.normalize("NFC", row.id).lower() for row in rows}
    published = list(corpus.names()) if corpus.names else list(notes)
    if published:
        return tuple(name for name in sorted(published) if name.lower() not in there)
    counts = dict.fromkeys(corpus.counts, 0)
    for row in rows:
        if row.native in counts:
            counts[row.native] += 1
    return tuple(
        f"{count - counts[native]} of {count} clips labelled {native}"
        for native, count in corpus.counts.items()
        if counts[native] < count
    )
