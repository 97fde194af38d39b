"""Find the recordings at or below a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from emovox.audio.source import name_of
from emovox.schema.errors import NoAudioFilesError, UnreadableError

_SNDFILE = {".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"}
_SNDFILE_RARE = {".au", ".snd", ".caf", ".gsm"}
_MEDIA_AUDIO = {".m4a", ".m4b", ".aac", ".mka", ".wma", ".amr", ".ac3"}
_MEDIA_VIDEO = {
    ".mp4",
    ".m4v",
    ".mov",
    ".3gp",
    ".webm",
    ".mkv",
    ".asf",
    ".flv",
    ".avi",
    ".mpg",
    ".mpeg",
    ".mts",
    ".m2ts",
    ".ts",
}

AUDIO_SUFFIXES: Final = frozenset(_SNDFILE | _SNDFILE_RARE | _MEDIA_AUDIO | _MEDIA_VIDEO)
"""Lower-case suffixes of recordings in a directory. A file that is named directly may have any suffix."""


def needs_ffmpeg(path: str) -> bool:
    """Return whether ffmpeg probably decodes a file of this name.

    >>> needs_ffmpeg("call.WAV"), needs_ffmpeg("call.m4a")
    (False, True)
    """
    return os.path.splitext(path)[1].lower() in _MEDIA_AUDIO | _MEDIA_VIDEO


def audio_files(path: str | os.PathLike[str]) -> list[Path]:
    """List the recordings at or below a path.

    Hidden files and directories are skipped, and so are pipes and devices, which may never end. Links to directories
    are not followed. A subdirectory that cannot be listed is itself an item of the list: it gets a result row with its
    error, and the other files are still analysed.

    Args:
        path: a file, which is listed whatever its suffix, or a directory, which is searched recursively.

    Returns:
        Paths that begin with `path`, sorted; at least one.

    Raises:
        UnreadableError: the path does not exist, or the directory cannot be listed.
        NoAudioFilesError: no file in the directory has an audio suffix.
    """
    root = Path(path)
    try:
        if not root.is_dir():
            root.stat()
            return [root]
        next(os.scandir(root), None)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"{name_of(root)}: could not be read ({reason}), expected a file or directory") from error
    unlistable: list[OSError] = []
    found: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=unlistable.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += (Path(folder, name) for name in names if _is_audio(folder, name))
    found += (Path(error.filename) for error in unlistable)
    if not found:
        raise NoAudioFilesError(
            f"{name_of(root)}: got a directory without audio, expected files such as .wav, .flac, .ogg, .mp3 or .m4a; "
            "check the path, or name a file directly"
        )
    return sorted(found)


def _is_audio(folder: str, name: str) -> bool:
    if name.startswith(".") or os.path.splitext(name)[1].lower() not in AUDIO_SUFFIXES:
        return False
    try:
        return stat.S_ISREG(os.stat(os.path.join(folder, name)).st_mode)
    except OSError:  # a broken link: opening it raises the error
        return True
