"""The manifest: a JSON Lines file with one recording per line, for published corpora and user recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from emovox.corpora.layout import Sex, tidy_fields
from emovox.schema.errors import ManifestError
from emovox.schema.files import replacing
from emovox.schema.text import FILE_NAME_RULE, MOST_NAME_BYTES, bad_lines, is_file_name, some


class Clip(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clip: one recording of a corpus.

    Attributes:
        corpus: name of the corpus.
        id: name of the clip, unique within its corpus.
        path: path of the file; absolute once the manifest is read.
        speaker: name of the speaker, unique within the corpus; None if unknown.
        sex: "male", "female", or None if unknown.
        language: ISO 639-1 code, or None if unknown.
        native: label in the words of the corpus.
        label: mapped label (one of `TRAINING_CLASSES`, or a name of the user); None if it is dropped.
        sentence: name of the text, equal for equal texts of the corpus; None if unknown.
        duration: length in seconds, from the header.
        sample_rate: sample rate of the file in Hz.
        extra: cells of further columns of a table, by column; UNSET if there is none.
    """

    corpus: str
    id: str
    path: str
    speaker: str | None = None
    sex: Sex | None = None
    language: str | None = None
    native: str
    label: str | None = None
    sentence: str | None = None
    duration: float
    sample_rate: int
    extra: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Tidy the names, see `tidy_fields`."""
        tidy_fields(self, "speaker", "native", "label", "sentence")


def write_manifest(clips: Iterable[Clip], path: str | os.PathLike[str]) -> None:
    """Write a manifest atomically; a missing folder is created.

    Paths below the folder of the manifest are stored relative to it, so that the folder can be moved. Other paths stay
    absolute.

    Raises:
        ConfigError: the file cannot be written.
    """
    folder = Path(path).absolute().parent
    with replacing(path, make_folder=True) as lines:
        for clip in clips:
            lines.write(msgspec.json.encode(_stored(clip, folder)) + b"\n")


def read_manifest(path: str | os.PathLike[str], *, check_files: bool = True) -> tuple[Clip, ...]:
    """Return the clips of a manifest; relative paths start at the folder of the manifest.

    Args:
        path: the .jsonl file.
        check_files: whether a missing recording is an error.

    Returns:
        The clips in the order of the file, with absolute paths.

    Raises:
        ManifestError: the file is missing or has no rows, a row is malformed (the message has line and field), an id
            appears twice, or recordings do not exist.
    """
    manifest = Path(path).absolute()
    try:
        lines = manifest.read_bytes().splitlines()
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot be read ({error.strerror}), expected a manifest; make one with emovox data index"
        ) from error
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise ManifestError(f"{path}: has no rows, expected one JSON object a line; make it again")
    clips, problems = [], {}
    for number, line in rows:
        try:
            clips.append(_read_row(line, folder=manifest.parent))
        except ValueError as error:
            problems[number] = str(error)
    if problems:
        raise ManifestError(f"{path}, {bad_lines(problems)}")
    _check_ids(clips, [number for number, _ in rows], path)
    if check_files:
        _check_files(clips, [number for number, _ in rows], path)
    return tuple(clips)


def _stored(clip: Clip, folder: Path) -> Clip:
    try:
        return msgspec.structs.replace(clip, path=Path(clip.path).relative_to(folder).as_posix())
    except ValueError:
        return clip


def _read_row(line: bytes, *, folder: Path) -> Clip:
    """Return the clip of a line.

    Raises:
        ValueError: says what is wrong with the line.
    """
    try:
        clip = msgspec.json.decode(line, type=Clip)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # includes ValidationError, which names the field
        raise ValueError(f"{error}; expected the fields of emovox data index") from error
    for name in ("corpus", "id", "path", "native"):
        if not getattr(clip, name):
            raise ValueError(f"the field '{name}' is empty, expected text")
    if not is_file_name(clip.corpus):
        raise ValueError(f"the field 'corpus' is '{clip.corpus[:MOST_NAME_BYTES]}', {FILE_NAME_RULE}")
    for name, meaning in (("label", "to drop the clip"), ("speaker", "if unknown"), ("sentence", "if unknown")):
        if getattr(clip, name) == "":
            raise ValueError(f"the field '{name}' is empty, expected a name, or null {meaning}")
    if not clip.duration >= 0 or clip.sample_rate < 1:
        raise ValueError(
            f"the fields 'duration' and 'sample_rate' are {clip.duration} s and {clip.sample_rate} Hz, expected at "
            "least 0 s and 1 Hz"
        )
    return msgspec.structs.replace(clip, path=os.path.normpath(folder / clip.path))


def _check_ids(clips: Sequence[Clip], numbers: list[int], path: str | os.PathLike[str]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for clip, number in zip(clips, numbers, strict=True):
        first = seen.setdefault((clip.corpus, clip.id), number)
        if first != number:
            raise ManifestError(
                f"{path}, line {number}: the field 'id' is {clip.id} of {clip.corpus}, which line {first} has already; "
                "expected each clip once"
            )


def _check_files(clips: Sequence[Clip], numbers: list[int], path: str | os.PathLike[str]) -> None:
    missing = [(n, clip.path) for clip, n in zip(clips, numbers, strict=True) if not os.path.isfile(clip.path)]
    if missing:
        named = some(f"line {number}: {file}" for number, file in missing)
        raise ManifestError(
            f"{path}: the field 'path' of {len(missing)} of {len(clips)} rows names no file ({named}); "
            f"put the recordings back, or index the corpus again"
        )
