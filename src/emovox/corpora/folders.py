"""Your own recordings, sorted into folders: `<label>/x.wav`, or `<label>/<speaker>/x.wav` with speakers."""

from __future__ import annotations

from pathlib import Path

from emovox.corpora.clips import LabelledFile
from emovox.corpora.label_map import LabelMap, apply_label_map
from emovox.corpora.layout import ClipRow
from emovox.corpora.scan import clip_files
from emovox.schema.errors import CorpusError


def read_folders(root: Path, *, labels: LabelMap | None = None) -> list[LabelledFile]:
    """Read the labels of recordings off their folders.

    Args:
        root: the folder that holds one folder for each label.
        labels: label map; without one, folder names are the labels.

    Returns:
        (file, row, mapped label), sorted by path; the speaker is the folder below the label's, or None.

    Raises:
        CorpusError: no such folder, an audio file outside the label folders, or a label that the map does not know.
        NoAudioFilesError: no audio file is below it.
    """
    rows = []
    for file in clip_files(root):
        if len(file.parts) < 2:
            raise CorpusError(
                f"{root / file}: lies in no label folder, expected <label>/{file} or <label>/<speaker>/{file}; move it"
            )
        native = file.parts[0]
        label = native if labels is None else apply_label_map(native, labels, where=str(root / native))
        speaker = file.parts[1] if len(file.parts) > 2 else None
        rows.append((root / file, ClipRow(id=file.as_posix(), speaker=speaker, native=native), label))
    return rows
