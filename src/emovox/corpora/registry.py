"""The registry of corpora: find a corpus by name, locate its folder, and index its clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from emovox.corpora.cafe import CAFE
from emovox.corpora.casia import CASIA
from emovox.corpora.clips import LabelledFile, build_clips
from emovox.corpora.corpus import Corpus
from emovox.corpora.crema_d import CREMA_D
from emovox.corpora.emodb import EMODB
from emovox.corpora.emovo import EMOVO
from emovox.corpora.esd import ESD
from emovox.corpora.folders import read_folders
from emovox.corpora.iemocap import IEMOCAP
from emovox.corpora.label_map import LabelMap, apply_label_map
from emovox.corpora.manifest import Clip
from emovox.corpora.meld import MELD
from emovox.corpora.nemo import NEMO
from emovox.corpora.ravdess import RAVDESS
from emovox.corpora.ravdess_video import RAVDESS_VIDEO
from emovox.corpora.savee import SAVEE
from emovox.corpora.scan import Scan, scan
from emovox.corpora.shemo import SHEMO
from emovox.corpora.table import read_table
from emovox.corpora.tess import TESS
from emovox.corpora.urdu import URDU
from emovox.corpora.voxceleb import VOXCELEB, SpeakerCorpus
from emovox.schema.errors import CorpusError, UnknownCorpusError
from emovox.schema.progress import Progress, no_progress
from emovox.schema.text import FILE_NAME_RULE, is_file_name, some, tidy_name

CORPORA: Mapping[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        RAVDESS,
        CASIA,
        EMODB,
        TESS,
        NEMO,
        CREMA_D,
        SAVEE,
        EMOVO,
        ESD,
        SHEMO,
        URDU,
        IEMOCAP,
        MELD,
        CAFE,
        RAVDESS_VIDEO,
    )
}
"""Published corpora of emotional speech, by name."""

SPEAKER_CORPORA: Mapping[str, SpeakerCorpus] = {VOXCELEB.name: VOXCELEB}
"""Published corpora without emotions, for pretraining, by name."""

GENERIC: Mapping[str, str] = {
    "table": "your own recordings in a CSV table: path,label,speaker[,sex,language,sentence]",
    "folders": "your own recordings in folders: <label>/x.wav or <label>/<speaker>/x.wav",
}
"""Layouts of user recordings."""

ROOT_VARIABLE = "EMOVOX_CORPORA"
"""Environment variable with the folder of all corpora."""


class Listing(msgspec.Struct, frozen=True):
    """The recordings of a corpus before their headers are read, those that are missing, and the scan of a folder."""

    corpus: str
    rows: tuple[LabelledFile, ...]
    missing: tuple[str, ...] = ()
    scan: Scan | None = None


def get_corpus(name: str) -> Corpus:
    """Return a published corpus by name.

    Raises:
        UnknownCorpusError: no corpus has this name; the message lists all names.

    >>> get_corpus("emodb").clips
    535
    """
    known = {**CORPORA, **SPEAKER_CORPORA}
    if name not in known:
        raise UnknownCorpusError(
            f"no corpus is called '{name}', expected one of {', '.join(known)}; "
            f"for your own recordings use {' or '.join(GENERIC)}"
        )
    return known[name]


def locate(name: str, environ: Mapping[str, str]) -> Path:
    """Return the default folder of a published corpus: `$EMOVOX_CORPORA/<name>`.

    Args:
        name: name of the corpus.
        environ: the environment, e.g. `os.environ`.

    Raises:
        UnknownCorpusError: no corpus has this name.
        CorpusError: the variable is not set, or the folder does not exist.
    """
    get_corpus(name)
    root = environ.get(ROOT_VARIABLE)
    if not root:
        raise CorpusError(
            f"{name}: no folder given and {ROOT_VARIABLE} is not set; name the corpus folder, or set {ROOT_VARIABLE} "
            f"to the folder that holds {name}"
        )
    folder = Path(root) / name
    if not folder.is_dir():
        raise CorpusError(
            f"{name}: {ROOT_VARIABLE} is {root}, expected the folder {folder}; name the corpus folder instead"
        )
    return folder


def index(
    name: str,
    root: Path,
    *,
    partial: bool = False,
    labels: LabelMap | None = None,
    progress: Progress = no_progress,
) -> tuple[Clip, ...]:
    """Return the clips of a corpus.

    Args:
        name: a published corpus, "table" or "folders".
        root: the corpus folder; for "table" the CSV file.
        partial: whether to accept missing and unreadable files.
        labels: label map. For a published corpus it overrides entries of the map of the corpus; for user recordings it
            replaces the default, which keeps all labels.
        progress: called after each file.

    Returns:
        The clips in the order of their ids. Clips whose label is mapped to None are included, with label None.

    Raises:
        UnknownCorpusError: no corpus has this name.
        CorpusError: files are missing or unreadable and `partial` is false, or a label is not in the map.
        ManifestError: a table is malformed.
    """
    listing = list_rows(name, root, labels=labels, partial=partial)
    if listing.missing and not partial:
        raise CorpusError(
            f"{root}: got {len(listing.rows)} clips of {name}, expected {get_corpus(name).clips}; missing: "
            f"{some(listing.missing)}; complete it, or use the clips that exist with --partial (partial=True)"
        )
    return build_clips(listing.corpus, listing.rows, partial=partial, progress=progress)


def list_rows(name: str, root: Path, *, labels: LabelMap | None = None, partial: bool = False) -> Listing:
    """Return the recordings of a corpus and their labels without reading their headers; arguments as for `index`.

    Recordings of a table that do not exist are `missing` with `partial`, else an error.

    Raises:
        UnknownCorpusError: no corpus has this name.
        CorpusError: the folder has no clip of the corpus, or a label is not in the map.
        ManifestError: a table is malformed.
    """
    if name == "table":
        table = read_table(root, labels=labels, partial=partial)
        return Listing(_user_corpus_name(root.stem), table.rows, table.missing)
    if name == "folders":
        return Listing(_user_corpus_name(root.resolve().name), tuple(read_folders(root, labels=labels)))
    corpus = get_corpus(name)
    scanned = scan(corpus, root)
    if not scanned.rows:
        raise CorpusError(
            f"{root}: none of its {len(scanned.strangers)} audio files is named as in {name} "
            f"({some(file for file, _ in scanned.strangers)}); see emovox data info {name}"
        )
    speakers = {row.native or "": row.native for _, row in scanned.rows} if name in SPEAKER_CORPORA else {}
    natives = [(str(root / file), row.native or "") for file, row in scanned.rows]
    mapped = apply_label_map(natives, {**corpus.labels, **speakers, **(labels or {})})
    rows = [(root / file, row, label) for (file, row), label in zip(scanned.rows, mapped, strict=True)]
    return Listing(name, tuple(rows), scanned.missing, scanned)


def _user_corpus_name(name: str) -> str:
    # Folds and figures know published corpora by name; a user folder with the name "ravdess" must not pass for it.
    name = f"{name}-own" if name in CORPORA or name in SPEAKER_CORPORA else tidy_name(name) or "own"
    if not is_file_name(name):
        raise CorpusError(f"the corpus would be called '{name}', {FILE_NAME_RULE}; rename the file or folder")
    return name
