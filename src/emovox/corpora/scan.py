"""Walk a corpus folder: which files are clips of it, which are second copies, which are strangers."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

import msgspec

from emovox.audio.files import audio_files
from emovox.audio.source import printable
from emovox.corpora.corpus import Annotations, Corpus
from emovox.corpora.layout import ClipRow
from emovox.schema.errors import CorpusError


class Scan(msgspec.Struct, frozen=True):
    """What a walk found; paths are relative to the corpus folder.

    Attributes:
        rows: (file, what it is), in the order of the ids.
        copies: (file that counts, second file of the same name), for downloads that hold their tree twice.
        strangers: (audio file, why it is not a clip of the corpus).
        missing: what is published and not there: ids, or a count for a label where the corpus's names cannot be told.
    """

    rows: tuple[tuple[PurePosixPath, ClipRow], ...]
    copies: tuple[tuple[PurePosixPath, PurePosixPath], ...]
    strangers: tuple[tuple[PurePosixPath, str], ...]
    missing: tuple[str, ...]


def clip_files(root: Path) -> list[PurePosixPath]:
    """List the audio files below a folder, relative to it, without hidden files and what macOS puts into archives.

    Raises:
        CorpusError: there is no such folder, or a file name that cannot stand in a manifest.
        NoAudioFilesError: no audio file is below it.
    """
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder, expected the folder of a corpus; check the path")
    files = sorted(PurePosixPath(path.relative_to(root).as_posix()) for path in audio_files(root))
    for file in files:
        if printable(file) != str(file):
            raise CorpusError(f"{root}: got the file name {printable(file)}, expected UTF-8; rename the file")
    return [file for file in files if "__MACOSX" not in file.parts]


def scan(corpus: Corpus, root: Path) -> Scan:
    """Sort the audio files below `root` by what they are in the corpus.

    Where one id appears twice, the file with the shortest path counts: some archives hold their tree a second time
    inside themselves.

    Raises:
        CorpusError: no such folder, no audio, or label files that the corpus cannot do without are missing.
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
