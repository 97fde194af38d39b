"""User recordings in folders: `<label>/x.wav`, or `<label>/<speaker>/x.wav` with speakers."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from emovox.corpora.clips import LabelledFile
from emovox.corpora.label_map import LabelMap, apply_label_map
from emovox.corpora.layout import ClipRow
from emovox.corpora.scan import clip_files
from emovox.schema.errors import CorpusError


def read_folders(root: Path, *, labels: LabelMap | None = None) -> list[LabelledFile]:
    """Return the recordings below a folder with the labels of their folders.

    Args:
        root: folder with one folder per label.
        labels: label map; without one, the names of the folders are the labels.

    Returns:
        (file, row, mapped label), sorted by path; the speaker is the folder below that of the label, or None.

    Raises:
        CorpusError: the folder does not exist, an audio file is in no label folder, or a label is not in the map.
        NoAudioFilesError: the folder has no audio file.
    """
    files = clip_files(root)
    for file in files:
        if len(file.parts) < 2:
            raise CorpusError(
                f"{root / file}: is not in a label folder, expected <label>/{file} or <label>/<speaker>/{file}; move it"
            )
    mapped = apply_label_map([(str(root / file.parts[0]), file.parts[0]) for file in files], labels)
    return [(root / file, _row(file), label) for file, label in zip(files, mapped, strict=True)]


def _row(file: PurePosixPath) -> ClipRow:
    speaker = file.parts[1] if len(file.parts) > 2 else None
    return ClipRow(id=file.as_posix(), speaker=speaker, native=file.parts[0])
